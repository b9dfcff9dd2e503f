/* Step 2: base settings.
 *
 * `qsvit`: at a budget B (nats) each group takes the fewest bytes among the formats whose own KL
 * divergence (beyond its floor) is at most B x its share of the weights; f32 where none is. As B
 * grows every group's format gets cheaper, so the distinct settings form a ladder from dear to
 * cheap, one rung for each budget at which some group changes; the first rung is f32 throughout.
 * `frontier`: the budget is a price in nats a byte (Lagrangian), and each group is at a corner of
 * its lower convex hull. A few rungs are measured: both ends with the baseline, then in rounds
 * evenly between the best rung and its neighbour on the side where a better one may lie. Measured
 * drops need not rise evenly along the ladder: the best rung measured stays.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/constraint.h"
#include "jobs/strategies/qsvit.h"

enum { MAX_ROUNDS = 3, FRONTIER_ROUNDS = 1 };
static const double CLOSE = 1.05; /* neighbours whose sizes differ by less are left to step 3 */

struct ladder {
    double (*need)[QSV_N_FORMATS]; /* [n_groups] the budget at which a group may take a format */
    double *budgets;               /* [n] rising */
    double *bytes;                 /* [n] falling */
    size_t *entry;                 /* [n] in the pool; SIZE_MAX: not measured */
    uint8_t *formats;              /* [n_groups] of the rung last settled */
    size_t n, first;               /* rungs before `first` are too large by themselves */
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* `qsvit`: a group may take a format when its part of the budget, by its weights, covers it. */
static void need_by_share(struct ladder *l, const struct qsv_outlook *o)
{
    uint64_t all = 0;
    for (uint32_t g = 0; g < o->space->n_groups; g++)
        all += o->space->groups[g].n_weights;
    for (uint32_t g = 0; g < o->space->n_groups; g++)
        for (uint32_t i = 1; i < o->n_options; i++) {
            const uint8_t f = o->options[i];
            l->need[g][f] = o->kl[g][f] * (double)all / (double)o->space->groups[g].n_weights;
        }
}

/* `frontier`: the budget is a price, in nats a byte, and a group takes what minimises divergence +
 * price x bytes: the next corner of its lower convex hull, when the price reaches the slope. */
static void need_by_hull(struct ladder *l, const struct qsv_outlook *o)
{
    for (uint32_t g = 0; g < o->space->n_groups; g++) {
        uint8_t at = QSV_F32, next = QSV_F32;
        for (uint32_t i = 1; i < o->n_options; i++)
            l->need[g][o->options[i]] = INFINITY;
        do {
            double least = INFINITY;
            at = next;
            for (uint32_t i = 1; i < o->n_options; i++) {
                const uint8_t f = o->options[i];
                const double saved = o->bytes[g][at] - o->bytes[g][f];
                const double slope = o->factor[g] * (o->kl[g][f] - o->kl[g][at]) / saved;
                if (saved > 0 && slope <= least) {
                    least = slope;
                    next = f;
                }
            }
            if (next != at)
                l->need[g][next] = fmax(least, 0);
        } while (next != at);
    }
}

/* The budgets at which a group may take another format, rising; before them one at which none may.
 */
static void fill_budgets(struct ladder *l, const struct qsv_outlook *o)
{
    l->budgets[l->n++] = -1;
    for (uint32_t g = 0; g < o->space->n_groups; g++)
        for (uint32_t i = 1; i < o->n_options; i++)
            if (l->need[g][o->options[i]] < INFINITY)
                l->budgets[l->n++] = l->need[g][o->options[i]];
    qsort(l->budgets, l->n, sizeof *l->budgets, by_value);
}

static void settle(struct ladder *l, const struct qsv_outlook *o, double budget)
{
    for (uint32_t g = 0; g < o->space->n_groups; g++) {
        l->formats[g] = QSV_F32;
        for (uint32_t i = 1; i < o->n_options; i++) {
            uint8_t f = o->options[i];
            if (l->need[g][f] <= budget && o->bytes[g][f] < o->bytes[g][l->formats[g]])
                l->formats[g] = f;
        }
    }
}

/* Keeps the budgets at which the setting gets smaller. */
static void keep_distinct(struct ladder *l, const struct qsv_outlook *o)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        settle(l, o, l->budgets[i]);
        double bytes = qsv_outlook_bytes(o, l->formats);
        if (n && bytes >= l->bytes[n - 1])
            continue;
        l->budgets[n] = l->budgets[i];
        l->bytes[n] = bytes;
        l->entry[n++] = SIZE_MAX;
    }
    l->n = n;
}

static enum qsv_status ladder_init(struct ladder *l, const struct qsv_qsvit *q)
{
    const struct qsv_outlook *o = &q->outlook;
    const struct qsv_spec *spec = q->search.spec;
    size_t n_groups = o->space->n_groups, most = 1 + n_groups * o->n_options;
    l->need = qsv_alloc(n_groups, sizeof *l->need);
    l->budgets = qsv_alloc(most, sizeof *l->budgets);
    l->bytes = qsv_alloc(most, sizeof *l->bytes);
    l->entry = qsv_alloc(most, sizeof *l->entry);
    l->formats = qsv_alloc(n_groups, 1);
    if (!l->need || !l->budgets || !l->bytes || !l->entry || !l->formats)
        return qsv_fail_memory(q->search.err, "the base settings");
    if (q->frontier)
        need_by_hull(l, o);
    else
        need_by_share(l, o);
    fill_budgets(l, o);
    keep_distinct(l, o);
    for (; !qsv_constraint_bounds_drop(spec) && l->first + 1 < l->n; l->first++) {
        settle(l, o, l->budgets[l->first]);
        if (qsv_outlook_bytes_over(o, spec, l->formats) <= 0)
            break;
    }
    return QSV_OK;
}

static void ladder_fini(struct ladder *l)
{
    free(l->need);
    free(l->budgets);
    free(l->bytes);
    free(l->entry);
    free(l->formats);
}

static const char *unit_of(const struct qsv_qsvit *q)
{
    return q->frontier ? "nats a byte" : "nats, dealt by weights";
}

static enum qsv_status propose_rung(struct qsv_qsvit *q, struct ladder *l, size_t rung)
{
    char what[QSV_WHAT];
    snprintf(what, sizeof what, "base settings at %.3g %s", l->budgets[rung], unit_of(q));
    settle(l, &q->outlook, l->budgets[rung]);
    return qsv_pool_add(&q->decided, &q->search, l->formats,
                        q->search.out->sensitivity_baseline.trial_id, what, &l->entry[rung]);
}

/* Up to n rungs strictly between two that were not measured, evenly; how many. */
static uint32_t rungs_between(const struct ladder *l, size_t low, size_t high, uint32_t n,
                              size_t *rungs)
{
    uint32_t found = 0;
    for (uint32_t i = 1; i <= n; i++) {
        size_t rung = low + (high - low) * i / (n + 1);
        bool again = found && rungs[found - 1] == rung;
        if (rung > low && l->entry[rung] == SIZE_MAX && !again)
            rungs[found++] = rung;
    }
    return found;
}

static enum qsv_status propose_between(struct qsv_qsvit *q, struct ladder *l, size_t low,
                                       size_t high, uint32_t n)
{
    size_t *rungs = qsv_alloc(n, sizeof *rungs);
    enum qsv_status status = rungs ? QSV_OK : qsv_fail_memory(q->search.err, "base settings");
    uint32_t found = rungs ? rungs_between(l, low, high, n, rungs) : 0;
    for (uint32_t i = 0; i < found && !status; i++)
        status = propose_rung(q, l, rungs[i]);
    free(rungs);
    return status;
}

/* Whichever end turns out to be better, the rungs between are next. */
static void suggest_between_ends(struct qsv_qsvit *q, struct ladder *l)
{
    if (!qsv_search_is_suggesting(&q->search))
        return;
    uint32_t n = q->search.spec->search.candidates, n_groups = q->search.space->n_groups;
    size_t *rungs = qsv_alloc(n, sizeof *rungs);
    uint8_t *formats = qsv_alloc(n, n_groups);
    uint32_t found = rungs && formats && l->first + 1 < l->n
                         ? rungs_between(l, l->first, l->n - 1, n, rungs)
                         : 0;
    for (uint32_t i = 0; i < found; i++) {
        settle(l, &q->outlook, l->budgets[rungs[i]]);
        memcpy(formats + (size_t)i * n_groups, l->formats, n_groups);
    }
    if (found)
        qsv_search_suggest(&q->search, formats, found, QSV_DECIDE, q->decided.n_images);
    free(rungs);
    free(formats);
}

static size_t best_rung(const struct ladder *l, const struct qsv_qsvit *q)
{
    for (size_t i = l->first; i < l->n; i++)
        if (l->entry[i] == q->best)
            return i;
    return l->first;
}

/* May a better rung lie on the cheap side of this one? */
static bool cheaper_side(const struct qsv_spec *spec, const struct qsv_metrics *m)
{
    if (qsv_constraint_bounds_drop(spec))
        return qsv_constraint_drop_met(spec, m);
    return !qsv_constraint_holds(spec, m);
}

/* The best rung measured and its measured neighbour on the side to look at; false where they are
 * close, or there is none. */
static bool find_gap(const struct ladder *l, const struct qsv_qsvit *q, size_t *low, size_t *high)
{
    size_t best = best_rung(l, q), other = best;
    if (cheaper_side(q->search.spec, &q->decided.entries[q->best].metrics)) {
        do
            other++;
        while (other < l->n && l->entry[other] == SIZE_MAX);
    } else {
        do
            other--;
        while (other >= l->first && other < l->n && l->entry[other] == SIZE_MAX);
    }
    if (other < l->first || other >= l->n)
        return false;
    *low = best < other ? best : other;
    *high = best < other ? other : best;
    return *high - *low > 1 && l->bytes[*low] > CLOSE * l->bytes[*high];
}

enum qsv_status qsv_frontier_at(struct qsv_qsvit *q, double kl, uint8_t *formats)
{
    struct ladder l = {0};
    enum qsv_status status = ladder_init(&l, q);
    for (size_t i = status ? 0 : l.n; i-- > 0;) {
        settle(&l, &q->outlook, l.budgets[i]);
        if (qsv_outlook_kl(&q->outlook, l.formats) <= kl)
            break;
    }
    if (!status)
        memcpy(formats, l.formats, q->search.space->n_groups);
    ladder_fini(&l);
    return status;
}

enum qsv_status qsv_frontier_settings(struct qsv_qsvit *q, uint8_t **formats, size_t *n)
{
    const size_t n_groups = q->search.space->n_groups;
    struct ladder l = {0};
    *formats = NULL;
    enum qsv_status status = ladder_init(&l, q);
    if (!status && !(*formats = qsv_alloc(l.n, n_groups)))
        status = qsv_fail_memory(q->search.err, "the frontier");
    for (size_t i = 0; i < l.n && !status; i++) {
        settle(&l, &q->outlook, l.budgets[i]);
        memcpy(*formats + i * n_groups, l.formats, n_groups);
    }
    *n = l.n;
    ladder_fini(&l);
    return status;
}

static enum qsv_status measure_ends(struct qsv_qsvit *q, struct ladder *l)
{
    enum qsv_status status = propose_rung(q, l, l->first);
    if (!status)
        status = propose_rung(q, l, l->n - 1);
    if (!status)
        suggest_between_ends(q, l);
    if (!status)
        status =
            qsv_pool_measure(&q->decided, &q->search, "base", &q->search.out->baseline_decided);
    q->best = status ? 0 : qsv_pool_best(&q->decided, q->search.spec);
    return status;
}

static enum qsv_status keep_base(struct qsv_qsvit *q, const struct ladder *l)
{
    struct qsv_selection *out = q->search.out;
    const struct qsv_pool_entry *base = &q->decided.entries[q->best];
    struct qsv_strbuf figures = {0};
    enum qsv_status status;
    out->base_formats = qsv_alloc(q->search.space->n_layers, 1);
    qsv_search_print_metrics(&figures, &base->metrics);
    if (!out->base_formats || figures.failed) {
        status = qsv_fail_memory(q->search.err, "the base settings");
        goto out;
    }
    qsv_space_expand(q->search.space, base->formats, out->base_formats);
    out->base_decided = base->metrics;
    out->base_budget = l->budgets[best_rung(l, q)];
    status = qsv_search_note(
        &q->search, "base", base->metrics.trial_id, "base",
        "budget %.4g %s: %s on %" PRIu64 " images; %zu of %zu distinct settings measured, %s",
        out->base_budget, unit_of(q), figures.text, base->metrics.n_images, q->decided.n,
        l->n - l->first,
        qsv_constraint_holds(q->search.spec, &base->metrics) ? "the best that holds"
                                                             : "the nearest to the constraint");
out:
    qsv_strbuf_fini(&figures);
    return status;
}

enum qsv_status qsv_qsvit_base(struct qsv_qsvit *q)
{
    struct ladder l = {0};
    size_t low, high;
    enum qsv_status status = ladder_init(&l, q);
    if (!status)
        status = measure_ends(q, &l);
    /* `frontier` closes in on a bounded drop in step 4. */
    const bool closes_in = q->frontier && qsv_constraint_bounds_drop(q->search.spec);
    const int rounds = closes_in ? FRONTIER_ROUNDS : MAX_ROUNDS;
    for (int round = 0;
         !status && round < rounds && !q->search.out->exhausted && find_gap(&l, q, &low, &high);
         round++) {
        status = propose_between(q, &l, low, high, q->search.spec->search.candidates);
        if (!status) {
            qsv_qsvit_suggest_final(q);
            status = qsv_pool_measure(&q->decided, &q->search, "base", NULL);
        }
        if (!status)
            q->best = qsv_pool_best(&q->decided, q->search.spec);
    }
    if (!status)
        status = keep_base(q, &l);
    ladder_fini(&l);
    return status;
}
