#include "core/statistics.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/hash.h"
#include "core/spike_taps.h"
#include "core/fold.h"
#include "core/statistics_parts.h"

static struct qsv_layer_moments moments_of(const struct qsv_layer *l)
{
    struct qsv_layer_moments m = {.k = l->in_ch * l->kernel * l->kernel,
                                  .groups = l->groups > 1 ? l->out_ch : 1,
                                  .real = !l->spike_input};
    m.columns = m.k + m.real;
    m.elements = qsv_triangle(m.columns);
    return m;
}

uint64_t qsv_statistics_bytes(const struct qsv_model *model, const bool *layers)
{
    uint64_t n = 0;
    for (size_t i = 0; i < model->graph.n_layers; i++) {
        const struct qsv_layer_moments m = moments_of(&model->graph.layers[i]);
        if (!layers || layers[i])
            n += (uint64_t)m.groups * m.elements * sizeof(uint64_t);
    }
    return n;
}

static enum qsv_status take_layer(struct qsv_layer_moments *m, const struct qsv_layer *l,
                                  struct qsv_error *err)
{
    size_t n;
    if (!qsv_mul_size(m->groups, m->elements, &n))
        return qsv_fail_memory(err, l->name);
    if (m->real)
        m->sums = qsv_alloc(n, sizeof *m->sums);
    else
        m->counts = qsv_alloc(n, sizeof *m->counts);
    return qsv_layer_moments_taken(m) ? QSV_OK : qsv_fail_memory(err, l->name);
}

enum qsv_status qsv_statistics_create(struct qsv_statistics **out, const struct qsv_model *model,
                                      const bool *layers, struct qsv_error *err)
{
    const struct qsv_graph *g = &model->graph;
    struct qsv_statistics *s = NULL;
    enum qsv_status st = QSV_OK;
    *out = NULL;
    if (model->folded)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: is a quantized model, expected the model it came from", model->path);
    s = qsv_alloc(1, sizeof *s);
    if (!s || !(s->layers = qsv_alloc(g->n_layers, sizeof *s->layers)))
        st = qsv_fail_memory(err, "statistics");
    if (!st) {
        s->model = model;
        s->kernels = qsv_moments_choose();
    }
    for (size_t i = 0; !st && i < g->n_layers; i++) {
        s->layers[i] = moments_of(&g->layers[i]);
        if (!layers || layers[i])
            st = take_layer(&s->layers[i], &g->layers[i], err);
    }
    if (st)
        qsv_statistics_destroy(s);
    else
        *out = s;
    return st;
}

void qsv_statistics_destroy(struct qsv_statistics *s)
{
    if (!s)
        return;
    for (size_t i = 0; s->layers && s->model && i < s->model->graph.n_layers; i++) {
        free(s->layers[i].counts);
        free(s->layers[i].sums);
    }
    free(s->layers);
    free(s->images);
    free(s->scratch.spikes);
    free(s->scratch.rows);
    free(s->scratch.patch);
    free(s);
}

/* The spikes that each input of an output value is, over all output positions: [k][out words]. */
static enum qsv_status gather_spikes(struct qsv_statistics *s, const struct qsv_layer *l,
                                     const struct qsv_engine_input *in, size_t *words,
                                     struct qsv_error *err)
{
    const struct qsv_grid out = qsv_grid_of(in->images, l->out.h, l->out.w, in->steps);
    const size_t taps = (size_t)l->kernel * l->kernel;
    const bool plain = taps == 1 && qsv_layer_is_same(l);
    *words = out.n / QSV_WORD;
    if (!plain && !qsv_grow(&s->scratch.spikes, &s->scratch.spikes_capacity,
                            taps * l->in.c * *words + 1, sizeof(uint64_t)))
        return qsv_fail_memory(err, l->name);
    if (!qsv_grow(&s->scratch.rows, &s->scratch.rows_capacity, taps * l->in.c, sizeof(void *)))
        return qsv_fail_memory(err, l->name);
    if (!plain)
        qsv_spike_taps(s->scratch.spikes, in->spikes, l, in->images, in->steps);
    for (size_t i = 0; i < taps * l->in.c; i++)
        s->scratch.rows[i] = plain ? in->spikes + i * in->stride : s->scratch.spikes + i * *words;
    return QSV_OK;
}

static enum qsv_status count_spikes(struct qsv_statistics *s, const struct qsv_layer *l,
                                    struct qsv_layer_moments *m, const struct qsv_engine_input *in,
                                    struct qsv_error *err)
{
    size_t words = 0;
    enum qsv_status st = gather_spikes(s, l, in, &words, err);
    for (size_t g = 0; !st && g < m->groups; g++)
        s->kernels->count(m->counts + g * m->elements, s->scratch.rows + g * m->k, m->k, words);
    return st;
}

enum { PATCH = 256 }; /* output positions at once */

struct patch { /* output pixels [first, first + n) of one frame */
    const struct qsv_layer *layer;
    const float *frame; /* channel 0 of the frame */
    size_t channel;     /* floats between channels */
    size_t first, n, stride;
};

/* Inputs [first_channel, + channels) x taps of the patch's pixels, and a 1 behind them. */
static void fill_patch(double *out, const struct patch *p, uint32_t first_channel,
                       uint32_t channels)
{
    const struct qsv_layer *l = p->layer;
    for (size_t i = 0; i < p->n; i++, out += p->stride) {
        const int64_t y0 = (int64_t)((p->first + i) / l->out.w) * l->stride - l->pad;
        const int64_t x0 = (int64_t)((p->first + i) % l->out.w) * l->stride - l->pad;
        double *to = out;
        for (uint32_t c = first_channel; c < first_channel + channels; c++)
            for (int64_t y = y0; y < y0 + l->kernel; y++)
                for (int64_t x = x0; x < x0 + l->kernel; x++) {
                    const bool inside = y >= 0 && y < l->in.h && x >= 0 && x < l->in.w;
                    *to++ =
                        inside ? (double)p->frame[c * p->channel + (size_t)(y * l->in.w + x)] : 0;
                }
        *to = 1;
    }
}

static void sum_frame(struct qsv_statistics *s, const struct qsv_layer *l,
                      struct qsv_layer_moments *m, const float *frame, size_t channel,
                      size_t stride)
{
    const size_t pixels = (size_t)l->out.h * l->out.w;
    struct patch p = {.layer = l, .frame = frame, .channel = channel, .stride = stride};
    for (p.first = 0; p.first < pixels; p.first += PATCH) {
        p.n = pixels - p.first < PATCH ? pixels - p.first : PATCH;
        for (uint32_t g = 0; g < m->groups; g++) {
            fill_patch(s->scratch.patch, &p, g, l->in_ch);
            s->kernels->sum(m->sums + g * m->elements, s->scratch.patch, stride, m->columns, p.n);
        }
    }
}

/* By image, then time step, then pixel: the order does not depend on the batch. */
static enum qsv_status sum_values(struct qsv_statistics *s, const struct qsv_layer *l,
                                  struct qsv_layer_moments *m, const struct qsv_engine_input *in,
                                  struct qsv_error *err)
{
    const size_t stride =
        (m->columns + QSV_MOMENTS_LANES - 1) / QSV_MOMENTS_LANES * QSV_MOMENTS_LANES;
    if (stride * PATCH > s->scratch.patch_capacity) {
        free(s->scratch.patch);
        s->scratch.patch = qsv_alloc_aligned(stride * PATCH, sizeof(double));
        s->scratch.patch_capacity = s->scratch.patch ? stride * PATCH : 0;
    }
    if (!s->scratch.patch)
        return qsv_fail_memory(err, l->name);
    memset(s->scratch.patch, 0, stride * PATCH * sizeof(double));
    for (size_t i = 0; i < in->images; i++)
        for (size_t t = 0; t < in->steps; t++)
            sum_frame(s, l, m, in->values + t * in->block + i * l->in.h * l->in.w, in->stride,
                      stride);
    return QSV_OK;
}

static enum qsv_status on_input(void *context, const struct qsv_engine_input *in,
                                struct qsv_error *err)
{
    struct qsv_statistics *s = context;
    const struct qsv_layer *l = &s->model->graph.layers[in->layer];
    struct qsv_layer_moments *m = &s->layers[in->layer];
    if (!qsv_layer_moments_taken(m))
        return QSV_OK;
    enum qsv_status st = in->spikes ? count_spikes(s, l, m, in, err) : sum_values(s, l, m, in, err);
    if (!st)
        m->positions += (uint64_t)in->images * in->steps * l->out.h * l->out.w;
    return st;
}

struct qsv_engine_observer qsv_statistics_observer(struct qsv_statistics *s)
{
    return (struct qsv_engine_observer){on_input, s};
}

enum qsv_status qsv_statistics_note(struct qsv_statistics *s, uint64_t fingerprint,
                                    const uint32_t *numbers, size_t n, struct qsv_error *err)
{
    if (s->n_images && n && s->fingerprint != fingerprint)
        return qsv_fail(err, QSV_EINPUT,
                        "statistics of data set %016llx can't take images of %016llx",
                        (unsigned long long)s->fingerprint, (unsigned long long)fingerprint);
    if (!qsv_grow(&s->images, &s->images_capacity, s->n_images + n, sizeof *s->images))
        return qsv_fail_memory(err, "statistics");
    if (n) {
        memcpy(s->images + s->n_images, numbers, n * sizeof *numbers);
        s->fingerprint = fingerprint;
    }
    s->n_images += n;
    return QSV_OK;
}

enum qsv_status qsv_statistics_add(struct qsv_statistics *s, const struct qsv_statistics *shard,
                                   struct qsv_error *err)
{
    const size_t n = s->model->graph.n_layers;
    if (s->model->hash != shard->model->hash)
        return qsv_fail(err, QSV_EINPUT, "statistics of model %016llx can't take those of %016llx",
                        (unsigned long long)s->model->hash, (unsigned long long)shard->model->hash);
    for (size_t i = 0; i < n; i++)
        if (qsv_layer_moments_taken(&s->layers[i]) != qsv_layer_moments_taken(&shard->layers[i]))
            return qsv_fail(err, QSV_EINPUT, "statistics to be added differ in layer '%s'",
                            s->model->graph.layers[i].name);
    enum qsv_status st =
        qsv_statistics_note(s, shard->fingerprint, shard->images, shard->n_images, err);
    for (size_t i = 0; !st && i < n; i++) {
        struct qsv_layer_moments *to = &s->layers[i];
        const struct qsv_layer_moments *from = &shard->layers[i];
        to->positions += from->positions;
        for (size_t e = 0; to->counts && e < to->groups * to->elements; e++)
            to->counts[e] += from->counts[e];
        for (size_t e = 0; to->sums && e < to->groups * to->elements; e++)
            to->sums[e] += from->sums[e];
    }
    return st;
}

void qsv_statistics_forget(struct qsv_statistics *s, uint32_t layer)
{
    struct qsv_layer_moments *m = &s->layers[layer];
    free(m->counts);
    free(m->sums);
    m->counts = NULL;
    m->sums = NULL;
    m->positions = 0;
}

const struct qsv_model *qsv_statistics_model(const struct qsv_statistics *s)
{
    return s->model;
}

uint64_t qsv_statistics_fingerprint(const struct qsv_statistics *s)
{
    return s->fingerprint;
}

const uint32_t *qsv_statistics_images(const struct qsv_statistics *s, size_t *n)
{
    *n = s->n_images;
    return s->images;
}

uint64_t qsv_statistics_hash(const struct qsv_statistics *s)
{
    struct qsv_hash *h = qsv_hash_begin();
    if (!h)
        return 0;
    qsv_hash_add_u64(h, s->model->hash);
    qsv_hash_add_u64(h, s->fingerprint);
    qsv_hash_add_u64(h, s->n_images);
    if (s->n_images)
        qsv_hash_add(h, s->images, s->n_images * sizeof *s->images);
    for (size_t i = 0; i < s->model->graph.n_layers; i++) {
        const struct qsv_layer_moments *m = &s->layers[i];
        qsv_hash_add_u64(h, qsv_layer_moments_taken(m));
        qsv_hash_add_u64(h, m->positions);
        if (m->counts)
            qsv_hash_add(h, m->counts, m->groups * m->elements * sizeof *m->counts);
        if (m->sums)
            qsv_hash_add(h, m->sums, m->groups * m->elements * sizeof *m->sums);
    }
    return qsv_hash_end(h);
}

uint64_t qsv_statistics_positions(const struct qsv_statistics *s, uint32_t layer)
{
    return s->layers[layer].positions;
}

size_t qsv_statistics_inputs(const struct qsv_statistics *s, uint32_t layer)
{
    return s->layers[layer].k;
}

/* What the engine saw, divided by the number of positions. */
static void raw_moments(const struct qsv_layer_moments *m, size_t group, double *h, double *mean)
{
    const double n = (double)m->positions;
    const size_t k = m->k;
    for (size_t i = 0, e = group * m->elements; i < k; i++)
        for (size_t j = 0; j <= i; j++, e++)
            h[i * k + j] = h[j * k + i] = (m->real ? m->sums[e] : (double)m->counts[e]) / n;
    for (size_t i = 0; i < k; i++)
        mean[i] = m->real ? m->sums[group * m->elements + qsv_triangle(k) + i] / n : h[i * k + i];
}

/* x -> a x + b, a channel's taps alike: E[x x^T] -> a a^T E[x x^T] + a b^T E[x] + ... */
static void transform(double *h, double *mean, size_t k, size_t taps, const double *a,
                      const double *b)
{
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < k; j++) {
            const double ai = a[i / taps], aj = a[j / taps], bi = b[i / taps], bj = b[j / taps];
            h[i * k + j] =
                ai * aj * h[i * k + j] + (ai * mean[i] * bj + aj * mean[j] * bi) + bi * bj;
        }
    for (size_t i = 0; i < k; i++)
        mean[i] = a[i / taps] * mean[i] + b[i / taps];
}

enum qsv_status qsv_statistics_moments(const struct qsv_statistics *s, uint32_t layer,
                                       uint32_t group, double *h, double *mean,
                                       struct qsv_error *err)
{
    const struct qsv_layer *l = &s->model->graph.layers[layer];
    const struct qsv_layer_moments *m = &s->layers[layer];
    const size_t first = l->groups > 1 ? group : 0;
    if (!m->positions)
        return qsv_fail(err, QSV_EINPUT, "no statistics of layer '%s'", l->name);
    double *own = qsv_alloc(m->k, sizeof *own), *affine = qsv_alloc(l->in.c, 2 * sizeof *affine);
    enum qsv_status st = own && affine ? QSV_OK : qsv_fail_memory(err, l->name);
    if (!st && m->real)
        st = qsv_fold_input(s->model, layer, affine, affine + l->in.c, err);
    if (!st) {
        raw_moments(m, group, h, own);
        if (m->real)
            transform(h, own, m->k, (size_t)l->kernel * l->kernel, affine + first,
                      affine + l->in.c + first);
        if (mean)
            memcpy(mean, own, m->k * sizeof *own);
    }
    free(own);
    free(affine);
    return st;
}

enum qsv_status qsv_statistics_output(const struct qsv_statistics *s, uint32_t layer,
                                      double *output, struct qsv_error *err)
{
    const struct qsv_layer *l = &s->model->graph.layers[layer];
    const struct qsv_layer_moments *m = &s->layers[layer];
    const struct qsv_tensor *w = qsv_tensors_findf(&s->model->tensors, "%s.weight", l->name);
    const struct qsv_tensor *b = qsv_tensors_findf(&s->model->tensors, "%s.bias", l->name);
    const float *weight = (const float *)(const void *)w->data;
    const float *bias = l->has_bias ? (const float *)(const void *)b->data : NULL;
    double *h = qsv_alloc((size_t)m->k * m->k, sizeof *h), *mean = qsv_alloc(m->k, sizeof *mean);
    enum qsv_status st = h && mean ? QSV_OK : qsv_fail_memory(err, l->name);
    for (uint32_t o = 0; !st && o < l->out_ch; o++) {
        if (o == 0 || m->groups > 1)
            st = qsv_statistics_moments(s, layer, m->groups > 1 ? o : 0, h, mean, err);
        output[o] = bias ? (double)bias[o] : 0;
        for (size_t i = 0; i < m->k; i++)
            output[o] += (double)weight[o * m->k + i] * mean[i];
    }
    free(h);
    free(mean);
    return st;
}
