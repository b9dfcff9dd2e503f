/* What a search in an exact world must come near to: the optimum, by enumeration where there are
 * few layers, by a lower bound where there are many. cmocka comes before it.
 */
#ifndef QSV_OPTIMUM_H
#define QSV_OPTIMUM_H

#include "tests/unit/jobs/synthetic.h"

/* What the selection says must be what the evaluator answers. */
static inline void assert_consistent(const struct world *w, const struct qsv_selection *s)
{
    struct qsv_metrics m;
    assert_int_equal(s->trial_id, qsv_setting_id(s->formats, w->n_layers));
    world_answer(w, s->formats, QSV_JUDGE, 0, &m);
    assert_memory_equal(&m, &s->judged, sizeof m);
    world_answer(w, s->formats, QSV_DECIDE,
                 w->spec.has_calibration ? w->spec.search.selection_images
                                         : w->spec.search.decision_images,
                 &m);
    m.caution = s->decided.caution;
    assert_memory_equal(&m, &s->decided, sizeof m);
    assert_int_equal(s->baseline.n_only_baseline, 0);
    assert_int_equal(s->baseline.n_images, s->judged.n_images);
    assert_int_equal(s->baseline_decided.n_images, s->decided.n_images);
    assert_non_null(s->base_formats);
    assert_non_null(s->sensitivity);
}

static inline double weight_bytes(const struct world *w, uint32_t l, uint8_t format)
{
    return (double)qsv_format_packed_bytes((enum qsv_format)format, w->layers[l].n_weights);
}

/* The most nats at which an exact world's drop on the judging images still rounds to the bound. */
static inline double most_kl(const struct world *w)
{
    double points = w->spec.constraint.max_top1_drop - w->judge_shift;
    return (points + 50.0 / (double)w->n_images[QSV_JUDGE]) / w->slope;
}

struct least { /* of a sum over layers, with another sum bounded */
    const struct world *w;
    double room, best;
    bool bound_bytes; /* else KL is bounded and bytes are least */
};

/* Tries every setting of the layers from l on. */
static inline void enumerate(struct least *e, uint32_t l, double kl, double bytes)
{
    double bounded = e->bound_bytes ? bytes : kl, sum = e->bound_bytes ? kl : bytes;
    if (bounded > e->room || sum >= e->best)
        return;
    if (l == e->w->n_layers) {
        e->best = sum;
        return;
    }
    for (uint32_t i = 0; i <= e->w->spec.search.n_formats; i++) {
        uint8_t f = i ? e->w->spec.search.formats[i - 1] : QSV_F32;
        enumerate(e, l + 1, kl + e->w->kl[l][f], bytes + weight_bytes(e->w, l, f));
    }
}

/* For some lambda the least of bytes + lambda (KL - room) is as high as it gets: no setting within
 * the room takes fewer bytes. */
static inline double lower_bound(const struct world *w, double room)
{
    double best = 0;
    for (double lambda = 1e3; lambda < 1e9; lambda *= 1.1) {
        double sum = -lambda * room;
        for (uint32_t l = 0; l < w->n_layers; l++) {
            double least = weight_bytes(w, l, QSV_F32);
            for (uint32_t i = 0; i < w->spec.search.n_formats; i++) {
                uint8_t f = w->spec.search.formats[i];
                least = fmin(least, weight_bytes(w, l, f) + lambda * w->kl[l][f]);
            }
            sum += least;
        }
        best = fmax(best, sum);
    }
    return best;
}

#endif
