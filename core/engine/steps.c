#include "core/engine/steps.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/engine/conv.h"

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void size_for_attention(size_t *heads, size_t *counts, const struct qsv_attention *a)
{
    const size_t channels = a->channels / a->heads, words = (a->tokens + 63) / 64 + 1;
    *heads = larger(*heads, 3 * channels * words);
    *counts = larger(*counts, channels * (channels + 16));
}

struct needs {
    struct qsv_conv_needs conv;
    size_t heads, counts; /* attention's */
};

static struct needs needs_of(const struct qsv_model *model, const struct qsv_kernels *kernels,
                             uint32_t max_batch)
{
    const struct qsv_graph *g = &model->graph;
    struct needs n = {{1, 1, 1, 1, 1, 1, 1, 1, 1}, 1, 1};
    for (size_t i = 0; i < g->n_layers; i++)
        qsv_conv_need(&n.conv, &g->layers[i], kernels, max_batch,
                      g->nodes[g->layers[i].node].per_step ? model->options.time_steps : 1);
    for (size_t i = 0; i < g->n_attentions; i++)
        size_for_attention(&n.heads, &n.counts, &g->attentions[i]);
    return n;
}

uint64_t qsv_scratch_bytes(const struct qsv_model *model, const struct qsv_kernels *kernels,
                           uint32_t max_batch)
{
    const struct needs n = needs_of(model, kernels, max_batch);
    const struct qsv_scratch *s = NULL; /* for its elements' sizes */
    return n.conv.index + n.conv.tables + n.conv.gathered * sizeof *s->gathered +
           n.conv.events * sizeof *s->events + n.conv.first_event * sizeof *s->first_event +
           n.conv.list * sizeof *s->list + n.conv.tile * sizeof *s->tile +
           n.conv.patches * sizeof *s->patches + n.conv.outputs * sizeof *s->ones +
           n.conv.outputs * sizeof *s->zeros + n.heads * sizeof *s->heads +
           n.counts * sizeof *s->counts;
}

enum qsv_status qsv_scratch_init(struct qsv_scratch *s, const struct qsv_model *model,
                                 const struct qsv_kernels *kernels, uint32_t max_batch,
                                 struct qsv_error *err)
{
    const struct needs all = needs_of(model, kernels, max_batch);
    const struct qsv_conv_needs need = all.conv;
    *s = (struct qsv_scratch){
        .index = qsv_alloc_aligned(need.index, 1),
        .gathered = qsv_alloc_aligned(need.gathered, sizeof *s->gathered),
        .tables = qsv_alloc_aligned(need.tables, 1),
        .events = qsv_alloc_aligned(need.events, sizeof *s->events),
        .first_event = qsv_alloc_aligned(need.first_event, sizeof *s->first_event),
        .list = qsv_alloc_aligned(need.list, sizeof *s->list),
        .tile = qsv_alloc_aligned(need.tile, sizeof *s->tile),
        .patches = qsv_alloc_aligned(need.patches, sizeof *s->patches),
        .ones = qsv_alloc_aligned(need.outputs, sizeof *s->ones),
        .zeros = qsv_alloc_aligned(need.outputs, sizeof *s->zeros),
        .heads = qsv_alloc_aligned(all.heads, sizeof *s->heads),
        .counts = qsv_alloc_aligned(all.counts, sizeof *s->counts),
    };
    if (s->index && s->gathered && s->tables && s->events && s->first_event && s->list && s->tile &&
        s->patches && s->ones && s->zeros && s->heads && s->counts) {
        for (size_t i = 0; i < need.outputs; i++)
            s->ones[i] = 1;
        return QSV_OK;
    }
    qsv_scratch_fini(s);
    return qsv_fail_memory(err, "the engine's working memory");
}

void qsv_scratch_fini(struct qsv_scratch *s)
{
    free(s->index);
    free(s->gathered);
    free(s->tables);
    free(s->events);
    free(s->first_event);
    free(s->list);
    free(s->tile);
    free(s->patches);
    free(s->ones);
    free(s->zeros);
    free(s->heads);
    free(s->counts);
    *s = (struct qsv_scratch){0};
}

static const struct qsv_value *info(const struct qsv_step_context *c, uint32_t v)
{
    return &c->plan->values[v];
}

static struct qsv_grid grid(const struct qsv_step_context *c, uint32_t v)
{
    return qsv_value_grid(info(c, v), c->n);
}

void *qsv_step_value(const struct qsv_step_context *c, uint32_t v)
{
    return c->arena + info(c, v)->offset;
}

void qsv_step_input(struct qsv_step_context *c, const struct qsv_plan_step *s,
                    const uint8_t *pixels)
{
    const struct qsv_value *out = info(c, s->out);
    const struct qsv_model_options *o = &c->model->options;
    const size_t n = (size_t)c->n * out->shape.h * out->shape.w,
                 stride = qsv_value_stride(out, c->n);
    float *x = qsv_step_value(c, s->out);
    for (uint32_t ch = 0; ch < out->shape.c; ch++) {
        float table[256];
        for (int p = 0; p < 256; p++)
            table[p] = ((float)p / 255.0f - o->mean[ch]) / o->std[ch];
        for (size_t p = 0; p < n; p++)
            x[ch * stride + p] = table[pixels[p * out->shape.c + ch]];
    }
}

uint64_t qsv_step_neurons(struct qsv_step_context *c, uint32_t lif, uint32_t from, uint32_t to,
                          int64_t *potentials)
{
    const struct qsv_lif *l = &c->model->graph.lifs[lif];
    const struct qsv_value *in = info(c, from), *out = info(c, to);
    const struct qsv_grid g = grid(c, to);
    const float *x = qsv_step_value(c, from);
    uint64_t *spikes = qsv_step_value(c, to), fired = 0;
    for (uint32_t ch = 0; ch < out->shape.c; ch++) {
        const struct qsv_lif_channel f = {
            .x = x + ch * qsv_value_stride(in, c->n),
            .spikes = spikes + ch * (g.n / QSV_WORD),
            .x_steps = in->steps,
            .steps = g.steps,
            .block = g.block,
            .positions = g.images * g.h * g.w,
            .v_th = l->v_th,
            .decay = 1 / l->tau,
            .potential = potentials ? &potentials[ch] : NULL,
        };
        fired += c->kernels->lif(&f);
    }
    return fired;
}

/* n bits from bit `at` on, as words; bits behind them are 0. */
static void copy_bits(uint64_t *out, const uint64_t *in, size_t at, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 64) {
        uint64_t bits = in[(at + i) / 64] >> (at + i) % 64;
        if ((at + i) % 64)
            bits |= in[(at + i) / 64 + 1] << (64 - (at + i) % 64);
        out[i / 64] = n - i < 64 ? bits & (((uint64_t)1 << (n - i)) - 1) : bits;
    }
}

/* One head of one frame. */
static uint64_t attend_head(struct qsv_step_context *c, const struct qsv_plan_step *s,
                            uint32_t head, size_t frame)
{
    const struct qsv_attention *a = &c->model->graph.attentions[s->index];
    const uint32_t channels = a->channels / a->heads, words = (a->tokens + 63) / 64;
    const size_t in_words = grid(c, s->in[0]).n / QSV_WORD,
                 stride = qsv_value_stride(info(c, s->out), c->n);
    for (uint32_t k = 0; k < 3; k++) {
        const uint64_t *in = qsv_step_value(c, s->in[k]);
        for (uint32_t ch = 0; ch < channels; ch++)
            copy_bits(c->scratch.heads + ((size_t)k * channels + ch) * words,
                      in + (head * channels + ch) * in_words, frame, a->tokens);
    }
    float *out = qsv_step_value(c, s->out);
    const struct qsv_attend call = {
        .q = c->scratch.heads,
        .k = c->scratch.heads + (size_t)channels * words,
        .v = c->scratch.heads + (size_t)2 * channels * words,
        .channels = channels,
        .words = words,
        .tokens = a->tokens,
        .scale = a->scale,
        .counts = c->scratch.counts,
        .out = out + head * channels * stride + frame,
        .out_stride = stride,
    };
    return c->kernels->attend(&call);
}

uint64_t qsv_step_attention(struct qsv_step_context *c, const struct qsv_plan_step *s)
{
    const struct qsv_attention *a = &c->model->graph.attentions[s->index];
    const struct qsv_grid g = grid(c, s->out);
    uint64_t n = 0;
    /* Frames by rising position: what one writes past its end, the next overwrites. */
    for (uint32_t head = 0; head < a->heads; head++)
        for (uint32_t t = 0; t < g.steps; t++)
            for (uint32_t i = 0; i < g.images; i++)
                n += attend_head(c, s, head, (size_t)t * g.block + (size_t)i * a->tokens);
    return n;
}

void qsv_step_add(struct qsv_step_context *c, uint32_t in0, uint32_t in1, uint32_t to)
{
    const struct qsv_value *a = info(c, in0), *b = info(c, in1), *out = info(c, to);
    const struct qsv_grid g = grid(c, to);
    const float *x = qsv_step_value(c, in0), *y = qsv_step_value(c, in1);
    float *sum = qsv_step_value(c, to);
    for (uint32_t ch = 0; ch < out->shape.c; ch++)
        for (uint32_t t = 0; t < g.steps; t++) {
            const size_t at = (size_t)t * g.block;
            c->kernels->add(sum + ch * qsv_value_stride(out, c->n) + at,
                            x + ch * qsv_value_stride(a, c->n) + (a->steps > 1 ? at : 0),
                            y + ch * qsv_value_stride(b, c->n) + (b->steps > 1 ? at : 0), g.block);
        }
}

void qsv_step_pool(struct qsv_step_context *c, const struct qsv_plan_step *s)
{
    const struct qsv_value *in = info(c, s->in[0]), *out = info(c, s->out);
    const struct qsv_grid gi = grid(c, s->in[0]), go = grid(c, s->out);
    const uint32_t pixels = gi.h * gi.w;
    const float *x = qsv_step_value(c, s->in[0]);
    float *y = qsv_step_value(c, s->out);
    for (uint32_t ch = 0; ch < in->shape.c; ch++)
        for (uint32_t t = 0; t < gi.steps; t++)
            for (uint32_t i = 0; i < gi.images; i++) {
                const float *from =
                    x + ch * qsv_value_stride(in, c->n) + (size_t)t * gi.block + (size_t)i * pixels;
                float sum = 0;
                for (uint32_t p = 0; p < pixels; p++)
                    sum += from[p];
                y[ch * qsv_value_stride(out, c->n) + (size_t)t * go.block + i] =
                    sum / (float)pixels;
            }
}

void qsv_step_readout(struct qsv_step_context *c, const struct qsv_plan_step *s)
{
    const struct qsv_value *out = info(c, s->out);
    const size_t stride = qsv_value_stride(out, c->n);
    float *y = qsv_step_value(c, s->out);
    for (uint32_t ch = 0; ch < out->shape.c; ch++)
        for (uint32_t i = 0; i < c->n; i++) {
            float sum = 0;
            for (uint32_t k = 0; k < s->n_in; k++) {
                const struct qsv_grid g = grid(c, s->in[k]);
                const float *x = qsv_step_value(c, s->in[k]);
                float over_time = 0;
                x += ch * qsv_value_stride(info(c, s->in[k]), c->n);
                for (uint32_t t = 0; t < g.steps; t++)
                    over_time += x[(size_t)t * g.block + i];
                sum += over_time / (float)g.steps;
            }
            y[ch * stride + i] = sum / (float)s->n_in;
        }
}

void qsv_step_logits(const struct qsv_step_context *c, uint32_t v, uint32_t image, float *out)
{
    const float *x = qsv_step_value(c, v);
    for (uint32_t ch = 0; ch < info(c, v)->shape.c; ch++)
        out[ch] = x[ch * qsv_value_stride(info(c, v), c->n) + image];
}

void qsv_step_spike_bytes(const struct qsv_step_context *c, uint32_t v, uint8_t *out)
{
    const struct qsv_grid g = grid(c, v);
    const uint64_t *spikes = qsv_step_value(c, v);
    const uint32_t pixels = g.h * g.w;
    for (uint32_t i = 0; i < g.images; i++)
        for (uint32_t t = 0; t < g.steps; t++)
            for (uint32_t ch = 0; ch < info(c, v)->shape.c; ch++)
                for (uint32_t p = 0; p < pixels; p++) {
                    const size_t at = (size_t)t * g.block + (size_t)i * pixels + p;
                    *out++ = spikes[ch * (g.n / 64) + at / 64] >> at % 64 & 1;
                }
}
