/* Step 4: the best setting is measured on all judging images. Where it fails there, it is repaired
 * there: raised by best ratio, by several amounts at once, further in each round, and in the end to
 * f32; then settings between what failed and what holds are tried once. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/constraint.h"
#include "jobs/strategies/qsvit.h"

enum { REPAIRS = 3, BETWEEN = 2, MAX_ROUNDS = 8 };         /* settings at once, rounds */
static const double FIRST_REACH = 1.6, REACH_GROWTH = 2.5; /* times what seems needed */

static uint32_t at_once(const struct qsv_qsvit *q, uint32_t most)
{
    uint32_t candidates = q->search.spec->search.candidates;
    return candidates < most ? candidates : most;
}

static bool holds(const struct qsv_qsvit *q, size_t judged)
{
    return qsv_constraint_holds(q->search.spec, &q->judged.entries[judged].metrics);
}

void qsv_qsvit_suggest_judging(struct qsv_qsvit *q)
{
    if (q->decided.n_measured)
        qsv_search_suggest(&q->search, q->decided.entries[q->best].formats, 1, QSV_JUDGE, 0);
}

static enum qsv_status note_judged(struct qsv_qsvit *q, size_t first, size_t best)
{
    const struct qsv_pool_entry *e = &q->judged.entries[best];
    struct qsv_strbuf figures = {0};
    qsv_search_print_metrics(&figures, &e->metrics);
    enum qsv_status status =
        figures.failed
            ? qsv_fail_memory(q->search.err, "a note")
            : qsv_search_note(&q->search, "select", e->metrics.trial_id,
                              holds(q, best) ? "hold" : "fail",
                              "%zu measured on all %" PRIu64 " judging images; best (%s): "
                              "%s",
                              q->judged.n - first, e->metrics.n_images, e->what, figures.text);
    qsv_strbuf_fini(&figures);
    return status;
}

/* Measures what was proposed; *best is the best of all then. */
static enum qsv_status judge(struct qsv_qsvit *q, size_t *best)
{
    size_t first = q->judged.n_measured;
    struct qsv_metrics *baseline = first ? NULL : &q->search.out->baseline;
    enum qsv_status status = qsv_pool_measure(&q->judged, &q->search, "select", baseline);
    if (status || first == q->judged.n)
        return status;
    *best = qsv_pool_best(&q->judged, q->search.spec);
    return note_judged(q, first, *best);
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
        qsv_pool_add(&q->judged, &q->search, formats, q->judged.entries[0].metrics.trial_id,
                     "no group quantized", NULL);
    free(formats);
    return status;
}

static enum qsv_status repair(struct qsv_qsvit *q, size_t *best)
{
    enum qsv_status status = QSV_OK;
    double low = 0, high = FIRST_REACH;
    for (int round = 0; !status && !holds(q, *best) && round < MAX_ROUNDS; round++) {
        status = qsv_qsvit_propose_repairs(q, &q->judged, 0, at_once(q, REPAIRS), low, high);
        if (!status)
            status = judge(q, best);
        low = high;
        high *= REACH_GROWTH;
    }
    if (status || holds(q, *best) ||
        qsv_constraint_drop_met(q->search.spec, &q->judged.entries[*best].metrics))
        return status;
    status = propose_f32(q);
    return status ? status : judge(q, best);
}

/* The largest setting that is smaller than the best one: had it held, it would be the best. */
static size_t largest_failing(const struct qsv_qsvit *q, size_t best)
{
    size_t found = 0;
    uint64_t limit = q->judged.entries[best].metrics.bytes.model_bytes;
    for (size_t i = 0; i < q->judged.n; i++) {
        uint64_t bytes = q->judged.entries[i].metrics.bytes.model_bytes;
        if (bytes < limit && bytes > q->judged.entries[found].metrics.bytes.model_bytes)
            found = i;
    }
    return found;
}

/* A repair may have gone further than needed. */
static enum qsv_status refine(struct qsv_qsvit *q, size_t *best)
{
    if (!*best || !holds(q, *best) || !qsv_constraint_bounds_drop(q->search.spec))
        return QSV_OK;
    enum qsv_status status = qsv_qsvit_propose_between(q, &q->judged, largest_failing(q, *best),
                                                       *best, at_once(q, BETWEEN));
    return status ? status : judge(q, best);
}

enum qsv_status qsv_qsvit_select(struct qsv_qsvit *q)
{
    struct qsv_search *s = &q->search;
    const struct qsv_pool_entry *decided = &q->decided.entries[q->best];
    size_t best = 0, at;
    memset(q->outlook.barred, 0, s->space->n_groups);
    enum qsv_status status =
        qsv_pool_add(&q->judged, s, decided->formats, decided->parent, decided->what, NULL);
    if (!status)
        status = judge(q, &best);
    if (!status)
        status = repair(q, &best);
    if (!status)
        status = refine(q, &best);
    if (status)
        return status;
    const struct qsv_pool_entry *judged = &q->judged.entries[best];
    status = qsv_pool_add(&q->decided, s, judged->formats, judged->parent, judged->what, &at);
    if (!status)
        status = qsv_pool_measure(&q->decided, s, "select", NULL);
    return status ? status
                  : qsv_search_select(s, judged, &q->decided.entries[at].metrics,
                                      !s->spec->has_calibration);
}
