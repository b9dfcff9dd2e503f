/* Where on the frontier the drop reaches its bound.
 *
 * Beyond what any change of weights does to a spiking network the drop rises about linearly with
 * the foretold divergence. So the settings of step 2 say where it reaches its bound; one setting at
 * a time is tried there, and the next by what that gave, between the one that holds with the
 * largest foretold divergence and the one that fails with the smallest.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "jobs/constraint.h"
#include "jobs/strategies/qsvit.h"

static const double CLOSE = 1.12;  /* foretold divergences no further apart are one */
static const double FURTHEST = 2;  /* from one that holds, or fails, to the next */
static const double MOST_DROP = 5; /* times the bound: beyond, the line says nothing of it */

static double foretold(const struct qsv_qsvit *q, const struct qsv_pool_entry *e)
{
    return qsv_outlook_kl(&q->outlook, e->formats);
}

double qsv_frontier_bound_of(const struct qsv_qsvit *q, const struct qsv_metrics *m)
{
    const struct qsv_evaluator *e = q->search.evaluator;
    struct qsv_metrics there = *m;
    there.caution = q->final.caution;
    if (q->final.set == QSV_DECIDE && e->count)
        there.caution.margin = q->search.spec->constraint.caution.margin *
                               sqrt((double)m->n_images /
                                    (double)e->count(e->context, q->final.set, q->final.n_images));
    return qsv_metrics_drop_bound(&there);
}

double qsv_frontier_reach(const struct qsv_spec *spec)
{
    return qsv_constraint_bounds_drop(spec) ? MOST_DROP * spec->constraint.max_top1_drop : INFINITY;
}

static void add_up(struct qsv_line_sums *sums, const struct qsv_qsvit *q, const struct qsv_pool *p,
                   qsv_frontier_drop *drop, double most)
{
    for (size_t i = 0; i < p->n_measured; i++) {
        const struct qsv_metrics *m = &p->entries[i].metrics;
        const double x = foretold(q, &p->entries[i]), y = drop(q, m);
        if (x > 0 && y <= most)
            qsv_line_add(sums, x, y, qsv_metrics_drop_error(m));
    }
}

struct qsv_line qsv_frontier_line(const struct qsv_qsvit *q, qsv_frontier_drop *drop, double most)
{
    struct qsv_line_sums s = {0};
    add_up(&s, q, &q->decided, drop, most);
    add_up(&s, q, &q->final, drop, most);
    return qsv_line_fit(&s);
}

enum qsv_status qsv_frontier_within(struct qsv_qsvit *q, double kl, uint8_t *formats)
{
    enum qsv_status status = qsv_frontier_at(q, kl, formats);
    if (!status) {
        qsv_outlook_lower_within(&q->outlook, formats, kl);
        qsv_outlook_exchange(&q->outlook, formats, kl, q->search.space->n_groups);
    }
    return status;
}

static enum qsv_status propose(struct qsv_qsvit *q, double kl)
{
    char what[QSV_WHAT];
    uint8_t *formats = qsv_alloc(q->search.space->n_groups, 1);
    if (!formats)
        return qsv_fail_memory(q->search.err, "a candidate setting");
    snprintf(what, sizeof what, "on the frontier where %.4f nats are foretold", kl);
    enum qsv_status status = qsv_frontier_within(q, kl, formats);
    if (!status)
        status = qsv_pool_add(&q->final, &q->search, formats,
                              q->search.out->sensitivity_baseline.trial_id, what, NULL);
    free(formats);
    return status;
}

/* Of settings measured on the final images: the one that holds with the largest divergence, the one
 * that fails with the smallest; NULL where there is none. */
static void find_sides(const struct qsv_qsvit *q, const struct qsv_pool_entry **holds,
                       const struct qsv_pool_entry **fails)
{
    *holds = *fails = NULL;
    for (size_t i = 0; i < q->final.n_measured; i++) {
        const struct qsv_pool_entry *e = &q->final.entries[i];
        if (qsv_constraint_holds(q->search.spec, &e->metrics)) {
            if (!*holds || foretold(q, e) > foretold(q, *holds))
                *holds = e;
        } else if (!*fails || foretold(q, e) < foretold(q, *fails)) {
            *fails = e;
        }
    }
}

double qsv_frontier_kl_within(const struct qsv_qsvit *q, double most)
{
    const struct qsv_pool_entry *holds, *fails;
    const struct qsv_line l = qsv_frontier_line(q, qsv_frontier_bound_of, most);
    const double kl = qsv_line_x(&l, q->search.spec->constraint.max_top1_drop);
    find_sides(q, &holds, &fails);
    return fails ? fmin(kl, foretold(q, fails) / CLOSE) : kl;
}

/* The foretold divergence to try next; NaN where none is worth it. */
static double next_kl(const struct qsv_qsvit *q)
{
    const double bound = q->search.spec->constraint.max_top1_drop;
    const struct qsv_pool_entry *holds, *fails;
    const struct qsv_line l =
        qsv_frontier_line(q, qsv_frontier_bound_of, qsv_frontier_reach(q->search.spec));
    find_sides(q, &holds, &fails);
    const double kl = qsv_line_x(&l, bound);
    if (!holds)
        return fails ? fmax(fmin(kl, foretold(q, fails) / CLOSE), foretold(q, fails) / FURTHEST)
                     : kl;
    const double from = foretold(q, holds) * CLOSE, to = fails ? foretold(q, fails) / CLOSE : kl;
    if (kl < from || to < from)
        return NAN;
    return fmin(fmin(kl, to), foretold(q, holds) * FURTHEST);
}

enum qsv_status qsv_frontier_approach(struct qsv_qsvit *q, bool *found)
{
    const size_t before = q->final.n;
    const double kl = next_kl(q);
    enum qsv_status status = QSV_OK;
    if (isfinite(kl) && kl > 0)
        status = propose(q, kl);
    *found = q->final.n > before;
    return status;
}
