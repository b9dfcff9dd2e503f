#include "jobs/strategies/curve.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/constraint.h"
#include "jobs/strategies/qsvit.h"

struct replay { /* a search as far as it is recorded */
    struct qsv_selection selection;
    struct qsv_spec spec; /* a copy, whose bound may be another */
    struct qsv_qsvit q;
    struct qsv_line line; /* of drops, as measured */
    double scale;         /* from these to what judging images are expected to show */
};

void qsv_curve_point_fini(struct qsv_curve_point *p)
{
    free(p->formats);
    *p = (struct qsv_curve_point){0};
}

void qsv_curve_fini(struct qsv_curve *c)
{
    for (size_t i = 0; i < c->n; i++)
        qsv_curve_point_fini(&c->points[i]);
    free(c->points);
    *c = (struct qsv_curve){0};
}

static double drop_of(const struct qsv_qsvit *q, const struct qsv_metrics *m)
{
    (void)q;
    return qsv_metrics_top1_drop(m);
}

/* Lays the line through settings up to a drop of `most`. */
static enum qsv_status lay_line(struct replay *r, double most)
{
    r->line = qsv_frontier_line(&r->q, drop_of, most);
    if (r->line.slope > 0)
        return QSV_OK;
    return qsv_fail(r->q.search.err, QSV_EINPUT,
                    r->line.degrees ? "measured drops do not rise with foretold divergences"
                                    : "too few settings are measured to predict others");
}

static enum qsv_status replay(struct replay *r, const struct qsv_space *space,
                              const struct qsv_spec *spec, struct qsv_evaluator *recorded,
                              struct qsv_error *err)
{
    *r = (struct replay){.spec = *spec};
    enum qsv_status status =
        qsv_qsvit_init(&r->q, space, &r->spec, recorded, &r->selection, true, err);
    if (status)
        return status;
    r->scale = 1 / (1 - r->q.final.caution.reserve);
    status = qsv_qsvit_steps(&r->q);
    memset(r->q.outlook.barred, 0, space->n_groups);
    if (status == QSV_ESTOPPED)
        status = r->q.decided.n_measured ? QSV_OK
                                         : qsv_fail(err, QSV_EINPUT,
                                                    "the search was interrupted before its second "
                                                    "step was measured");
    return status;
}

static void end(struct replay *r)
{
    qsv_qsvit_fini(&r->q);
    qsv_selection_fini(&r->selection);
}

struct nearest {
    const struct qsv_metrics *metrics; /* NULL: none yet */
    double distance;
};

static void find_nearest(struct nearest *n, const struct qsv_qsvit *q, const struct qsv_pool *p,
                         double kl)
{
    for (size_t i = 0; i < p->n_measured; i++) {
        const double own = qsv_outlook_kl(&q->outlook, p->entries[i].formats);
        const double distance = fabs(log(own / fmax(kl, DBL_MIN)));
        if (own > 0 && (!n->metrics || distance < n->distance))
            *n = (struct nearest){&p->entries[i].metrics, distance};
    }
}

/* The standard error that a drop has on all judging images: that of the setting next to it, the
 * baseline's, which is 0, apart. */
static double error_at(const struct qsv_qsvit *q, double kl)
{
    const struct qsv_evaluator *e = q->search.evaluator;
    struct nearest near = {NULL, 0};
    find_nearest(&near, q, &q->decided, kl);
    find_nearest(&near, q, &q->final, kl);
    const double n = (double)near.metrics->n_images;
    const double all = e->count ? (double)e->count(e->context, QSV_JUDGE, 0) : n;
    return qsv_metrics_drop_error(near.metrics) * sqrt(n / all);
}

static enum qsv_status predict(struct qsv_curve_point *out, struct replay *r,
                               const uint8_t *group_formats)
{
    const struct qsv_space *space = r->q.search.space;
    *out = (struct qsv_curve_point){.formats = qsv_alloc(space->n_layers, 1)};
    if (!out->formats)
        return qsv_fail_memory(r->q.search.err, "a predicted setting");
    qsv_space_expand(space, group_formats, out->formats);
    qsv_cost_bytes(&out->bytes, space->model, space->affine, out->formats);
    out->kl = qsv_outlook_kl(&r->q.outlook, group_formats);
    out->drop = r->scale * qsv_line_y(&r->line, out->kl);
    const double margin = r->scale * qsv_line_margin(&r->line, out->kl, error_at(&r->q, out->kl));
    out->low = out->drop - margin;
    out->high = out->drop + margin;
    return QSV_OK;
}

/* Where a point is along the curve, from 0 to 2: bytes count by their logarithm, and as much as the
 * drop does. */
static double place_of(const struct qsv_curve *c, size_t i)
{
    const struct qsv_curve_point *p = &c->points[i], *first = c->points,
                                 *last = &c->points[c->n - 1];
    const double bytes = log((double)last->bytes.model_bytes / (double)first->bytes.model_bytes);
    const double drop = last->drop - first->drop;
    double place = 0;
    if (bytes > 0)
        place += log((double)p->bytes.model_bytes / (double)first->bytes.model_bytes) / bytes;
    if (drop < 0)
        place += (p->drop - first->drop) / drop;
    return place;
}

static void thin(struct qsv_curve *c, uint32_t most)
{
    const double step = 2.0 / (most - 1);
    double next = 0;
    size_t kept = 0;
    for (size_t i = 0; c->n > most && i < c->n; i++) {
        const double place = place_of(c, i);
        if (i == c->n - 1 || (place >= next && kept < most - 1)) {
            c->points[kept++] = c->points[i];
            next = (floor(place / step) + 1) * step;
        } else {
            qsv_curve_point_fini(&c->points[i]);
        }
    }
    c->n = kept ? kept : c->n;
}

/* Points of the frontier behind its first, which is the baseline, or pins alone. */
static enum qsv_status walk(struct qsv_curve *out, struct replay *r, double reach)
{
    const uint32_t n_groups = r->q.search.space->n_groups;
    uint8_t *formats;
    size_t n;
    enum qsv_status status = qsv_frontier_settings(&r->q, &formats, &n);
    if (!status && !(out->points = qsv_alloc(n, sizeof *out->points)))
        status = qsv_fail_memory(r->q.search.err, "the predicted curve");
    for (size_t i = 1; i < n && !status; i++) {
        status = predict(&out->points[out->n], r, formats + i * n_groups);
        if (!status && out->points[out->n++].drop > reach) {
            qsv_curve_point_fini(&out->points[--out->n]);
            break;
        }
    }
    free(formats);
    if (!status && !out->n)
        status = qsv_fail(r->q.search.err, QSV_EINPUT, "the search has no setting to predict");
    return status;
}

static void turn_around(struct qsv_curve *c)
{
    for (size_t i = 0; i < c->n / 2; i++) {
        const struct qsv_curve_point p = c->points[i];
        c->points[i] = c->points[c->n - 1 - i];
        c->points[c->n - 1 - i] = p;
    }
}

enum qsv_status qsv_curve_trace(struct qsv_curve *out, const struct qsv_space *space,
                                const struct qsv_spec *spec, struct qsv_evaluator *recorded,
                                uint32_t most, struct qsv_error *err)
{
    struct replay r;
    const double reach = qsv_frontier_reach(spec);
    *out = (struct qsv_curve){0};
    enum qsv_status status = replay(&r, space, spec, recorded, err);
    if (!status)
        status = lay_line(&r, reach);
    if (!status)
        status = walk(out, &r, reach);
    if (status) {
        qsv_curve_fini(out);
    } else {
        turn_around(out);
        thin(out, most);
    }
    end(&r);
    return status;
}

/* The smallest that was measured on what decides and holds; NULL: none. */
static const struct qsv_pool_entry *smallest_that_holds(const struct replay *r)
{
    const struct qsv_pool_entry *found = NULL;
    for (size_t i = 0; i < r->q.final.n_measured; i++) {
        const struct qsv_pool_entry *e = &r->q.final.entries[i];
        if (qsv_constraint_holds(&r->spec, &e->metrics) &&
            (!found || e->metrics.bytes.model_bytes < found->metrics.bytes.model_bytes))
            found = e;
    }
    return found;
}

static enum qsv_status predict_at(struct qsv_curve_point *out, struct replay *r, double kl)
{
    uint8_t *formats = qsv_alloc(r->q.search.space->n_groups, 1);
    if (!formats)
        return qsv_fail_memory(r->q.search.err, "a predicted setting");
    enum qsv_status status = qsv_frontier_within(&r->q, kl, formats);
    if (!status)
        status = predict(out, r, formats);
    free(formats);
    return status;
}

static void take_measurement(struct qsv_curve_point *out, const struct qsv_metrics *m)
{
    out->n_images = m->n_images;
    out->drop = qsv_metrics_top1_drop(m);
    qsv_metrics_drop_interval(m, &out->low, &out->high);
}

/* r->spec has the bound. */
static enum qsv_status find(struct qsv_curve_point *out, struct replay *r, double reach)
{
    const struct qsv_pool_entry *holds = smallest_that_holds(r);
    const double kl = qsv_frontier_kl_within(&r->q, reach);
    enum qsv_status status = QSV_OK;
    if (kl > 0)
        status = predict_at(out, r, kl);
    else if (!holds)
        return qsv_fail(r->q.search.err, QSV_EINPUT,
                        "no setting is predicted to keep a drop of %g points",
                        r->spec.constraint.max_top1_drop);
    if (status || !holds || (kl > 0 && holds->metrics.bytes.model_bytes > out->bytes.model_bytes))
        return status;
    qsv_curve_point_fini(out);
    status = predict(out, r, holds->formats);
    if (!status)
        take_measurement(out, &holds->metrics);
    return status;
}

enum qsv_status qsv_curve_at(struct qsv_curve_point *out, const struct qsv_space *space,
                             const struct qsv_spec *spec, struct qsv_evaluator *recorded,
                             double bound, struct qsv_error *err)
{
    struct replay r;
    double reach = qsv_frontier_reach(spec);
    *out = (struct qsv_curve_point){0};
    enum qsv_status status = replay(&r, space, spec, recorded, err);
    r.spec.constraint.max_top1_drop = bound;
    r.spec.constraint.max_energy_pj = NAN;
    reach = fmax(reach, qsv_frontier_reach(&r.spec));
    if (!status)
        status = lay_line(&r, reach);
    if (!status)
        status = find(out, &r, reach);
    if (status)
        qsv_curve_point_fini(out);
    end(&r);
    return status;
}
