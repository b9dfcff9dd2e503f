/* Where on the frontier the drop reaches its bound.
 *
 * Beyond what any change of weights does to a spiking network the drop rises about linearly with
 * the divergence. So the settings of step 2 say where it reaches its bound; one setting at a time
 * is tried there, and the next by what that gave, between the largest divergence that holds and the
 * smallest that fails.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "jobs/constraint.h"
#include "jobs/strategies/qsvit.h"

static const double CLOSE = 1.05;       /* divergences no further apart are one */
static const double FURTHEST = 2;       /* from one that holds, or fails, to the next */
static const double MOST_DROP = 5;      /* times the bound: beyond, the line says nothing of it */
static const double LEAST_ERROR = 0.01; /* points */
enum { LEAST_SETTINGS = 3 };            /* of a line that does not go through 0 */

struct line { /* drop = drop_mean + slope x (KL - kl_mean) */
    double kl_mean, drop_mean, slope;
};

/* What would be compared with the bound if a setting had its drop on the final images. */
static double bound_of(const struct qsv_qsvit *q, const struct qsv_metrics *m)
{
    const uint64_t n_final = q->search.spec->search.selection_images;
    struct qsv_metrics there = *m;
    there.caution = q->final.caution;
    there.caution.margin *= n_final ? sqrt((double)m->n_images / (double)n_final) : 0;
    return qsv_metrics_drop_bound(&there);
}

/* Least squares over the settings of step 2, each by its standard error; through 0 where they are
 * few, or the line falls. */
static struct line fit(const struct qsv_qsvit *q)
{
    const double most = MOST_DROP * q->search.spec->constraint.max_top1_drop;
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    uint32_t settings = 0;
    for (size_t i = 0; i < q->decided.n_measured; i++) {
        const struct qsv_metrics *m = &q->decided.entries[i].metrics;
        const double kl = qsv_metrics_kl(m), drop = bound_of(q, m);
        if (kl <= 0 || drop > most)
            continue;
        const double weight = 1 / fmax(qsv_metrics_drop_error(m), LEAST_ERROR);
        n += weight * weight;
        x += weight * weight * kl;
        y += weight * weight * drop;
        xx += weight * weight * kl * kl;
        xy += weight * weight * kl * drop;
        settings++;
    }
    struct line l = {x / n, y / n, y / x};
    const double spread = xx - x * x / n, slope = (xy - x * y / n) / spread;
    if (settings >= LEAST_SETTINGS && spread > 0 && slope > l.slope)
        l.slope = slope;
    return l;
}

static double kl_at(const struct line *l, double drop)
{
    const double kl = l->kl_mean + (drop - l->drop_mean) / l->slope;
    return l->slope > 0 && kl > 0 ? kl : NAN;
}

/* The measured entry whose divergence is nearest, as a ratio. */
static size_t nearest(const struct qsv_pool *p, double kl)
{
    size_t found = 0;
    double least = INFINITY;
    for (size_t i = 0; i < p->n_measured; i++) {
        const double other = qsv_metrics_kl(&p->entries[i].metrics);
        const double ratio = other > 0 ? fmax(other / kl, kl / other) : INFINITY;
        if (ratio < least) {
            least = ratio;
            found = i;
        }
    }
    return found;
}

/* Proposes what lies on the frontier at a divergence of `kl` on the pool's images: foretold as its
 * entry nearest to that was. */
static enum qsv_status propose(struct qsv_qsvit *q, const struct qsv_pool *p, double kl)
{
    const struct qsv_pool_entry *e = &p->entries[nearest(p, kl)];
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
        status = qsv_pool_add(&q->final, &q->search, formats, e->metrics.trial_id, what, NULL);
    free(formats);
    return status;
}

/* Of settings measured on the final images: the one that holds with the largest divergence, the one
 * that fails with the smallest; NULL where there is none. */
static void find_sides(const struct qsv_qsvit *q, const struct qsv_metrics **holds,
                       const struct qsv_metrics **fails)
{
    *holds = *fails = NULL;
    for (size_t i = 0; i < q->final.n_measured; i++) {
        const struct qsv_metrics *m = &q->final.entries[i].metrics;
        if (qsv_constraint_holds(q->search.spec, m)) {
            if (!*holds || qsv_metrics_kl(m) > qsv_metrics_kl(*holds))
                *holds = m;
        } else if (!*fails || qsv_metrics_kl(m) < qsv_metrics_kl(*fails)) {
            *fails = m;
        }
    }
}

/* The divergence to try next; NaN where none is worth it. */
static double next_kl(const struct qsv_qsvit *q)
{
    const double bound = q->search.spec->constraint.max_top1_drop;
    const struct qsv_metrics *holds, *fails;
    struct line l = fit(q);
    find_sides(q, &holds, &fails);
    const struct qsv_metrics *from = holds ? holds : fails;
    if (!from)
        return kl_at(&l, bound);
    l.kl_mean = qsv_metrics_kl(from);
    l.drop_mean = qsv_metrics_drop_bound(from);
    if (!holds)
        return fmax(fmin(kl_at(&l, bound), l.kl_mean / CLOSE), l.kl_mean / FURTHEST);
    if (fails)
        l.slope =
            (qsv_metrics_drop_bound(fails) - l.drop_mean) / (qsv_metrics_kl(fails) - l.kl_mean);
    const double kl = fmin(kl_at(&l, bound), l.kl_mean * FURTHEST);
    return kl >= l.kl_mean * CLOSE ? kl : NAN;
}

enum qsv_status qsv_frontier_approach(struct qsv_qsvit *q, bool *found)
{
    const size_t before = q->final.n;
    const double kl = next_kl(q);
    enum qsv_status status = QSV_OK;
    if (isfinite(kl) && kl > 0)
        status = propose(q, before ? &q->final : &q->decided, kl);
    *found = q->final.n > before;
    return status;
}
