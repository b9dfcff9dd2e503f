/* Units of a descent: what lowering one does, in which order they are visited, and a visit: the
 * gate on drift, then the deciding images. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/constraint.h"
#include "jobs/strategies/descent.h"

enum { NAMED = 3 }; /* units at either end of the order that the note names */

const char *qsv_level_name(enum qsv_level level)
{
    static const char *const names[] = {"network", "stage", "block", "layer"};
    return names[level];
}

uint32_t qsv_level_size(const struct qsv_space *space, enum qsv_level level)
{
    const struct qsv_graph *g = &space->model->graph;
    const size_t sizes[] = {1, g->n_stages, g->n_blocks, g->n_layers};
    return (uint32_t)sizes[level];
}

static const char *unit_name(const struct qsv_space *space, enum qsv_level level, uint32_t unit)
{
    const struct qsv_graph *g = &space->model->graph;
    switch (level) {
    case QSV_STAGE_LEVEL:
        return g->stage_names[unit];
    case QSV_BLOCK_LEVEL:
        return g->block_names[unit];
    case QSV_LAYER_LEVEL:
        return g->layers[unit].name;
    case QSV_NETWORK_LEVEL:
        break;
    }
    return "all";
}

static uint32_t unit_of(const struct qsv_space *space, enum qsv_level level, uint32_t group)
{
    const uint32_t index = space->groups[group].layers[0];
    const struct qsv_layer *layer = &space->model->graph.layers[index];
    const uint32_t units[] = {0, layer->stage, layer->block, index};
    return units[level];
}

/* The next narrower format; the same where there is none. */
static uint8_t narrower(const struct qsv_descent *d, uint8_t format)
{
    for (uint32_t i = 0; i + 1 < d->n_options; i++)
        if (d->options[i] == format)
            return d->options[i + 1];
    return format;
}

/* to: `from` with the unit's groups lowered by one format, and `what` that is; false where none can
 * be. */
static bool lower(const struct qsv_descent *d, enum qsv_level level, uint32_t unit,
                  const uint8_t *from, uint8_t *to, char what[QSV_WHAT])
{
    const struct qsv_space *space = d->search.space;
    bool changed = false;
    for (uint32_t g = 0; g < space->n_groups; g++) {
        to[g] = unit_of(space, level, g) == unit ? narrower(d, from[g]) : from[g];
        if (to[g] == from[g] || changed)
            continue;
        changed = true;
        snprintf(what, QSV_WHAT, "%.60s from %s to %s", unit_name(space, level, unit),
                 qsv_format_info(from[g])->name, qsv_format_info(to[g])->name);
    }
    return changed;
}

/* Adds an entry's setting with the unit lowered to the gate's pool; *at: its place, SIZE_MAX where
 * nothing can be lowered. */
static enum qsv_status propose(struct qsv_descent *d, enum qsv_level level, uint32_t unit,
                               size_t from, size_t *at)
{
    const struct qsv_pool_entry *e = &d->decided.entries[from];
    char what[QSV_WHAT];
    uint8_t *formats = qsv_alloc(d->search.space->n_groups, 1);
    enum qsv_status status = QSV_OK;
    *at = SIZE_MAX;
    if (!formats)
        return qsv_fail_memory(d->search.err, "a candidate setting");
    if (lower(d, level, unit, e->formats, formats, what))
        status = qsv_pool_add(&d->gated, &d->search, formats, e->metrics.trial_id, what, at);
    free(formats);
    return status;
}

/* Drift added for each byte saved. */
static double price(const struct qsv_metrics *from, const struct qsv_metrics *to)
{
    const double saved = (double)from->bytes.model_bytes - (double)to->bytes.model_bytes;
    return saved > 0 ? (qsv_metrics_drift(to) - qsv_metrics_drift(from)) / saved : INFINITY;
}

static void sort_units(const double *prices, uint32_t n, uint32_t *order)
{
    for (uint32_t unit = 0; unit < n; unit++) {
        uint32_t at = unit;
        for (; at > 0 && prices[order[at - 1]] > prices[unit]; at--)
            order[at] = order[at - 1];
        order[at] = unit;
    }
}

static enum qsv_status note_order(struct qsv_descent *d, enum qsv_level level,
                                  const uint32_t *order, const double *prices)
{
    uint32_t n = 0;
    const uint32_t size = qsv_level_size(d->search.space, level);
    struct qsv_strbuf names = {0};
    while (n < size && prices[order[n]] < INFINITY)
        n++;
    for (uint32_t i = 0; i < n; i++) {
        if (i == NAMED && n > 2 * NAMED) {
            qsv_strbuf_puts(&names, " ...");
            i = n - NAMED;
        }
        qsv_strbuf_printf(&names, "%s%s %.3g", i ? ", " : "",
                          unit_name(d->search.space, level, order[i]), 1e6 * prices[order[i]]);
    }
    enum qsv_status status =
        names.failed ? qsv_fail_memory(d->search.err, "a note")
                     : qsv_search_note(&d->search, qsv_level_name(level),
                                       d->decided.entries[d->beam[0]].metrics.trial_id, "order",
                                       "%u to lower, by drift added (thresholds) for each MB "
                                       "saved: %s",
                                       n, n ? names.text : "none");
    qsv_strbuf_fini(&names);
    return status;
}

/* proposed [1 + units]: places in the gate's pool, the first of the best setting itself. */
static enum qsv_status measure_order(struct qsv_descent *d, enum qsv_level level, size_t *proposed)
{
    const size_t best = d->beam[0];
    const struct qsv_pool_entry *e = &d->decided.entries[best];
    const uint32_t n = qsv_level_size(d->search.space, level);
    enum qsv_status status =
        qsv_pool_add(&d->gated, &d->search, e->formats, e->parent, e->what, proposed);
    for (uint32_t unit = 0; unit < n && !status; unit++)
        status = propose(d, level, unit, best, &proposed[1 + unit]);
    return status ? status : qsv_pool_measure(&d->gated, &d->search, "gate", NULL);
}

enum qsv_status qsv_descent_rank(struct qsv_descent *d, enum qsv_level level, uint32_t *order)
{
    const uint32_t n = qsv_level_size(d->search.space, level);
    size_t *proposed = qsv_alloc(1 + (size_t)n, sizeof *proposed);
    double *prices = qsv_alloc(n, sizeof *prices);
    enum qsv_status status = proposed && prices
                                 ? measure_order(d, level, proposed)
                                 : qsv_fail_memory(d->search.err, "the order of units");
    if (!status) {
        const struct qsv_pool_entry *e = d->gated.entries;
        for (uint32_t unit = 0; unit < n; unit++)
            prices[unit] = proposed[1 + unit] == SIZE_MAX
                               ? INFINITY
                               : price(&e[proposed[0]].metrics, &e[proposed[1 + unit]].metrics);
        sort_units(prices, n, order);
        status = note_order(d, level, order, prices);
    }
    free(proposed);
    free(prices);
    return status;
}

struct visit {
    enum qsv_level level;
    uint32_t unit;
    size_t n_stopped, n_measured, n_accepted;
};

/* Where the drop is bounded: holds it. Otherwise a setting that fits needs no lowering. */
static bool accepts(const struct qsv_descent *d, const struct qsv_pool_entry *e)
{
    if (!qsv_constraint_bounds_drop(d->search.spec))
        return !qsv_constraint_holds(d->search.spec, &e->metrics);
    return qsv_constraint_drop_met(d->search.spec, &e->metrics);
}

/* Lowers the unit in the beam's entries from `first` on. lowered [n_beam - first]: of those that
 * pass the gate, *n_passed, the entries of decided, measured. */
static enum qsv_status measure_lowered(struct qsv_descent *d, struct visit *v, size_t first,
                                       size_t *lowered, size_t *n_passed)
{
    const size_t n = d->n_beam - first;
    enum qsv_status status = QSV_OK;
    for (size_t i = 0; i < n && !status; i++)
        status = propose(d, v->level, v->unit, d->beam[first + i], &lowered[i]);
    if (!status)
        status = qsv_pool_measure(&d->gated, &d->search, "gate", NULL);
    *n_passed = 0;
    for (size_t i = 0; i < n && !status; i++) {
        if (lowered[i] == SIZE_MAX)
            continue;
        const struct qsv_pool_entry *e = &d->gated.entries[lowered[i]];
        if (!(qsv_metrics_drift(&e->metrics) <= d->most_drift)) {
            v->n_stopped++;
            continue;
        }
        status = qsv_pool_add(&d->decided, &d->search, e->formats, e->parent, e->what,
                              &lowered[(*n_passed)++]);
    }
    v->n_measured += *n_passed;
    return status ? status
                  : qsv_pool_measure(&d->decided, &d->search, qsv_level_name(v->level), NULL);
}

static bool is_in_beam(const struct qsv_descent *d, size_t entry)
{
    for (size_t i = 0; i < d->n_beam; i++)
        if (d->beam[i] == entry)
            return true;
    return false;
}

/* The drift of the widest uniform setting that fails says from which drift on settings are taken to
 * fail. */
static enum qsv_status set_gate(struct qsv_descent *d, const struct qsv_pool_entry *failed)
{
    const double ratio = d->search.spec->search.max_drift;
    size_t at;
    enum qsv_status status =
        qsv_pool_add(&d->gated, &d->search, failed->formats, failed->parent, failed->what, &at);
    if (status)
        return status;
    d->most_drift = ratio * qsv_metrics_drift(&d->gated.entries[at].metrics);
    return qsv_search_note(&d->search, "gate", failed->metrics.trial_id, "gate",
                           "drift of at most %.4f thresholds on %" PRIu64
                           " images, %g x that of %s, is measured further",
                           d->most_drift, d->gated.entries[at].metrics.n_images, ratio,
                           failed->what);
}

/* One format lower, from the beam's entries from `first` on. */
static enum qsv_status step_down(struct qsv_descent *d, struct visit *v, size_t first)
{
    size_t n_passed = 0, *lowered = qsv_alloc(d->n_beam - first, sizeof *lowered);
    if (!lowered)
        return qsv_fail_memory(d->search.err, "candidate settings");
    enum qsv_status status = measure_lowered(d, v, first, lowered, &n_passed);
    for (size_t i = 0; i < n_passed && !status; i++) {
        const struct qsv_pool_entry *e = &d->decided.entries[lowered[i]];
        if (!accepts(d, e)) {
            if (v->level == QSV_NETWORK_LEVEL && qsv_constraint_bounds_drop(d->search.spec))
                status = set_gate(d, e);
            continue;
        }
        v->n_accepted++;
        status = qsv_descent_accept(d, lowered[i]);
        if (!is_in_beam(d, lowered[i]))
            d->beam[d->n_beam++] = lowered[i];
    }
    free(lowered);
    return status;
}

/* The best first; of equals the earlier. */
static void sort_beam(struct qsv_descent *d)
{
    for (size_t i = 1; i < d->n_beam; i++) {
        const size_t entry = d->beam[i];
        size_t at = i;
        for (; at > 0 && qsv_constraint_compare(d->search.spec, &d->decided.entries[entry].metrics,
                                                &d->decided.entries[d->beam[at - 1]].metrics) < 0;
             at--)
            d->beam[at] = d->beam[at - 1];
        d->beam[at] = entry;
    }
}

static enum qsv_status note_visit(struct qsv_descent *d, const struct visit *v, size_t before)
{
    const struct qsv_pool_entry *best = &d->decided.entries[d->beam[0]];
    const char *decision = d->beam[0] != before ? "lower" : v->n_measured ? "reject" : "gate";
    struct qsv_strbuf figures = {0};
    qsv_search_print_metrics(&figures, &best->metrics);
    enum qsv_status status =
        figures.failed
            ? qsv_fail_memory(d->search.err, "a note")
            : qsv_search_note(&d->search, qsv_level_name(v->level), best->metrics.trial_id,
                              decision,
                              "%s: %zu stopped by the gate, %zu measured, %zu of them accepted; "
                              "%s: %s",
                              unit_name(d->search.space, v->level, v->unit), v->n_stopped,
                              v->n_measured, v->n_accepted,
                              d->beam[0] != before ? best->what : "best as before", figures.text);
    qsv_strbuf_fini(&figures);
    return status;
}

enum qsv_status qsv_descent_visit(struct qsv_descent *d, enum qsv_level level, uint32_t unit)
{
    struct visit v = {.level = level, .unit = unit};
    const size_t before = d->beam[0];
    size_t first = 0;
    enum qsv_status status = QSV_OK;
    while (first < d->n_beam && !status) {
        const size_t end = d->n_beam;
        status = step_down(d, &v, first);
        first = end;
    }
    if (status)
        return status;
    sort_beam(d);
    d->n_beam = d->n_beam < d->width ? d->n_beam : d->width;
    return v.n_stopped + v.n_measured ? note_visit(d, &v, before) : QSV_OK;
}
