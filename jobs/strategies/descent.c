/* Levels of a descent, from the whole network to the search's groups. A level ends with its best
 * setting on all judging images. Where that fails, the deciding images have promised too much: they
 * are held to less, and the level is done again from where it began. Only the network level, whose
 * settings are few and far apart, is done again without that one. */
#include "jobs/strategies/descent.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/constraint.h"

enum { MAX_TRIES = 5 }; /* of a level below the network */

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
    qsv_pool_fini(&d->judged);
    free(d->beam);
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
    return status ? status : qsv_pool_measure(&d->decided, s, "network", &s->out->baseline_decided);
}

/* Measures an entry of decided on all judging images; *judged becomes its place among these. */
static enum qsv_status judge(struct qsv_descent *d, size_t entry, size_t *judged)
{
    struct qsv_search *s = &d->search;
    const struct qsv_pool_entry *e = &d->decided.entries[entry];
    const size_t n = d->judged.n_measured;
    enum qsv_status status = qsv_pool_add(&d->judged, s, e->formats, e->parent, e->what, judged);
    if (!status)
        status = qsv_pool_measure(&d->judged, s, "select", n ? NULL : &s->out->baseline);
    if (status || *judged < n)
        return status;
    return qsv_search_note_entry(s, "select", &d->judged.entries[*judged]);
}

/* A bound for the deciding images, by what came of a setting that was within it there and beyond
 * the given limit on the judging images: in proportion, and one that this setting exceeds. */
static double tighten(double decided, double limit, double judged)
{
    return fmin(fmax(decided, 0) * limit / judged, nextafter(decided, -INFINITY));
}

static enum qsv_status tighten_bounds(struct qsv_descent *d, const struct qsv_metrics *decided,
                                      const struct qsv_metrics *judged)
{
    const struct qsv_spec *given = d->search.spec;
    if (!qsv_constraint_drop_met(given, judged))
        d->bounds.constraint.max_top1_drop =
            tighten(qsv_metrics_top1_drop(decided), given->constraint.max_top1_drop,
                    qsv_metrics_top1_drop(judged));
    if (!qsv_constraint_energy_met(given, judged))
        d->bounds.constraint.max_energy_pj = tighten(
            decided->energy.total_pj, given->constraint.max_energy_pj, judged->energy.total_pj);
    struct qsv_strbuf bounds = {0};
    qsv_constraint_print(&bounds, &d->bounds);
    enum qsv_status status =
        bounds.failed ? qsv_fail_memory(d->search.err, "a note")
                      : qsv_search_note(&d->search, "select", judged->trial_id, "tighten",
                                        "deciding images promise too much and are held to less: %s",
                                        bounds.text);
    qsv_strbuf_fini(&bounds);
    return status;
}

/* Lowers units in their order, each until it is refused. */
static enum qsv_status descend(struct qsv_descent *d, enum qsv_level level, const uint32_t *order)
{
    const uint32_t n = qsv_level_size(d->search.space, level);
    enum qsv_status status = QSV_OK;
    if (level == QSV_NETWORK_LEVEL)
        d->most_drift = INFINITY;
    for (uint32_t i = 0; i < n && !status; i++)
        status = qsv_descent_visit(d, level, order[i]);
    return status;
}

/* Judges what a level has found; *again: it must be done again, held to less. */
static enum qsv_status judge_level(struct qsv_descent *d, enum qsv_level level, bool *again)
{
    const struct qsv_spec *given = d->search.spec;
    const size_t best =
        qsv_constraint_bounds_drop(given) ? d->beam[0] : qsv_pool_best(&d->decided, &d->bounds);
    const struct qsv_metrics *m;
    size_t judged = 0;
    *again = false;
    if (!qsv_constraint_holds(&d->bounds, &d->decided.entries[best].metrics))
        return QSV_OK; /* finer levels may go on from there */
    enum qsv_status status = judge(d, best, &judged);
    if (status)
        return status;
    m = &d->judged.entries[judged].metrics;
    *again = !qsv_constraint_holds(given, m);
    if (!*again || (level == QSV_NETWORK_LEVEL && !qsv_constraint_drop_met(given, m)))
        return QSV_OK; /* uniform settings are judged in turn */
    return tighten_bounds(d, &d->decided.entries[best].metrics, m);
}

static void set_beam(struct qsv_descent *d, const size_t *entries, size_t n)
{
    memcpy(d->beam, entries, n * sizeof *entries);
    d->n_beam = n;
}

static enum qsv_status run_level(struct qsv_descent *d, enum qsv_level level)
{
    const size_t n_first = d->n_beam;
    uint32_t *order = qsv_alloc(qsv_level_size(d->search.space, level), sizeof *order);
    size_t *first = qsv_alloc(n_first, sizeof *first);
    enum qsv_status status =
        order && first ? QSV_OK : qsv_fail_memory(d->search.err, "a level of the search");
    const uint32_t tries = level == QSV_NETWORK_LEVEL ? d->n_options : MAX_TRIES;
    bool again = true;
    if (!status) {
        memcpy(first, d->beam, n_first * sizeof *first);
        status = qsv_descent_rank(d, level, order);
    }
    for (uint32_t i = 0; i < tries && again && !status; i++) {
        set_beam(d, first, n_first);
        status = descend(d, level, order);
        if (!status)
            status = judge_level(d, level, &again);
    }
    if (!status && again)
        set_beam(d, first, n_first);
    free(order);
    free(first);
    return status;
}

/* The best of what was judged; where nothing holds, with the nearest of what was not, and what is
 * not quantized at all. */
static enum qsv_status select_best(struct qsv_descent *d)
{
    struct qsv_search *s = &d->search;
    size_t decided, judged;
    enum qsv_status status = QSV_OK;
    if (!d->judged.n)
        status = judge(d, qsv_pool_best(&d->decided, &d->bounds), &judged);
    if (!status && !qsv_constraint_drop_met(
                       s->spec, &d->judged.entries[qsv_pool_best(&d->judged, s->spec)].metrics))
        status = judge(d, 0, &judged);
    if (status)
        return status;
    const struct qsv_pool_entry *best = &d->judged.entries[qsv_pool_best(&d->judged, s->spec)];
    status = qsv_pool_add(&d->decided, s, best->formats, best->parent, best->what, &decided);
    return status ? status
                  : qsv_search_select(s, best, &d->decided.entries[decided].metrics,
                                      !s->spec->has_calibration);
}

enum qsv_status qsv_descent_search(const struct qsv_space *space, const struct qsv_spec *spec,
                                   struct qsv_evaluator *evaluator, uint32_t width,
                                   struct qsv_selection *out, struct qsv_error *err)
{
    struct qsv_descent d = {
        .search = {space, spec, evaluator, out, err},
        .bounds = *spec,
        .gated = {.set = QSV_DECIDE, .n_images = spec->search.drift_images},
        .decided = {.set = QSV_DECIDE, .n_images = spec->search.decision_images},
        .judged = {.set = QSV_JUDGE},
        .width = width,
    };
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
