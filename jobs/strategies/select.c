/* Step 4: the best setting is measured on all images that decide the selection: those of
 * `calibration:`, or where there is none the judging ones. Where it fails there, it is repaired
 * there: raised by best ratio, by several amounts at once, further in each round, and in the end to
 * f32; then settings between what failed and what holds are tried once. `frontier` closes in on the
 * bound along its frontier first. What is selected is measured on all judging images, which decide
 * nothing where others do. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/constraint.h"
#include "jobs/strategies/qsvit.h"

enum { REPAIRS = 3, BETWEEN = 2 }; /* settings at once */
enum { MAX_ROUNDS = 8, CLOSING_ROUNDS = 4 };
static const double FIRST_REACH = 1.6, REACH_GROWTH = 2.5; /* times what seems needed */

static uint32_t at_once(const struct qsv_qsvit *q, uint32_t most)
{
    uint32_t candidates = q->search.spec->search.candidates;
    return candidates < most ? candidates : most;
}

static bool holds(const struct qsv_qsvit *q, size_t i)
{
    return qsv_constraint_holds(q->search.spec, &q->final.entries[i].metrics);
}

void qsv_qsvit_suggest_final(struct qsv_qsvit *q)
{
    if (q->decided.n_measured)
        qsv_search_suggest(&q->search, q->decided.entries[q->best].formats, 1, q->final.set,
                           q->final.n_images);
}

static enum qsv_status note_measured(struct qsv_qsvit *q, size_t first, size_t best)
{
    const struct qsv_pool_entry *e = &q->final.entries[best];
    struct qsv_strbuf figures = {0};
    qsv_search_print_metrics(&figures, &e->metrics);
    enum qsv_status status =
        figures.failed ? qsv_fail_memory(q->search.err, "a note")
                       : qsv_search_note(&q->search, "select", e->metrics.trial_id,
                                         holds(q, best) ? "hold" : "fail",
                                         "%zu measured on %" PRIu64 " %s images; best (%s): %s",
                                         q->final.n - first, e->metrics.n_images,
                                         q->final.set == QSV_JUDGE ? "judging" : "deciding",
                                         e->what, figures.text);
    qsv_strbuf_fini(&figures);
    return status;
}

/* Measures what was proposed; *best is the best of all then. */
static enum qsv_status measure(struct qsv_qsvit *q, size_t *best)
{
    size_t first = q->final.n_measured;
    struct qsv_selection *out = q->search.out;
    struct qsv_metrics *baseline =
        q->final.set == QSV_JUDGE ? &out->baseline : &out->baseline_decided;
    enum qsv_status status = first ? qsv_pool_measure(&q->final, &q->search, "select", NULL)
                                   : qsv_pool_certify(&q->final, &q->search, "select", baseline);
    if (status || first == q->final.n)
        return status;
    *best = qsv_pool_best(&q->final, q->search.spec);
    return note_measured(q, first, *best);
}

/* Where nothing else helps: no group quantized. */
static enum qsv_status propose_f32(struct qsv_qsvit *q)
{
    uint32_t n = q->search.space->n_groups;
    uint8_t *formats = qsv_alloc(n, 1);
    if (!formats)
        return qsv_fail_memory(q->search.err, "a candidate setting");
    memset(formats, QSV_F32, n);
    enum qsv_status status =
        qsv_pool_add(&q->final, &q->search, formats, q->final.entries[0].metrics.trial_id,
                     "no group quantized", NULL);
    free(formats);
    return status;
}

static enum qsv_status repair(struct qsv_qsvit *q, size_t *best)
{
    enum qsv_status status = QSV_OK;
    double low = 0, high = FIRST_REACH;
    for (int round = 0; !status && !holds(q, *best) && round < MAX_ROUNDS; round++) {
        status = qsv_qsvit_propose_repairs(q, &q->final, 0, at_once(q, REPAIRS), low, high);
        if (!status)
            status = measure(q, best);
        low = high;
        high *= REACH_GROWTH;
    }
    if (status || holds(q, *best) ||
        qsv_constraint_drop_met(q->search.spec, &q->final.entries[*best].metrics))
        return status;
    status = propose_f32(q);
    return status ? status : measure(q, best);
}

/* The largest setting that is smaller than the best one: had it held, it would be the best. */
static size_t largest_failing(const struct qsv_qsvit *q, size_t best)
{
    size_t found = 0;
    uint64_t limit = q->final.entries[best].metrics.bytes.model_bytes;
    for (size_t i = 0; i < q->final.n; i++) {
        uint64_t bytes = q->final.entries[i].metrics.bytes.model_bytes;
        if (bytes < limit && bytes > q->final.entries[found].metrics.bytes.model_bytes)
            found = i;
    }
    return found;
}

/* `frontier`: divergences carry over from one set of images to another; what drop goes with a
 * divergence does less. So the point at which it reaches its bound is looked for on all images that
 * decide the selection. */
static enum qsv_status close_in(struct qsv_qsvit *q, size_t *best)
{
    enum qsv_status status = QSV_OK;
    bool found = true;
    for (int round = 0; !status && found && round < CLOSING_ROUNDS; round++) {
        status = qsv_frontier_approach(q, &found);
        if (!status && found)
            status = measure(q, best);
    }
    return status;
}

/* The best of steps 2 and 3, unless another is looked for. */
static enum qsv_status measure_best(struct qsv_qsvit *q, size_t *best)
{
    const struct qsv_pool_entry *decided = &q->decided.entries[q->best];
    if (q->final.n)
        return QSV_OK;
    enum qsv_status status =
        qsv_pool_add(&q->final, &q->search, decided->formats, decided->parent, decided->what, NULL);
    return status ? status : measure(q, best);
}

/* A repair may have gone further than needed. */
static enum qsv_status refine(struct qsv_qsvit *q, size_t *best)
{
    if (q->frontier || !*best || !holds(q, *best) || !qsv_constraint_bounds_drop(q->search.spec))
        return QSV_OK;
    enum qsv_status status = qsv_qsvit_propose_between(q, &q->final, largest_failing(q, *best),
                                                       *best, at_once(q, BETWEEN));
    return status ? status : measure(q, best);
}

/* Judging images decided: what the others say of it is for the reader. */
static enum qsv_status select_judged(struct qsv_qsvit *q, const struct qsv_pool_entry *judged)
{
    size_t at;
    enum qsv_status status =
        qsv_pool_add(&q->decided, &q->search, judged->formats, judged->parent, judged->what, &at);
    if (!status)
        status = qsv_pool_certify(&q->decided, &q->search, "select", NULL);
    if (!status)
        status = qsv_pool_finish(&q->decided, &q->search, "select", at);
    return status ? status
                  : qsv_search_select(&q->search, judged, &q->decided.entries[at].metrics, true);
}

enum qsv_status qsv_qsvit_select(struct qsv_qsvit *q)
{
    size_t best = 0;
    enum qsv_status status = QSV_OK;
    memset(q->outlook.barred, 0, q->search.space->n_groups);
    if (q->frontier && qsv_constraint_bounds_drop(q->search.spec) && !q->search.out->exhausted)
        status = close_in(q, &best);
    if (!status)
        status = measure_best(q, &best);
    if (!status)
        status = repair(q, &best);
    if (!status)
        status = refine(q, &best);
    if (!status)
        status = qsv_pool_finish(&q->final, &q->search, "select", best);
    if (status)
        return status;
    const struct qsv_pool_entry *found = &q->final.entries[best];
    return q->final.set == QSV_JUDGE ? select_judged(q, found)
                                     : qsv_search_judge(&q->search, found);
}
