#include "core/engine/conv.h"

#include <string.h>

#include "core/engine/left_out.h"
#include "core/kernels/strided.h"

enum { PATCH_POSITIONS = 512, DENSE_POSITIONS = 16, ROW_TILE = 16, ROW_WIDTH = 128 };

struct conv { /* one call of qsv_step_conv */
    struct qsv_step_context *c;
    const struct qsv_plan_step *step;
    const struct qsv_layer *layer;
    const struct qsv_geometry *geometry;
    const struct qsv_weights *weights;
    const float *multiplier, *shift;
    struct qsv_grid in, out;
    const void *x;
    float *y;
    size_t x_stride, y_stride; /* floats a channel */
};

static void raise_to(size_t *need, size_t n)
{
    *need = n > *need ? n : *need;
}

static uint32_t groups_of(const struct qsv_layer *l, const struct qsv_kernels *k)
{
    return (l->in_ch + k->index_bits - 1) / k->index_bits;
}

static uint32_t taps_of(const struct qsv_layer *l)
{
    return l->kernel * l->kernel;
}

/* Bytes on either side of the indices that taps may read, and ignore. */
static size_t index_slack(const struct qsv_layer *l)
{
    return ((size_t)l->pad * l->in.w + l->pad + QSV_TILE + QSV_WORD) / QSV_WORD * QSV_WORD;
}

/* Whole output rows that a patch holds. */
static uint32_t patch_rows(const struct qsv_layer *l)
{
    return l->out.w >= PATCH_POSITIONS ? 1 : PATCH_POSITIONS / l->out.w;
}

static uint32_t round_up(uint32_t n, uint32_t to)
{
    return (n + to - 1) / to * to;
}

void qsv_conv_need(struct qsv_conv_needs *need, const struct qsv_layer *l,
                   const struct qsv_kernels *kernels, uint32_t max_batch, uint32_t steps)
{
    const struct qsv_grid in = qsv_grid_of(max_batch, l->in.h, l->in.w, steps);
    const struct qsv_grid out = qsv_grid_of(max_batch, l->out.h, l->out.w, steps);
    const size_t k = (size_t)taps_of(l) * l->in_ch, groups = groups_of(l, kernels);
    raise_to(&need->outputs, l->out_ch);
    if (l->groups > 1) {
        raise_to(&need->patches, in.n);
        raise_to(&need->index, in.n + 2 * index_slack(l));
        return;
    }
    if (!l->spike_input) {
        raise_to(&need->patches, k * (round_up(patch_rows(l) * l->out.w, DENSE_POSITIONS)));
        return;
    }
    raise_to(&need->index, groups * in.n + 2 * index_slack(l));
    raise_to(&need->tables, kernels->table_bytes(taps_of(l), (uint32_t)groups));
    raise_to(&need->events, (size_t)in.block * l->in_ch + 32);
    raise_to(&need->first_event, (size_t)in.block + 1);
    raise_to(&need->list, 2 * (k + 16));
    raise_to(&need->tile, (size_t)ROW_TILE * (l->out_ch + ROW_WIDTH));
    if (qsv_layer_is_same(l))
        return;
    raise_to(&need->gathered, groups * in.n);
    raise_to(&need->index, qsv_layer_planes(l) * groups * out.n + 2 * index_slack(l));
}

/* Returns the indices that taps read. */
static const uint8_t *index_spikes(const struct conv *v)
{
    const struct qsv_layer *l = v->layer;
    const struct qsv_kernels *kernels = v->c->kernels;
    uint8_t *index = v->c->scratch.index + index_slack(l);
    uint8_t *first = qsv_layer_is_same(l) ? index : v->c->scratch.gathered;
    kernels->make_index(first, v->in.n, v->x, l->in_ch, (uint32_t)v->in.n);
    if (first != index)
        qsv_grid_gather(index, first, v->geometry, l, groups_of(l, kernels), v->in.steps);
    return index;
}

static uint64_t code_conv(const struct conv *v, int64_t *potentials)
{
    const struct qsv_plan_step *s = v->step;
    struct qsv_code_conv call = {
        .index = index_spikes(v),
        .index_stride = v->out.n,
        .plane_stride = v->weights->sums.groups * v->out.n,
        .taps = v->geometry->taps,
        .steps = v->out.steps,
        .block = v->out.block,
        .positions = v->out.images * v->out.h * v->out.w,
        .weights = &v->weights->sums,
        .multiplier = v->multiplier,
        .shift = v->shift,
        .out = s->fires && !s->keeps ? NULL : v->y,
        .out_stride = v->y_stride,
        .tables = v->c->scratch.tables,
    };
    if (s->adds) {
        const struct qsv_value *r = &v->c->plan->values[s->residual];
        call.residual = qsv_step_value(v->c, s->residual);
        call.residual_stride = qsv_value_stride(r, v->c->n);
        call.residual_steps = r->steps;
    }
    if (s->fires) {
        const struct qsv_lif *lif = &v->c->model->graph.lifs[s->lif];
        call.spikes = qsv_step_value(v->c, s->spikes);
        call.v_th = lif->v_th;
        call.decay = 1 / lif->tau;
        call.potential = potentials;
    }
    return v->c->kernels->code_conv(&call);
}

static void row_conv(const struct conv *v)
{
    const struct qsv_layer *l = v->layer;
    const struct qsv_kernels *kernels = v->c->kernels;
    const struct qsv_scratch *s = &v->c->scratch;
    struct qsv_row_conv call = {
        .events = s->events,
        .first_event = s->first_event,
        .rows = v->weights->values,
        .width = v->weights->width,
        .images = v->in.images,
        .h = v->in.h,
        .w = v->in.w,
        .out_h = v->out.h,
        .out_w = v->out.w,
        .in_ch = l->in_ch,
        .out_ch = l->out_ch,
        .kernel = l->kernel,
        .step = l->stride,
        .pad = l->pad,
        .multiplier = v->multiplier,
        .shift = v->shift,
        .out_stride = v->y_stride,
        .list = s->list,
        .tile = s->tile,
    };
    kernels->make_index(s->index, v->in.n, v->x, l->in_ch, (uint32_t)v->in.n);
    for (uint32_t t = 0; t < v->in.steps; t++) {
        kernels->list_events(s->events, s->first_event, s->index + (size_t)t * v->in.block, v->in.n,
                             groups_of(l, kernels), v->in.images * v->in.h * v->in.w);
        call.out = v->y + (size_t)t * v->out.block;
        kernels->row_conv(&call);
    }
}

static void code_depthwise(const struct conv *v)
{
    const uint64_t *spikes = v->x;
    for (uint32_t ch = 0; ch < v->layer->out_ch; ch++) {
        const struct qsv_code_depthwise call = {
            .spikes = spikes + ch * (v->in.n / QSV_WORD),
            .codes = v->weights->codes + (size_t)ch * taps_of(v->layer),
            .taps = v->geometry->taps,
            .kernel = v->layer->kernel,
            .pad = v->layer->pad,
            .code_max = v->weights->code_max,
            .steps = v->out.steps,
            .block = v->out.block,
            .multiplier = v->multiplier[ch],
            .shift = v->shift[ch],
            .out = v->y + ch * v->y_stride,
            .index = v->c->scratch.index + index_slack(v->layer),
        };
        v->c->kernels->code_depthwise(&call);
    }
}

static void depthwise(const struct conv *v)
{
    const struct qsv_layer *l = v->layer;
    for (uint32_t ch = 0; ch < l->out_ch; ch++) {
        const float *x = v->x;
        x += ch * v->x_stride;
        if (l->spike_input) {
            const uint64_t *spikes = v->x;
            v->c->kernels->expand(v->c->scratch.patches, spikes + ch * (v->in.n / QSV_WORD),
                                  v->in.n / QSV_WORD);
            x = v->c->scratch.patches;
        }
        const struct qsv_depthwise call = {
            .x = x,
            .weight = v->weights->values + (size_t)ch * taps_of(l),
            .taps = v->geometry->taps,
            .steps = v->out.steps,
            .block = v->out.block,
            .multiplier = v->multiplier[ch],
            .shift = v->shift[ch],
            .out = v->y + ch * v->y_stride,
        };
        v->c->kernels->depthwise(&call);
    }
}

/* Inputs of one tap and channel for output rows [oy, oy + rows) of an image. */
static void gather_patch(float *out, const struct qsv_layer *l, const float *x, uint32_t tap,
                         uint32_t oy, uint32_t rows)
{
    const int64_t dy = (int64_t)(tap / l->kernel) - l->pad,
                  dx = (int64_t)(tap % l->kernel) - l->pad;
    const struct qsv_window w = qsv_window_of(dx, l->stride, l->in.w, l->out.w);
    memset(out, 0, (size_t)rows * l->out.w * sizeof *out);
    for (uint32_t r = 0; r < rows; r++, out += l->out.w) {
        const int64_t y = (int64_t)(oy + r) * l->stride + dy;
        if (y >= 0 && y < l->in.h)
            qsv_strided_floats(out + w.first, x + y * l->in.w + (int64_t)w.first * l->stride + dx,
                               l->stride, w.end - w.first);
    }
}

static void patches(const struct conv *v, struct qsv_dense *call, const float *image, float *out,
                    uint32_t oy)
{
    const struct qsv_layer *l = v->layer;
    const uint32_t rows = l->out.h - oy < patch_rows(l) ? l->out.h - oy : patch_rows(l);
    float *k = v->c->scratch.patches;
    call->positions = call->block = rows * l->out.w;
    call->x_stride = round_up(call->positions, DENSE_POSITIONS);
    call->x = k;
    call->out = out + (size_t)oy * l->out.w;
    for (uint32_t t = 0; t < taps_of(l); t++)
        for (uint32_t ch = 0; ch < l->in_ch; ch++, k += call->x_stride)
            gather_patch(k, l, image + ch * v->x_stride, t, oy, rows);
    v->c->kernels->dense(call);
}

static void dense(const struct conv *v)
{
    const struct qsv_layer *l = v->layer;
    struct qsv_dense call = {
        .x = v->x,
        .x_stride = v->x_stride,
        .weight = v->weights->values,
        .k = taps_of(l) * l->in_ch,
        .out_ch = l->out_ch,
        .steps = 1,
        .multiplier = v->multiplier,
        .shift = v->shift,
        .out = v->y,
        .out_stride = v->y_stride,
    };
    if (l->kernel == 1 && l->stride == 1) {
        call.steps = v->out.steps;
        call.block = v->out.block;
        call.positions = v->out.images * v->out.h * v->out.w;
        v->c->kernels->dense(&call);
        return;
    }
    /* By rising position: what a patch writes past its end, the next overwrites. */
    for (uint32_t t = 0; t < v->out.steps; t++)
        for (uint32_t i = 0; i < v->out.images; i++) {
            const float *image =
                (const float *)v->x + (size_t)t * v->in.block + (size_t)i * v->in.h * v->in.w;
            float *out = v->y + (size_t)t * v->out.block + (size_t)i * v->out.h * v->out.w;
            for (uint32_t oy = 0; oy < l->out.h; oy += patch_rows(l))
                patches(v, &call, image, out, oy);
        }
}

static uint64_t count_accumulates(const struct conv *v)
{
    const struct qsv_geometry *g = v->geometry;
    const uint32_t words = v->in.block / QSV_WORD;
    const uint64_t *spikes = v->x;
    uint64_t n = 0;
    for (uint32_t ch = 0; ch < v->layer->in.c; ch++)
        n += v->c->kernels->weigh(spikes + (size_t)ch * v->in.steps * words, v->in.steps, words,
                                  g->reach_mask, g->reach, g->n_classes);
    return n * (v->layer->groups > 1 ? 1 : v->layer->out_ch);
}

/* With kernels that do nothing but the layer: what the step has taken over follows. */
static uint64_t layer_alone(const struct conv *v, int64_t *potentials)
{
    const struct qsv_plan_step *s = v->step;
    if (v->layer->groups > 1 && v->weights->codes)
        code_depthwise(v);
    else if (v->layer->groups > 1)
        depthwise(v);
    else if (!v->layer->spike_input)
        dense(v);
    else
        row_conv(v);
    if (s->adds)
        qsv_step_add(v->c, s->residual, s->out, s->out);
    return s->fires ? qsv_step_neurons(v->c, s->lif, s->out, s->spikes, potentials) : 0;
}

struct qsv_conv_counts qsv_step_conv(struct qsv_step_context *c, const struct qsv_plan_step *s,
                                     const struct qsv_weights *w,
                                     const struct qsv_network_layer *post, int64_t *potentials)
{
    const struct qsv_value *in = &c->plan->values[s->in[0]], *out = &c->plan->values[s->out];
    const struct conv v = {
        .c = c,
        .step = s,
        .layer = &c->model->graph.layers[s->index],
        .geometry = &c->geometry[s->index],
        .weights = w,
        .multiplier = post->multiplier ? post->multiplier : c->scratch.ones,
        .shift = post->shift ? post->shift : c->scratch.zeros,
        .in = qsv_value_grid(in, c->n),
        .out = qsv_value_grid(out, c->n),
        .x = qsv_step_value(c, s->in[0]),
        .y = qsv_step_value(c, s->out),
        .x_stride = qsv_value_stride(in, c->n),
        .y_stride = qsv_value_stride(out, c->n),
    };
    struct qsv_conv_counts counts = {0, 0};
    if (w->left_out) {
        counts.fired = qsv_step_left_out(c, s, v.shift, potentials);
        return counts;
    }
    counts.fired = w->sums.taps ? code_conv(&v, potentials) : layer_alone(&v, potentials);
    if (in->spikes)
        counts.accumulates = count_accumulates(&v);
    return counts;
}
