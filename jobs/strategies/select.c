/* Step 4: the best setting is measured on all judging images. Where it fails there, it is repaired
 * there: raised by best ratio, by several amounts at once, further in each round, and in the end to
 * f32; then settings between what failed and what holds are tried once. `frontier` closes in on the
 * bound along its frontier first. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/constraint.h"
#include "jobs/strategies/qsvit.h"

enum { REPAIRS = 3, BETWEEN = 2, CLOSER = 3 }; /* settings at once */
enum { MAX_ROUNDS = 8, AROUND_ROUNDS = 2, CLOSING_ROUNDS = 4 };
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

/* Proposes what lies on the frontier at a divergence of `kl` on the judging images: foretold as
 * entry `near`'s was. */
static enum qsv_status propose_on_frontier(struct qsv_qsvit *q, double kl, size_t near)
{
    const struct qsv_pool_entry *e = &q->judged.entries[near];
    const double foretold = qsv_outlook_kl(&q->outlook, e->formats);
    const double measured = qsv_metrics_kl(&e->metrics);
    char what[QSV_WHAT];
    uint8_t *formats = qsv_alloc(q->search.space->n_groups, 1);
    if (!formats)
        return qsv_fail_memory(q->search.err, "a candidate setting");
    snprintf(what, sizeof what, "on the frontier at %.4f nats", kl);
    enum qsv_status status =
        qsv_frontier_at(q, measured > 0 ? kl * foretold / measured : kl, formats);
    if (!status)
        status = qsv_pool_add(&q->judged, &q->search, formats, e->metrics.trial_id, what, NULL);
    free(formats);
    return status;
}

/* The divergence at which the drop reaches its limit, by the judged settings that say most of it:
 * those with a drop between half the limit and three times it, or by all. */
static double kl_at_limit(const struct qsv_qsvit *q)
{
    const double limit = q->search.spec->constraint.max_top1_drop;
    for (int all = 0; all < 2; all++) {
        double kl = 0, drop = 0;
        for (size_t i = 0; i < q->judged.n_measured; i++) {
            const struct qsv_metrics *m = &q->judged.entries[i].metrics;
            const double d = qsv_metrics_top1_drop(m);
            if (!all && (d < limit / 2 || d > 3 * limit))
                continue;
            kl += qsv_metrics_kl(m);
            drop += d;
        }
        if (kl > 0 && drop > 0)
            return limit * kl / drop;
    }
    return INFINITY;
}

/* The judged entry whose divergence is nearest, as a ratio. */
static size_t nearest(const struct qsv_qsvit *q, double kl)
{
    size_t found = 0;
    double least = INFINITY;
    for (size_t i = 0; i < q->judged.n_measured; i++) {
        const double other = qsv_metrics_kl(&q->judged.entries[i].metrics);
        const double ratio = other > 0 ? fmax(other / kl, kl / other) : INFINITY;
        if (ratio < least) {
            least = ratio;
            found = i;
        }
    }
    return found;
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

/* The range of divergences in which a smaller setting than the best may hold. */
static bool find_range(const struct qsv_qsvit *q, size_t best, size_t round, double *low,
                       double *high)
{
    static const double spread[AROUND_ROUNDS] = {0.25, 0.1};
    if (round < AROUND_ROUNDS) {
        const double kl = kl_at_limit(q);
        *low = kl * (1 - spread[round]);
        *high = kl * (1 + spread[round]);
    } else {
        const double holding = qsv_metrics_kl(&q->judged.entries[best].metrics);
        const double failing = qsv_metrics_kl(&q->judged.entries[largest_failing(q, best)].metrics);
        *low = holding + (failing - holding) / 4;
        *high = failing - (failing - holding) / 4;
    }
    return isfinite(*low) && isfinite(*high) && *low > 0 && *low < *high;
}

/* `frontier`: the deciding images tell divergences, which carry over to the judging ones; what drop
 * goes with a divergence does not, where the network was trained on the deciding images. So the
 * point on the frontier at which the drop reaches its limit is looked for on the judging images:
 * around where it should be, then between what holds and what fails. */
static enum qsv_status close_in(struct qsv_qsvit *q, size_t *best)
{
    enum qsv_status status = QSV_OK;
    double low, high;
    for (size_t round = 0; !status && round < CLOSING_ROUNDS; round++) {
        if (round >= AROUND_ROUNDS && !holds(q, *best))
            break;
        if (!find_range(q, *best, round, &low, &high))
            continue;
        for (int i = 0; i < CLOSER && !status; i++) {
            const double target = low + (high - low) * i / (CLOSER - 1);
            status = propose_on_frontier(q, target, nearest(q, target));
        }
        if (!status)
            status = judge(q, best);
    }
    return status;
}

/* A repair may have gone further than needed. */
static enum qsv_status refine(struct qsv_qsvit *q, size_t *best)
{
    if (q->frontier || !*best || !holds(q, *best) || !qsv_constraint_bounds_drop(q->search.spec))
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
    if (!status && q->frontier && qsv_constraint_bounds_drop(s->spec))
        status = close_in(q, &best);
    if (!status)
        status = repair(q, &best);
    if (!status)
        status = refine(q, &best);
    if (status)
        return status;
    const struct qsv_pool_entry *judged = &q->judged.entries[best];
    status = qsv_pool_add(&q->decided, s, judged->formats, judged->parent, judged->what, &at);
    if (!status)
        status = qsv_pool_certify(&q->decided, s, "select", NULL);
    return status ? status
                  : qsv_search_select(s, judged, &q->decided.entries[at].metrics,
                                      !s->spec->has_calibration);
}
