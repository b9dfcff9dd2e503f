/* What a search in an exact world must come near to: the optimum, by enumeration where there are
 * few layers, by a lower bound where there are many. cmocka comes before it.
 */
#ifndef QSV_OPTIMUM_H
#define QSV_OPTIMUM_H

#include "tests/unit/jobs/searches.h"

static inline void assert_consistent(const struct world *w, const struct qsv_selection *s)
{
    assert_answered(w, s);
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

/* Bounds the size alone, so that weights may take so many bits on average; in bytes. */
static inline double bound_size(struct world *w, uint32_t bits)
{
    const uint64_t bytes = w->model.graph.n_weights * bits / 8;
    uint64_t affine = 0;
    for (uint32_t l = 0; l < w->n_layers; l++)
        affine += 8 * w->layers[l].out_ch;
    w->spec.constraint.max_top1_drop = NAN;
    w->spec.constraint.max_bytes = affine + bytes;
    return (double)bytes;
}

/* Divergence of what a strategy selects within a size, by the least of all settings. */
static inline double divergence_within(struct world *w, const char *strategy, uint32_t bits)
{
    struct least e = {w, bound_size(w, bits), INFINITY, true};
    struct qsv_selection s = search_by(w, strategy);
    enumerate(&e, 0, 0, 0);
    assert_consistent(w, &s);
    assert_true(s.meets);
    assert_true(s.judged.bytes.model_bytes <= w->spec.constraint.max_bytes);
    const double ratio = qsv_metrics_kl(&s.judged) / e.best;
    qsv_selection_fini(&s);
    return ratio;
}

/* A bound in bits a weight is the bound in bytes that it comes to: affines take the same at every
 * format here. */
static inline void assert_bits_are_bytes(struct world *w, const char *strategy, uint32_t bits)
{
    bound_size(w, bits);
    struct qsv_selection bytes = search_by(w, strategy);
    w->spec.constraint.max_bytes = 0;
    w->spec.constraint.target_avg_bits = bits;
    struct qsv_selection s = search_by(w, strategy);
    assert_true(s.meets && s.judged.bytes.avg_bits <= bits);
    assert_int_equal(s.trial_id, bytes.trial_id);
    qsv_selection_fini(&bytes);
    qsv_selection_fini(&s);
}

#endif
