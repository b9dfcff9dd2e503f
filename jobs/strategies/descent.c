/* Levels of a descent, from the whole network to the search's groups. Deciding images that let
 * every unit be lowered for as long as they allowed it have promised too much: at a level's end its
 * way down is gone back, on all images that decide the selection, to where it holds, and the next
 * level begins there. */
#include "jobs/strategies/descent.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/constraint.h"

static enum qsv_level last_level(const struct qsv_spec *spec)
{
    if (spec->search.granularity == QSV_BY_LAYER)
        return QSV_LAYER_LEVEL;
    return spec->search.granularity == QSV_BY_BLOCK ? QSV_BLOCK_LEVEL : QSV_STAGE_LEVEL;
}

static enum qsv_status descent_init(struct qsv_descent *d)
{
    const struct qsv_space *space = d->search.space;
    d->options[d->n_options++] = QSV_F32;
    for (uint32_t i = 0; i < space->n_formats; i++)
        if (space->formats[i] != QSV_F32)
            d->options[d->n_options++] = space->formats[i];
    d->beam = qsv_alloc((size_t)d->width * d->n_options, sizeof *d->beam);
    return d->beam ? QSV_OK : qsv_fail_memory(d->search.err, "the beam");
}

static void descent_fini(struct qsv_descent *d)
{
    qsv_pool_fini(&d->gated);
    qsv_pool_fini(&d->decided);
    qsv_pool_fini(&d->final);
    free(d->beam);
    free(d->trail);
}

enum qsv_status qsv_descent_accept(struct qsv_descent *d, size_t entry)
{
    const struct qsv_pool_entry *e = d->decided.entries;
    if (d->n_trail && qsv_constraint_compare(d->search.spec, &e[entry].metrics,
                                             &e[d->trail[d->n_trail - 1]].metrics) >= 0)
        return QSV_OK;
    if (!qsv_grow(&d->trail, &d->trail_capacity, d->n_trail + 1, sizeof *d->trail))
        return qsv_fail_memory(d->search.err, "the way down");
    d->trail[d->n_trail++] = entry;
    return QSV_OK;
}

static enum qsv_status begin(struct qsv_descent *d)
{
    struct qsv_search *s = &d->search;
    uint8_t *formats = qsv_alloc(s->space->n_groups, 1);
    if (!formats)
        return qsv_fail_memory(s->err, "the first setting");
    memset(formats, QSV_F32, s->space->n_groups);
    enum qsv_status status =
        qsv_pool_add(&d->decided, s, formats, 0, "no group quantized", &d->beam[0]);
    free(formats);
    d->n_beam = 1;
    if (!status)
        status = qsv_pool_measure(&d->decided, s, "network", &s->out->baseline_decided);
    return status ? status : qsv_descent_accept(d, d->beam[0]);
}

/* Measures an entry of decided on all images that decide the selection; *at: its place among these.
 */
static enum qsv_status measure(struct qsv_descent *d, size_t entry, size_t *at)
{
    struct qsv_search *s = &d->search;
    struct qsv_selection *out = s->out;
    const struct qsv_pool_entry *e = &d->decided.entries[entry];
    struct qsv_metrics *baseline =
        d->final.set == QSV_JUDGE ? &out->baseline : &out->baseline_decided;
    const size_t n = d->final.n_measured;
    enum qsv_status status = qsv_pool_add(&d->final, s, e->formats, e->parent, e->what, at);
    if (!status)
        status = qsv_pool_measure(&d->final, s, "select", n ? NULL : baseline);
    if (status || *at < n)
        return status;
    return qsv_search_note_entry(s, "select", &d->final.entries[*at]);
}

/* To the last setting of the way down from `first` that holds, by halving; to `first`, which held
 * or is not quantized at all, where no other is found. The beam is as it is where the last one
 * holds.
 */
static enum qsv_status go_back(struct qsv_descent *d, size_t first)
{
    size_t holds = first, fails = d->n_trail, next = d->n_trail - 1, at;
    enum qsv_status status = QSV_OK;
    while (!status && fails - holds > 1) {
        status = measure(d, d->trail[next], &at);
        if (!status && qsv_constraint_drop_met(d->search.spec, &d->final.entries[at].metrics))
            holds = next;
        else
            fails = next;
        next = holds + (fails - holds) / 2;
    }
    if (holds + 1 < d->n_trail) {
        d->n_trail = holds + 1;
        d->beam[0] = d->trail[holds];
        d->n_beam = 1;
    }
    return status;
}

/* Lowers units in their order, each until it is refused. */
static enum qsv_status run_level(struct qsv_descent *d, enum qsv_level level)
{
    const uint32_t n = qsv_level_size(d->search.space, level);
    const size_t first = d->n_trail - 1;
    uint32_t *order = qsv_alloc(n, sizeof *order);
    enum qsv_status status = order ? qsv_descent_rank(d, level, order)
                                   : qsv_fail_memory(d->search.err, "a level of the search");
    for (uint32_t i = 0; i < n && !status; i++)
        status = qsv_descent_visit(d, level, order[i]);
    if (!status && qsv_constraint_bounds_drop(d->search.spec))
        status = go_back(d, first);
    free(order);
    return status;
}

static enum qsv_status select_best(struct qsv_descent *d)
{
    struct qsv_search *s = &d->search;
    size_t at = 0, best = d->trail[d->n_trail - 1];
    if (!qsv_constraint_bounds_drop(s->spec))
        best = qsv_pool_best(&d->decided, s->spec);
    enum qsv_status status = measure(d, best, &at);
    if (!status)
        status = qsv_pool_finish(&d->final, s, "select", at);
    if (!status)
        status = qsv_pool_finish(&d->decided, s, "select", best);
    if (status)
        return status;
    const struct qsv_pool_entry *found = &d->final.entries[at];
    return d->final.set == QSV_JUDGE
               ? qsv_search_select(s, found, &d->decided.entries[best].metrics, true)
               : qsv_search_judge(s, found);
}

enum qsv_status qsv_descent_search(const struct qsv_space *space, const struct qsv_spec *spec,
                                   struct qsv_evaluator *evaluator, uint32_t width,
                                   struct qsv_selection *out, struct qsv_error *err)
{
    struct qsv_descent d = {
        .search = {space, spec, evaluator, out, err},
        .gated = {.set = QSV_DECIDE, .n_images = spec->search.drift_images},
        .decided = {.set = QSV_DECIDE, .n_images = spec->search.decision_images, .races = true},
        .final = {.set = QSV_JUDGE, .races = true},
        .width = width,
        .most_drift = INFINITY,
    };
    if (spec->has_calibration) /* judging images decide nothing */
        d.final = (struct qsv_pool){.set = QSV_DECIDE,
                                    .n_images = spec->search.selection_images,
                                    .caution = spec->constraint.caution,
                                    .races = true};
    enum qsv_status status = descent_init(&d);
    if (!status)
        status = begin(&d);
    for (int level = QSV_NETWORK_LEVEL; level <= (int)last_level(spec) && !status; level++)
        status = run_level(&d, (enum qsv_level)level);
    if (!status)
        status = select_best(&d);
    descent_fini(&d);
    return status;
}
