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
#include <stdlib.h>

#include "core/base/alloc.h"
#include "jobs/constraint.h"
#include "jobs/strategies/qsvit.h"

enum { FRUITLESS_ROUNDS = 2, BARRED_ROUNDS = 3 };
static const double PROGRESS =
    1.001; /* by which bytes, or KL, must fall in a round that is worth it */

struct round {
    uint32_t number;        /* from 1 */
    uint32_t *barred_until; /* [n_groups] round */
    size_t first;           /* its first entry */
    size_t from;            /* the entry it is made from */
};

static enum qsv_status propose(struct qsv_qsvit *q, const struct round *r)
{
    uint32_t n = q->search.spec->search.candidates;
    const struct qsv_metrics *m = &q->decided.entries[r->from].metrics;
    for (uint32_t g = 0; g < q->search.space->n_groups; g++)
        q->outlook.barred[g] = r->barred_until[g] > r->number;
    if (qsv_constraint_bounds_drop(q->search.spec) ? qsv_constraint_drop_met(q->search.spec, m)
                                                   : qsv_constraint_holds(q->search.spec, m))
        return qsv_qsvit_propose_better(q, r->from, n);
    return qsv_qsvit_propose_repairs(q, &q->decided, r->from, n, 0, 2);
}

/* The only group in which two settings differ; n_groups where there are several. */
static uint32_t only_difference(const uint8_t *a, const uint8_t *b, uint32_t n_groups)
{
    uint32_t found = n_groups;
    for (uint32_t g = 0; g < n_groups; g++) {
        if (a[g] == b[g])
            continue;
        if (found < n_groups)
            return n_groups;
        found = g;
    }
    return found;
}

/* Teaches the outlook what the round measured; a move that failed alone is barred for a while. */
static void learn(struct qsv_qsvit *q, const struct round *r)
{
    const struct qsv_pool_entry *from = &q->decided.entries[r->from];
    uint32_t n = q->search.space->n_groups;
    double kl = qsv_metrics_kl(&from->metrics);
    double foretold = qsv_outlook_kl(&q->outlook, from->formats);
    double scale = foretold > 0 && kl > 0 ? kl / foretold : 1;
    for (size_t i = r->first; i < q->decided.n; i++) {
        const struct qsv_pool_entry *e = &q->decided.entries[i];
        uint32_t only = only_difference(from->formats, e->formats, n);
        if (only < n && qsv_constraint_compare(q->search.spec, &e->metrics, &from->metrics) > 0)
            r->barred_until[only] = r->number + BARRED_ROUNDS;
        qsv_outlook_learn(&q->outlook, from->formats, kl, e->formats, qsv_metrics_kl(&e->metrics),
                          scale);
    }
}

static bool fruitful(const struct qsv_spec *spec, const struct qsv_metrics *before,
                     const struct qsv_metrics *after)
{
    if (!qsv_constraint_holds(spec, before))
        return qsv_constraint_compare(spec, after, before) < 0;
    if (qsv_constraint_bounds_drop(spec))
        return (double)before->bytes.model_bytes > PROGRESS * (double)after->bytes.model_bytes;
    return qsv_metrics_kl(before) > PROGRESS * qsv_metrics_kl(after);
}

static enum qsv_status note_round(struct qsv_qsvit *q, const struct round *r)
{
    const struct qsv_spec *spec = q->search.spec;
    const struct qsv_pool_entry *best = &q->decided.entries[q->best];
    const struct qsv_metrics *before = &q->decided.entries[r->from].metrics;
    const char *decision = "reject";
    size_t n_hold = 0;
    for (size_t i = r->first; i < q->decided.n; i++)
        n_hold += qsv_constraint_holds(spec, &q->decided.entries[i].metrics);
    if (q->best != r->from)
        decision = best->metrics.bytes.model_bytes > before->bytes.model_bytes ? "raise" : "lower";
    struct qsv_strbuf figures = {0};
    qsv_search_print_metrics(&figures, &best->metrics);
    enum qsv_status status =
        figures.failed
            ? qsv_fail_memory(q->search.err, "a note")
            : qsv_search_note(&q->search, "guided", best->metrics.trial_id, decision,
                              "round %" PRIu32 ": %zu measured, %zu of them hold; "
                              "%s: %s",
                              r->number, q->decided.n - r->first, n_hold,
                              q->best == r->from ? "none is better than before" : best->what,
                              figures.text);
    qsv_strbuf_fini(&figures);
    return status;
}

/* *fruit: the round brought something; false, too, where nothing was left to propose. */
static enum qsv_status play(struct qsv_qsvit *q, struct round *r, bool *fruit)
{
    r->first = q->decided.n;
    r->from = q->best;
    *fruit = false;
    enum qsv_status status = propose(q, r);
    if (status || q->decided.n == r->first)
        return status;
    qsv_qsvit_suggest_final(q);
    status = qsv_pool_measure(&q->decided, &q->search, "guided", NULL);
    if (status || q->search.out->exhausted)
        return status;
    q->best = qsv_pool_best(&q->decided, q->search.spec);
    *fruit = fruitful(q->search.spec, &q->decided.entries[r->from].metrics,
                      &q->decided.entries[q->best].metrics);
    learn(q, r);
    return note_round(q, r);
}

enum qsv_status qsv_qsvit_guided(struct qsv_qsvit *q)
{
    struct round r = {0};
    uint32_t fruitless = 0;
    enum qsv_status status = QSV_OK;
    r.barred_until = qsv_alloc(q->search.space->n_groups, sizeof *r.barred_until);
    if (!r.barred_until)
        return qsv_fail_memory(q->search.err, "the guided step");
    while (!status && r.number < q->search.spec->search.max_rounds &&
           fruitless < FRUITLESS_ROUNDS && !q->search.out->exhausted) {
        bool fruit;
        r.number++;
        status = play(q, &r, &fruit);
        fruitless = fruit ? 0 : fruitless + 1;
    }
    free(r.barred_until);
    return status;
}
