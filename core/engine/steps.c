#include "core/engine/steps.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

enum { PATCH_PIXELS = 64 };

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t pixels_of(struct qsv_shape s)
{
    return (size_t)s.h * s.w;
}

enum qsv_status qsv_scratch_init(struct qsv_scratch *s, const struct qsv_model *model,
                                 struct qsv_error *err)
{
    const struct qsv_graph *g = &model->graph;
    size_t events = 1, pixels = 1, rows = 1, width = 1, patches = 1, products = 1, channels = 1;
    for (size_t i = 0; i < g->n_layers; i++) {
        const struct qsv_layer *l = &g->layers[i];
        size_t k = (size_t)l->kernel * l->kernel * l->in_ch;
        events = larger(events, pixels_of(l->in) * l->in.c);
        pixels = larger(pixels, pixels_of(l->in));
        rows = larger(rows, k);
        width = larger(width, (size_t)l->out_ch + QSV_ROW_LANES);
        patches = larger(patches, l->groups > 1 ? pixels_of(l->in) * (l->in.c + QSV_LANES)
                                                : PATCH_PIXELS * k);
    }
    for (size_t i = 0; i < g->n_attentions; i++)
        products = larger(products, (size_t)g->attentions[i].channels *
                                        (g->attentions[i].channels / g->attentions[i].heads));
    for (size_t i = 0; i < g->n_lifs; i++)
        channels = larger(channels, (size_t)g->lifs[i].shape.c + QSV_LANES);
    *s = (struct qsv_scratch){
        .events = qsv_alloc_aligned(events + QSV_LANES, sizeof *s->events),
        .first_event = qsv_alloc_aligned(pixels + 1, sizeof *s->first_event),
        .rows = qsv_alloc_aligned(rows + QSV_LANES, sizeof *s->rows),
        .sums = qsv_alloc_aligned(width, sizeof *s->sums),
        .patches = qsv_alloc_aligned(patches, sizeof *s->patches),
        .products = qsv_alloc_aligned(products, sizeof *s->products),
        .potentials = qsv_alloc_aligned(channels, sizeof *s->potentials),
    };
    if (s->events && s->first_event && s->rows && s->sums && s->patches && s->products &&
        s->potentials)
        return QSV_OK;
    qsv_scratch_fini(s);
    return qsv_fail_memory(err, "the engine's working memory");
}

void qsv_scratch_fini(struct qsv_scratch *s)
{
    free(s->events);
    free(s->first_event);
    free(s->rows);
    free(s->sums);
    free(s->patches);
    free(s->products);
    free(s->potentials);
    *s = (struct qsv_scratch){0};
}

static const struct qsv_value *info(const struct qsv_step_context *c, uint32_t v)
{
    return &c->plan->values[v];
}

void *qsv_step_value(const struct qsv_step_context *c, uint32_t v, uint32_t image)
{
    return c->arena + info(c, v)->offset + info(c, v)->image_bytes * image;
}

void qsv_step_input(struct qsv_step_context *c, const struct qsv_plan_step *s,
                    const uint8_t *pixels)
{
    const struct qsv_value *out = info(c, s->out);
    const struct qsv_model_options *o = &c->model->options;
    const uint32_t channels = out->shape.c;
    float table[QSV_MAX_CHANNELS][256];
    for (uint32_t ch = 0; ch < channels; ch++)
        for (int p = 0; p < 256; p++)
            table[ch][p] = ((float)p / 255.0f - o->mean[ch]) / o->std[ch];
    for (uint32_t i = 0; i < c->n; i++) {
        float *x = qsv_step_value(c, s->out, i);
        memset(x, 0, out->image_bytes);
        for (size_t p = 0; p < pixels_of(out->shape); p++, x += out->stride)
            for (uint32_t ch = 0; ch < channels; ch++)
                x[ch] = table[ch][*pixels++];
    }
}

struct conv_call {
    const struct qsv_layer *layer;
    const struct qsv_weights *weights;
    const struct qsv_network_layer *post;
    uint32_t in_stride, out_stride;
};

static uint64_t conv_spikes(struct qsv_step_context *c, const struct conv_call *v,
                            const uint16_t *spikes, float *out)
{
    const struct qsv_layer *l = v->layer;
    const struct qsv_scratch *s = &c->scratch;
    const struct qsv_spike_conv conv = {
        .spikes = spikes,
        .out = out,
        .codes = v->weights->codes,
        .values = v->weights->values,
        .multiplier = v->post->multiplier,
        .shift = v->post->shift,
        .width = v->weights->width,
        .out_stride = v->out_stride,
        .code_max = v->weights->code_max,
        .h = l->in.h,
        .w = l->in.w,
        .out_h = l->out.h,
        .out_w = l->out.w,
        .in_ch = l->in_ch,
        .in_words = v->in_stride / 16,
        .kernel = l->kernel,
        .step = l->stride,
        .pad = l->pad,
        .events = s->events,
        .first_event = s->first_event,
        .rows = s->rows,
        .sums = s->sums,
    };
    return c->kernels->conv_spikes(&conv) * l->out_ch;
}

static void depthwise(struct qsv_step_context *c, const struct conv_call *v, const float *x,
                      float *out)
{
    const struct qsv_layer *l = v->layer;
    const struct qsv_depthwise d = {
        .x = x,
        .weight = v->weights->values,
        .out = out,
        .h = l->in.h,
        .w = l->in.w,
        .out_h = l->out.h,
        .out_w = l->out.w,
        .stride = v->out_stride,
        .kernel = l->kernel,
        .step = l->stride,
        .pad = l->pad,
    };
    c->kernels->depthwise_f32(&d);
    c->kernels->affine_f32(out, v->post->multiplier, v->post->shift, (uint32_t)pixels_of(l->out),
                           v->out_stride);
}

/* Outputs along one axis that the input at `at` reaches. */
static uint32_t reach(const struct qsv_layer *l, uint32_t at, uint32_t outputs)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < l->kernel; k++) {
        int64_t o = (int64_t)at + l->pad - k;
        n += o >= 0 && o % l->stride == 0 && o / l->stride < outputs;
    }
    return n;
}

/* Depthwise on spikes: as floats, because sums of codes stay far below 2^24 and are exact there. */
static uint64_t depthwise_spikes(struct qsv_step_context *c, const struct conv_call *v,
                                 const uint16_t *spikes, float *out)
{
    const struct qsv_layer *l = v->layer;
    float *x = c->scratch.patches;
    uint64_t accumulates = 0;
    for (uint32_t y = 0; y < l->in.h; y++) {
        uint32_t reach_y = reach(l, y, l->out.h);
        for (uint32_t xx = 0; xx < l->in.w; xx++) {
            uint32_t fired = 0;
            for (uint32_t w = 0; w < v->in_stride / 16; w++) {
                uint32_t bits = *spikes++;
                fired += (uint32_t)__builtin_popcount(bits);
                for (int b = 0; b < 16; b++)
                    *x++ = (float)(bits >> b & 1);
            }
            if (fired)
                accumulates += (uint64_t)fired * reach_y * reach(l, xx, l->out.w);
        }
    }
    depthwise(c, v, c->scratch.patches, out);
    return accumulates;
}

/* Inputs of n output pixels from `first` on, one row of k a pixel. */
static void gather_patches(float *patches, const struct conv_call *v, const float *x, size_t first,
                           size_t n)
{
    const struct qsv_layer *l = v->layer;
    for (size_t i = first; i < first + n; i++)
        for (uint32_t ky = 0; ky < l->kernel; ky++)
            for (uint32_t kx = 0; kx < l->kernel; kx++, patches += l->in_ch) {
                int64_t y = (int64_t)(i / l->out.w) * l->stride + ky - l->pad;
                int64_t xx = (int64_t)(i % l->out.w) * l->stride + kx - l->pad;
                bool out = y < 0 || y >= l->in.h || xx < 0 || xx >= l->in.w;
                if (out)
                    memset(patches, 0, l->in_ch * sizeof *patches);
                else
                    memcpy(patches, x + ((size_t)y * l->in.w + (size_t)xx) * v->in_stride,
                           l->in_ch * sizeof *patches);
            }
}

static void conv_real(struct qsv_step_context *c, const struct conv_call *v, const float *x,
                      float *out)
{
    const struct qsv_layer *l = v->layer;
    const size_t pixels = pixels_of(l->out);
    const uint32_t k = l->kernel * l->kernel * l->in_ch;
    if (l->kernel == 1 && l->stride == 1) {
        c->kernels->dense_f32(out, x, v->in_stride, v->weights->values, (uint32_t)pixels, k,
                              v->out_stride);
    } else {
        for (size_t p = 0; p < pixels; p += PATCH_PIXELS) {
            size_t n = pixels - p < PATCH_PIXELS ? pixels - p : PATCH_PIXELS;
            gather_patches(c->scratch.patches, v, x, p, n);
            c->kernels->dense_f32(out + p * v->out_stride, c->scratch.patches, k,
                                  v->weights->values, (uint32_t)n, k, v->out_stride);
        }
    }
    c->kernels->affine_f32(out, v->post->multiplier, v->post->shift, (uint32_t)pixels,
                           v->out_stride);
}

uint64_t qsv_step_conv(struct qsv_step_context *c, const struct qsv_plan_step *s,
                       const struct qsv_weights *w, const struct qsv_network_layer *post)
{
    const struct qsv_layer *l = &c->model->graph.layers[s->index];
    const struct qsv_value *in = info(c, s->in[0]), *out = info(c, s->out);
    const struct conv_call v = {l, w, post, in->stride, out->stride};
    const size_t in_frame = in->image_bytes / in->steps, out_frame = out->image_bytes / out->steps;
    uint64_t accumulates = 0;
    for (uint32_t i = 0; i < c->n; i++)
        for (uint32_t t = 0; t < in->steps; t++) {
            const uint8_t *x = (uint8_t *)qsv_step_value(c, s->in[0], i) + t * in_frame;
            float *y = (float *)((uint8_t *)qsv_step_value(c, s->out, i) + t * out_frame);
            if (in->spikes && l->groups > 1)
                accumulates += depthwise_spikes(c, &v, (const uint16_t *)x, y);
            else if (in->spikes)
                accumulates += conv_spikes(c, &v, (const uint16_t *)x, y);
            else if (l->groups > 1)
                depthwise(c, &v, (const float *)x, y);
            else
                conv_real(c, &v, (const float *)x, y);
        }
    return accumulates;
}

uint64_t qsv_step_lif(struct qsv_step_context *c, const struct qsv_plan_step *s,
                      int64_t *potentials)
{
    const struct qsv_lif *lif = &c->model->graph.lifs[s->index];
    const struct qsv_value *in = info(c, s->in[0]), *out = info(c, s->out);
    int32_t *sums = c->scratch.potentials;
    uint64_t fired = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        const struct qsv_lif_frames f = {
            .x = qsv_step_value(c, s->in[0], i),
            .spikes = qsv_step_value(c, s->out, i),
            .potentials = potentials ? sums : NULL,
            .x_steps = in->steps,
            .time_steps = out->steps,
            .pixels = (uint32_t)pixels_of(out->shape),
            .stride = out->stride,
            .v_th = lif->v_th,
            .decay = 1 / lif->tau,
        };
        memset(sums, 0, out->stride * sizeof *sums);
        fired += c->kernels->lif(&f);
        for (uint32_t ch = 0; potentials && ch < out->shape.c; ch++)
            potentials[ch] += sums[ch];
    }
    return fired;
}

static void unpack_spikes(int32_t *out, const uint16_t *words, uint32_t channels)
{
    for (uint32_t c = 0; c < channels; c += 16)
        for (uint32_t b = 0; b < 16; b++)
            out[c + b] = words[c / 16] >> b & 1;
}

/* Adds k^T v of one token: products[i][j] counts tokens where channel i of k and j of v (of one
 * head) both fired. v holds 0 or 1. */
static void add_products(int32_t *products, const uint16_t *k, const int32_t *v, uint32_t channels,
                         uint32_t per_head)
{
    for (uint32_t w = 0; 16 * w < channels; w++)
        for (uint32_t bits = k[w]; bits; bits &= bits - 1) {
            uint32_t i = 16 * w + (uint32_t)__builtin_ctz(bits), head = i / per_head * per_head;
            int32_t *row = products + (size_t)i * per_head;
            for (uint32_t j = 0; j < per_head; j++)
                row[j] += v[head + j];
        }
}

/* Adds the rows of products that q selects; returns how many adds. */
static uint64_t query(int32_t *sums, const int32_t *products, const uint16_t *q, uint32_t channels,
                      uint32_t per_head)
{
    uint64_t n = 0;
    memset(sums, 0, channels * sizeof *sums);
    for (uint32_t w = 0; 16 * w < channels; w++)
        for (uint32_t bits = q[w]; bits; bits &= bits - 1) {
            uint32_t i = 16 * w + (uint32_t)__builtin_ctz(bits), head = i / per_head * per_head;
            for (uint32_t j = 0; j < per_head; j++)
                sums[head + j] += products[(size_t)i * per_head + j];
            n += per_head;
        }
    return n;
}

uint64_t qsv_step_attention(struct qsv_step_context *c, const struct qsv_plan_step *s)
{
    const struct qsv_attention *a = &c->model->graph.attentions[s->index];
    const struct qsv_value *in = info(c, s->in[0]), *out = info(c, s->out);
    const uint32_t per_head = a->channels / a->heads, words = in->stride / 16;
    uint64_t n = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        const uint16_t *q = qsv_step_value(c, s->in[0], i), *k = qsv_step_value(c, s->in[1], i);
        const uint16_t *v = qsv_step_value(c, s->in[2], i);
        float *y = qsv_step_value(c, s->out, i);
        memset(y, 0, out->image_bytes);
        for (uint32_t t = 0; t < in->steps; t++) {
            int32_t *products = c->scratch.products, *sums = c->scratch.potentials;
            const size_t cells = (size_t)a->channels * per_head;
            memset(products, 0, cells * sizeof *products);
            for (uint32_t p = 0; p < a->tokens; p++, k += words, v += words) {
                unpack_spikes(sums, v, a->channels);
                add_products(products, k, sums, a->channels, per_head);
            }
            for (size_t cell = 0; cell < cells; cell++) /* one add where both fired */
                n += (uint64_t)products[cell];
            for (uint32_t p = 0; p < a->tokens; p++, q += words, y += out->stride) {
                n += query(sums, products, q, a->channels, per_head);
                for (uint32_t ch = 0; ch < a->channels; ch++)
                    y[ch] = (float)sums[ch] * a->scale;
            }
        }
    }
    return n;
}

void qsv_step_add(struct qsv_step_context *c, const struct qsv_plan_step *s)
{
    const struct qsv_value *a = info(c, s->in[0]), *b = info(c, s->in[1]), *out = info(c, s->out);
    const size_t frame = out->image_bytes / out->steps / sizeof(float);
    for (uint32_t i = 0; i < c->n; i++)
        for (uint32_t t = 0; t < out->steps; t++) {
            const float *x = qsv_step_value(c, s->in[0], i), *y = qsv_step_value(c, s->in[1], i);
            float *sum = qsv_step_value(c, s->out, i);
            c->kernels->add(sum + t * frame, x + (a->steps > 1 ? t * frame : 0),
                            y + (b->steps > 1 ? t * frame : 0), frame);
        }
}

void qsv_step_pool(struct qsv_step_context *c, const struct qsv_plan_step *s)
{
    const struct qsv_value *in = info(c, s->in[0]);
    const size_t pixels = pixels_of(in->shape);
    for (uint32_t i = 0; i < c->n; i++) {
        const float *x = qsv_step_value(c, s->in[0], i);
        float *y = qsv_step_value(c, s->out, i);
        for (uint32_t t = 0; t < in->steps; t++, y += in->stride) {
            memset(y, 0, in->stride * sizeof *y);
            for (size_t p = 0; p < pixels; p++, x += in->stride)
                for (uint32_t ch = 0; ch < in->stride; ch++)
                    y[ch] += x[ch];
            for (uint32_t ch = 0; ch < in->stride; ch++)
                y[ch] /= (float)pixels;
        }
    }
}

void qsv_step_readout(struct qsv_step_context *c, const struct qsv_plan_step *s)
{
    const struct qsv_value *out = info(c, s->out);
    for (uint32_t i = 0; i < c->n; i++) {
        float *y = qsv_step_value(c, s->out, i);
        for (uint32_t ch = 0; ch < out->shape.c; ch++) {
            float sum = 0;
            for (uint32_t k = 0; k < s->n_in; k++) {
                const struct qsv_value *in = info(c, s->in[k]);
                const float *x = qsv_step_value(c, s->in[k], i);
                float over_time = 0;
                for (uint32_t t = 0; t < in->steps; t++)
                    over_time += x[(size_t)t * in->stride + ch];
                sum += over_time / (float)in->steps;
            }
            y[ch] = sum / (float)s->n_in;
        }
    }
}
