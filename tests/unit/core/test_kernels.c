/* Every kernel table that this CPU runs against the scalar one, bit for bit, at sizes below, at and
 * above a word of positions, with silent, full and random spikes and the largest codes; the scalar
 * one against sums written down here. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/engine/grid.h"
#include "core/engine/weights.h"
#include "core/kernels/kernels.h"

enum { SEED = 20 };

static uint32_t round_up(uint32_t n, uint32_t to)
{
    return (n + to - 1) / to * to;
}

static float *random_values(struct qsv_rng *r, size_t n)
{
    float *v = qsv_alloc_aligned(n + 64, sizeof *v);
    assert_non_null(v);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(qsv_rng_unit(r) * 4 - 2);
    return v;
}

/* [channels][n / 64], a word to spare on either side; free what *memory becomes. */
static uint64_t *random_spikes(struct qsv_rng *r, const struct qsv_grid *g, uint32_t channels,
                               double rate, uint64_t **memory)
{
    size_t words = g->n / 64;
    *memory = qsv_alloc_aligned(channels * words + 2, sizeof **memory);
    assert_non_null(*memory);
    uint64_t *s = *memory + 1;
    for (uint32_t c = 0; c < channels; c++)
        for (size_t p = 0; p < g->n; p++)
            if (p % g->block < (size_t)g->images * g->h * g->w && qsv_rng_unit(r) < rate)
                s[c * words + p / 64] |= (uint64_t)1 << p % 64;
    return s;
}

struct conv_case {
    uint32_t in_ch, out_ch, h, w, kernel, stride, pad, images, steps;
    int code_max; /* 0: f32 values */
    double rate;
};

static const struct conv_case conv_cases[] = {
    {1, 1, 1, 1, 1, 1, 0, 1, 1, 127, 0.5},  {6, 4, 8, 8, 1, 1, 0, 1, 2, 7, 0.2},
    {7, 5, 3, 3, 3, 1, 1, 2, 1, 7, 0.3},    {13, 9, 5, 7, 3, 1, 1, 3, 2, 31, 0.4},
    {24, 16, 12, 12, 3, 1, 1, 1, 4, 8, 1},  {48, 6, 4, 4, 3, 1, 1, 5, 3, 128, 1},
    {130, 12, 5, 5, 3, 1, 1, 2, 2, 128, 1}, {70, 8, 11, 6, 3, 1, 1, 2, 1, 32, 1},
    {8, 12, 9, 8, 3, 2, 1, 3, 2, 7, 0.3},   {5, 4, 7, 70, 3, 2, 1, 1, 1, 1, 0.5},
    {4, 4, 6, 6, 5, 3, 2, 2, 1, 3, 0.4},    {3, 8, 6, 5, 3, 1, 0, 1, 2, 3, 0.5},
    {20, 8, 4, 4, 1, 1, 0, 4, 4, 127, 0},   {180, 5, 5, 6, 3, 1, 1, 1, 3, 32, 1},
    {9, 6, 9, 9, 3, 1, 1, 1, 8, 7, 0.3},    {20, 7, 9, 9, 3, 1, 1, 2, 4, 127, 0.3},
    {11, 4, 13, 5, 3, 1, 1, 5, 3, 99, 0.4}, {200, 4, 7, 7, 3, 1, 1, 3, 4, 127, 0.5},
    {1, 1, 1, 1, 3, 1, 1, 1, 1, 0, 1},      {16, 64, 5, 5, 3, 1, 1, 3, 2, 0, 0.3},
    {33, 65, 4, 7, 3, 2, 1, 2, 1, 0, 0.2},  {80, 144, 3, 3, 1, 1, 0, 7, 2, 0, 0.5},
    {9, 17, 6, 5, 5, 1, 2, 2, 1, 0, 1},
};

static struct qsv_layer layer_of(const struct conv_case *t)
{
    return (struct qsv_layer){
        .name = (char *)(uintptr_t) "layer",
        .out_ch = t->out_ch,
        .in_ch = t->in_ch,
        .groups = 1,
        .kernel = t->kernel,
        .stride = t->stride,
        .pad = t->pad,
        .spike_input = true,
        .in = {t->in_ch, t->h, t->w},
        .out = {t->out_ch, (t->h + 2 * t->pad - t->kernel) / t->stride + 1,
                (t->w + 2 * t->pad - t->kernel) / t->stride + 1},
        .n_weights = (uint64_t)t->out_ch * t->in_ch * t->kernel * t->kernel,
    };
}

/* A convolution by definition: codes or values [out][in][ky][kx], sums in the stated order. */
static float by_definition(const struct qsv_layer *l, const struct qsv_bank_entry *e,
                           const uint64_t *spikes, const struct qsv_grid *in, uint32_t o,
                           uint32_t frame, uint32_t oy, uint32_t ox)
{
    float real = 0;
    int32_t sum = 0;
    for (uint32_t k = 0; k < l->kernel * l->kernel * l->in_ch; k++) {
        const uint32_t tap = k / l->in_ch, c = k % l->in_ch;
        const int64_t y = (int64_t)oy * l->stride + tap / l->kernel - l->pad;
        const int64_t x = (int64_t)ox * l->stride + tap % l->kernel - l->pad;
        if (y < 0 || y >= in->h || x < 0 || x >= in->w)
            continue;
        const size_t p = (size_t)(frame / in->images) * in->block +
                         ((size_t)(frame % in->images) * in->h + (size_t)y) * in->w + (size_t)x;
        if (!(spikes[c * (in->n / 64) + p / 64] >> p % 64 & 1))
            continue;
        const size_t at = ((size_t)o * l->in_ch + c) * l->kernel * l->kernel + tap;
        sum += e->codes ? e->codes[at] : 0;
        real += e->codes ? 0 : e->values[at];
    }
    return e->codes ? (float)sum : real;
}

struct conv_data {
    struct qsv_layer layer;
    struct qsv_grid in, out;
    struct qsv_geometry geometry;
    struct qsv_bank_entry entry;
    int8_t *codes;
    float *values, *multiplier, *shift;
    uint64_t *spikes, *spikes_memory;
};

static void make_conv(struct conv_data *d, const struct conv_case *t, uint64_t seed)
{
    struct qsv_rng r;
    qsv_rng_seed(&r, seed);
    memset(d, 0, sizeof *d);
    d->layer = layer_of(t);
    d->in = qsv_grid_of(t->images, t->h, t->w, t->steps);
    d->out = qsv_grid_of(t->images, d->layer.out.h, d->layer.out.w, t->steps);
    d->spikes = random_spikes(&r, &d->in, t->in_ch, t->rate, &d->spikes_memory);
    size_t n = (size_t)d->layer.n_weights;
    d->codes = qsv_alloc(n, 1);
    for (size_t i = 0; t->code_max && i < n; i++)
        d->codes[i] = (int8_t)(t->rate == 1 ? (seed % 2 ? -t->code_max : t->code_max - 1)
                                            : (int)qsv_rng_below(&r, 2u * (unsigned)t->code_max) -
                                                  t->code_max);
    d->values = random_values(&r, n);
    d->multiplier = random_values(&r, t->out_ch);
    d->shift = random_values(&r, t->out_ch);
    d->entry = (struct qsv_bank_entry){.format = t->code_max ? QSV_INT8 : QSV_F32,
                                       .codes = t->code_max ? d->codes : NULL,
                                       .values = t->code_max ? NULL : d->values};
    assert_int_equal(qsv_geometry_make(&d->geometry, &d->layer, t->images, NULL), QSV_OK);
}

static void drop_conv(struct conv_data *d)
{
    qsv_geometry_fini(&d->geometry);
    free(d->codes);
    free(d->values);
    free(d->multiplier);
    free(d->shift);
    free(d->spikes_memory);
}

/* Runs code_conv; what goes out where is set in `call` already. */
static uint64_t run_codes(const struct qsv_kernels *k, struct conv_data *d,
                          const struct qsv_weights *w, struct qsv_code_conv *call)
{
    const struct qsv_layer *l = &d->layer;
    const uint32_t groups = w->sums.groups;
    const size_t slack = round_up(l->pad * l->in.w + l->pad + QSV_TILE, 64);
    uint8_t *memory = qsv_alloc_aligned(qsv_layer_planes(l) * groups * d->out.n + 2 * slack, 1);
    uint8_t *input = qsv_alloc_aligned(groups * d->in.n, 1), *index = memory + slack;
    k->make_index(input, d->in.n, d->spikes, l->in_ch, (uint32_t)d->in.n);
    if (qsv_layer_is_same(l))
        memcpy(index, input, groups * d->in.n);
    else
        qsv_grid_gather(index, input, &d->geometry, l, groups, d->in.steps);
    call->index = index;
    call->index_stride = d->out.n;
    call->plane_stride = groups * d->out.n;
    call->taps = d->geometry.taps;
    call->steps = d->out.steps;
    call->block = d->out.block;
    call->positions = d->out.images * d->out.h * d->out.w;
    call->weights = &w->sums;
    call->multiplier = d->multiplier;
    call->shift = d->shift;
    call->tables = qsv_alloc_aligned(k->table_bytes(w->sums.taps, groups), 1);
    const uint64_t fired = k->code_conv(call);
    free(memory);
    free(input);
    free(call->tables);
    return fired;
}

static void run_rows(const struct qsv_kernels *k, struct conv_data *d, const struct qsv_weights *w,
                     float *out, size_t stride)
{
    const struct qsv_layer *l = &d->layer;
    const uint32_t groups = (l->in_ch + k->index_bits - 1) / k->index_bits,
                   pixels = d->in.images * d->in.h * d->in.w;
    uint8_t *index = qsv_alloc_aligned(groups * d->in.n + 64, 1);
    uint16_t *events = qsv_alloc((size_t)pixels * l->in_ch + 32, 2);
    uint32_t *first = qsv_alloc(pixels + 1, 4),
             *list = qsv_alloc(2 * ((size_t)l->kernel * l->kernel * l->in_ch + 16), 4);
    float *tile = qsv_alloc_aligned((size_t)16 * (w->width + 128), 4);
    struct qsv_row_conv call = {events,    first,     w->values, w->width, d->in.images,
                                d->in.h,   d->in.w,   d->out.h,  d->out.w, l->in_ch,
                                l->out_ch, l->kernel, l->stride, l->pad,   d->multiplier,
                                d->shift,  out,       stride,    list,     tile};
    k->make_index(index, d->in.n, d->spikes, l->in_ch, (uint32_t)d->in.n);
    for (uint32_t t = 0; t < d->in.steps; t++) {
        k->list_events(events, first, index + (size_t)t * d->in.block, d->in.n, groups, pixels);
        call.out = out + (size_t)t * d->out.block;
        k->row_conv(&call);
    }
    free(index);
    free(events);
    free(first);
    free(list);
    free(tile);
}

static void check_conv(const struct qsv_kernels *k, const struct conv_case *t, uint64_t seed)
{
    struct conv_data d;
    struct qsv_weights w;
    make_conv(&d, t, seed);
    assert_int_equal(qsv_weights_init(&w, &d.layer, &d.entry, k, NULL), QSV_OK);
    size_t stride = d.out.n + 64;
    float *out = qsv_alloc_aligned(t->out_ch * stride, sizeof *out);
    if (t->code_max)
        run_codes(k, &d, &w, &(struct qsv_code_conv){.out = out, .out_stride = stride});
    else
        run_rows(k, &d, &w, out, stride);
    for (uint32_t o = 0; o < t->out_ch; o++)
        for (uint32_t f = 0; f < t->steps * t->images; f++)
            for (uint32_t p = 0; p < d.out.h * d.out.w; p++) {
                float want = by_definition(&d.layer, &d.entry, d.spikes, &d.in, o, f, p / d.out.w,
                                           p % d.out.w);
                want = fmaf(want, d.multiplier[o], d.shift[o]);
                float got = out[o * stride + (size_t)(f / t->images) * d.out.block +
                                (size_t)(f % t->images) * d.out.h * d.out.w + p];
                if (memcmp(&want, &got, sizeof got))
                    fail_msg(
                        "%s: case %zu seed %llu output %u frame %u pixel %u: %.9g, expected %.9g",
                        k->isa, (size_t)(t - conv_cases), (unsigned long long)seed, o, f, p,
                        (double)got, (double)want);
            }
    free(out);
    qsv_weights_fini(&w);
    drop_conv(&d);
}

/* The residual and the neurons that code_conv takes over, against the same one after the other. */
static void check_fused(const struct qsv_kernels *k, const struct conv_case *t, uint32_t kind)
{
    struct conv_data d;
    struct qsv_weights w;
    struct qsv_rng r;
    make_conv(&d, t, SEED);
    qsv_rng_seed(&r, kind);
    assert_int_equal(qsv_weights_init(&w, &d.layer, &d.entry, k, NULL), QSV_OK);
    const size_t stride = d.out.n + 64, words = d.out.block / 64;
    const bool keeps = kind & 1, adds = kind & 2, once = kind & 4;
    float *sum = qsv_alloc_aligned(t->out_ch * stride, sizeof *sum),
          *out = qsv_alloc_aligned(t->out_ch * stride, sizeof *out);
    float *residual = random_values(&r, t->out_ch * stride);
    uint64_t *want = qsv_alloc(t->out_ch * t->steps, words * 8),
             *got = qsv_alloc(t->out_ch * t->steps, words * 8), fired = 0;
    int64_t want_sum[256], got_sum[256];
    memset(got, 0xff, t->out_ch * t->steps * words * 8);
    struct qsv_code_conv call = {.out = sum, .out_stride = stride};
    run_codes(k, &d, &w, &call);
    for (uint32_t o = 0; o < t->out_ch; o++) {
        want_sum[o] = got_sum[o] = o;
        for (size_t p = 0; adds && p < d.out.n; p++)
            sum[o * stride + p] += residual[o * stride + (once ? p % d.out.block : p)];
        struct qsv_lif_channel f = {sum + o * stride,
                                    want + o * t->steps * words,
                                    t->steps,
                                    t->steps,
                                    d.out.block,
                                    call.positions,
                                    0.75f,
                                    0.4f,
                                    &want_sum[o]};
        fired += qsv_kernels_scalar.lif(&f);
    }
    struct qsv_code_conv fused = {.out = keeps ? out : NULL,
                                  .out_stride = stride,
                                  .residual = adds ? residual : NULL,
                                  .residual_stride = stride,
                                  .residual_steps = once ? 1 : t->steps,
                                  .spikes = got,
                                  .v_th = 0.75f,
                                  .decay = 0.4f,
                                  .potential = kind & 8 ? got_sum : NULL};
    assert_int_equal(run_codes(k, &d, &w, &fused), fired);
    assert_memory_equal(want, got, t->out_ch * t->steps * words * 8);
    for (uint32_t o = 0; o < t->out_ch; o++)
        assert_int_equal(got_sum[o], kind & 8 ? want_sum[o] : o);
    for (size_t i = 0; keeps && i < t->out_ch * stride; i++)
        if (i % stride < d.out.n && i % stride % d.out.block < call.positions)
            assert_memory_equal(&sum[i], &out[i], sizeof *out);
    free(sum);
    free(out);
    free(residual);
    free(want);
    free(got);
    qsv_weights_fini(&w);
    drop_conv(&d);
}

#define EACH_TABLE(k)                                                                              \
    for (size_t k##_i = 0; qsv_kernels_built[k##_i]; k##_i++)                                      \
        for (const struct qsv_kernels *k = qsv_kernels_built[k##_i]; k && qsv_kernels_usable(k);   \
             k = NULL)

static void test_conv(void **state)
{
    (void)state;
    EACH_TABLE(k)
    for (size_t c = 0; c < sizeof conv_cases / sizeof *conv_cases; c++)
        for (uint64_t seed = SEED; seed < SEED + 3; seed++)
            check_conv(k, &conv_cases[c], seed);
}

static void test_fused(void **state)
{
    (void)state;
    EACH_TABLE(k)
    for (size_t c = 0; c < sizeof conv_cases / sizeof *conv_cases; c++)
        for (uint32_t kind = 0; conv_cases[c].code_max && kind < 16; kind++)
            check_fused(k, &conv_cases[c], kind);
}

/* Accumulates counted by classes of reach are those of the definition. */
static void test_weigh(void **state)
{
    (void)state;
    EACH_TABLE(k)
    for (size_t c = 0; c < sizeof conv_cases / sizeof *conv_cases; c++) {
        struct conv_data d;
        make_conv(&d, &conv_cases[c], SEED);
        const struct qsv_layer *l = &d.layer;
        uint64_t got = 0, want = 0;
        for (uint32_t ch = 0; ch < l->in_ch; ch++)
            got += k->weigh(d.spikes + ch * (d.in.n / 64), d.in.steps, d.in.block / 64,
                            d.geometry.reach_mask, d.geometry.reach, d.geometry.n_classes);
        struct qsv_bank_entry ones = {.values = d.values};
        for (size_t i = 0; i < l->n_weights; i++)
            d.values[i] = 1;
        for (uint32_t f = 0; f < d.in.steps * d.in.images; f++)
            for (uint32_t p = 0; p < d.out.h * d.out.w; p++)
                want += (uint64_t)by_definition(l, &ones, d.spikes, &d.in, 0, f, p / d.out.w,
                                                p % d.out.w);
        assert_int_equal(got, want);
        drop_conv(&d);
    }
}

static void test_dense(void **state)
{
    static const uint32_t sizes[][4] = {/* steps, positions, k, outputs */
                                        {1, 64, 1, 1},   {2, 65, 49, 16},   {4, 4, 20, 7},
                                        {3, 49, 64, 65}, {1, 448, 147, 24}, {4, 196, 5, 3}};
    struct qsv_rng r;
    (void)state;
    qsv_rng_seed(&r, SEED);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const uint32_t steps = sizes[i][0], n = sizes[i][1], k = sizes[i][2], o = sizes[i][3],
                       block = round_up(n, 64);
        const size_t stride = steps * block + 64;
        float *x = random_values(&r, k * stride),
              *w = random_values(&r, (size_t)k * round_up(o, 4));
        static const float zeros[128];
        float *m = random_values(&r, o), *want = random_values(&r, o * stride),
              *got = random_values(&r, o * stride);
        for (uint32_t c = 0; c < o; c++)
            for (uint32_t p = 0; p < steps * block; p++) {
                float sum = 0;
                for (uint32_t j = 0; j < k; j++)
                    sum = fmaf(w[((size_t)(c / 4) * k + j) * 4 + c % 4], x[j * stride + p], sum);
                want[c * stride + p] = fmaf(sum, m[c], zeros[c]);
            }
        EACH_TABLE(t)
        {
            struct qsv_dense d = {x, stride, w, k, o, steps, block, n, m, zeros, got, stride};
            t->dense(&d);
            for (uint32_t c = 0; c < o; c++)
                for (size_t at = c * stride; at < c * stride + steps * block; at += block)
                    assert_memory_equal(want + at, got + at, n * sizeof *got);
        }
        free(x);
        free(w);
        free(m);
        free(want);
        free(got);
    }
}

/* On reals and on spikes, f32 and codes, against sums over the taps in order. */
static void test_depthwise(void **state)
{
    static const uint32_t sizes[][5] = {/* h, w, kernel, images, steps */
                                        {1, 1, 7, 1, 1},  {2, 9, 7, 3, 2},  {7, 7, 3, 4, 4},
                                        {14, 5, 7, 1, 2}, {9, 70, 7, 1, 1}, {6, 6, 5, 2, 3}};
    static const int code_max[] = {1, 7, 32, 128};
    struct qsv_rng r;
    (void)state;
    qsv_rng_seed(&r, SEED);
    for (size_t i = 0; i < 4 * sizeof sizes / sizeof *sizes; i++) {
        const uint32_t *s = sizes[i / 4], taps = s[2] * s[2];
        const int max = code_max[i % 4];
        struct qsv_layer l = {.name = (char *)(uintptr_t) "dw",
                              .out_ch = 1,
                              .in_ch = 1,
                              .groups = 2,
                              .kernel = s[2],
                              .stride = 1,
                              .pad = s[2] / 2,
                              .in = {1, s[0], s[1]},
                              .out = {1, s[0], s[1]}};
        struct qsv_grid g = qsv_grid_of(s[3], s[0], s[1], s[4]);
        struct qsv_geometry geometry = {0};
        uint64_t *memory, *spikes = random_spikes(&r, &g, 1, max == 128 ? 1 : 0.4, &memory);
        float *x = random_values(&r, g.n), *w = random_values(&r, taps),
              *out = random_values(&r, g.n);
        const size_t slack = (size_t)(l.pad * l.in.w + l.pad + 64);
        uint8_t *index = qsv_alloc_aligned(g.n + 2 * slack, 1);
        int8_t codes[49];
        assert_int_equal(qsv_geometry_make(&geometry, &l, s[3], NULL), QSV_OK);
        for (uint32_t t = 0; t < taps; t++)
            codes[t] = (int8_t)((int)qsv_rng_below(&r, 2u * (unsigned)max) - max);
        EACH_TABLE(k)
        for (int kind = 0; kind < 2; kind++) {
            struct qsv_depthwise real = {x, w, geometry.taps, g.steps, g.block, 0.75f, 0.5f, out};
            struct qsv_code_depthwise code = {spikes, codes, geometry.taps, s[2],
                                              l.pad,  max,   g.steps,       g.block,
                                              0.75f,  0.5f,  out,           index + slack};
            if (kind)
                k->code_depthwise(&code);
            else
                k->depthwise(&real);
            for (size_t p = 0; p < g.n; p++) {
                float sum = 0;
                if (p % g.block >= (size_t)s[3] * s[0] * s[1])
                    continue;
                for (uint32_t t = 0; t < taps; t++) {
                    if (!(geometry.mask[t * (g.block / 64) + p % g.block / 64] >> p % 64 & 1))
                        continue;
                    size_t at = (size_t)((ptrdiff_t)p + geometry.offset[t]);
                    if (!kind)
                        sum = fmaf(w[t], x[at], sum);
                    else if (spikes[at / 64] >> at % 64 & 1)
                        sum += (float)codes[t];
                }
                sum = fmaf(sum, 0.75f, 0.5f);
                assert_memory_equal(&sum, &out[p], sizeof sum);
            }
        }
        qsv_geometry_fini(&geometry);
        free(memory);
        free(x);
        free(w);
        free(out);
        free(index);
    }
}

/* Inputs that sit on the threshold, on the clip and on ties of the fixed-point potential. */
static float edge_value(struct qsv_rng *r)
{
    static const float edges[] = {0,    1,     2,          2.0000002f, 1.9999999f,  256,   300,
                                  -256, -1000, 1 / 256.0f, 3 / 512.0f, -3 / 512.0f, 1e30f, -1e30f};
    uint64_t i = qsv_rng_below(r, 3 * sizeof edges / sizeof *edges);
    return i < sizeof edges / sizeof *edges ? edges[i] : (float)(qsv_rng_unit(r) * 5 - 2);
}

static void test_lif(void **state)
{
    static const uint32_t sizes[][3] = {{1, 1, 1}, {70, 4, 4}, {128, 4, 1}, {300, 3, 3}};
    struct qsv_rng r;
    (void)state;
    qsv_rng_seed(&r, SEED);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint32_t positions = sizes[i][0], steps = sizes[i][1], x_steps = sizes[i][2],
                 block = round_up(positions, 64);
        float *x = qsv_alloc_aligned((size_t)block * x_steps, sizeof *x);
        uint64_t want[64], got[64];
        int64_t want_sum = 5, got_sum;
        for (size_t c = 0; c < (size_t)block * x_steps; c++)
            x[c] = edge_value(&r);
        struct qsv_lif_channel f = {x, want, x_steps, steps, block, positions, 1, 0.5f, &want_sum};
        uint64_t fired = qsv_kernels_scalar.lif(&f);
        EACH_TABLE(k)
        {
            got_sum = 5;
            memset(got, 0xff, sizeof got);
            f.spikes = got;
            f.potential = &got_sum;
            assert_int_equal(k->lif(&f), fired);
            assert_memory_equal(want, got, (size_t)block / 8 * steps);
            assert_int_equal(want_sum, got_sum);
        }
        free(x);
    }
}

/* By hand: x = 2 gives h = 1 at once, which is on the threshold and fires. */
static void test_lif_by_hand(void **state)
{
    float x[2][64] = {{2, 1.5f, 0, -4}, {2, 1.5f, 0, -4}};
    (void)state;
    EACH_TABLE(k)
    {
        uint64_t spikes[2];
        int64_t potential = 0;
        struct qsv_lif_channel f = {&x[0][0], spikes, 2, 2, 64, 4, 1, 0.5f, &potential};
        assert_int_equal(k->lif(&f), 3);
        assert_int_equal(spikes[0], 1);     /* h = 1, 0.75, 0, -2 */
        assert_int_equal(spikes[1], 1 | 2); /* h = 1, 1.125, 0, -3 */
        assert_int_equal(potential, 512 + 192 + 288 - 512 - 768);
    }
}

static void test_attend(void **state)
{
    static const uint32_t sizes[][2] = {{1, 1},   {8, 16},  {45, 196},
                                        {17, 70}, {64, 64}, {9, 330}}; /* channels, tokens */
    struct qsv_rng r;
    (void)state;
    qsv_rng_seed(&r, SEED);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint32_t channels = sizes[i][0], tokens = sizes[i][1], words = (tokens + 63) / 64;
        struct qsv_grid g = {1, 1, tokens, 1, words * 64, words * 64};
        uint64_t *m[3], *q = random_spikes(&r, &g, channels, 0.3, &m[0]);
        uint64_t *k = random_spikes(&r, &g, channels, 0.3, &m[1]),
                 *v = random_spikes(&r, &g, channels, 0.3, &m[2]);
        int32_t *counts = qsv_alloc_aligned((size_t)channels * (channels + 16), 4);
        size_t stride = round_up(tokens, 16);
        float *out = qsv_alloc_aligned(channels * stride, 4);
        uint64_t adds = 0;
        for (uint32_t a = 0; a < channels; a++)
            for (uint32_t p = 0; p < tokens; p++) {
                adds += (q[a * words + p / 64] >> p % 64 & 1) * channels;
                for (uint32_t b = 0; b < channels; b++)
                    adds += k[a * words + p / 64] >> p % 64 & v[b * words + p / 64] >> p % 64 & 1;
            }
        EACH_TABLE(t)
        {
            struct qsv_attend call = {q,      k,      v,      channels, words,
                                      tokens, 0.125f, counts, out,      stride};
            assert_int_equal(t->attend(&call), adds);
            for (uint32_t j = 0; j < channels; j++)
                for (uint32_t p = 0; p < tokens; p += 3) {
                    int64_t sum = 0;
                    for (uint32_t a = 0; a < channels; a++)
                        for (uint32_t b = 0; b < tokens && q[a * words + p / 64] >> p % 64 & 1; b++)
                            sum += (int64_t)(k[a * words + b / 64] >> b % 64 &
                                             v[j * words + b / 64] >> b % 64 & 1);
                    assert_true(out[j * stride + p] == (float)sum * 0.125f);
                }
        }
        for (int b = 0; b < 3; b++)
            free(m[b]);
        free(counts);
        free(out);
    }
}

static void test_add_and_expand(void **state)
{
    struct qsv_rng r;
    (void)state;
    qsv_rng_seed(&r, SEED);
    float *a = random_values(&r, 320), *b = random_values(&r, 320), got[320];
    const uint64_t spikes[2] = {qsv_rng_next(&r), qsv_rng_next(&r)};
    EACH_TABLE(k)
    {
        k->add(got, a, b, 320);
        for (int i = 0; i < 320; i++)
            assert_true(got[i] == a[i] + b[i]);
        k->expand(got, spikes, 2);
        for (int i = 0; i < 128; i++)
            assert_true(got[i] == (float)(spikes[i / 64] >> i % 64 & 1));
    }
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv),           cmocka_unit_test(test_fused),
        cmocka_unit_test(test_weigh),          cmocka_unit_test(test_dense),
        cmocka_unit_test(test_depthwise),      cmocka_unit_test(test_lif),
        cmocka_unit_test(test_lif_by_hand),    cmocka_unit_test(test_attend),
        cmocka_unit_test(test_add_and_expand),
    };
    for (size_t i = 1; qsv_kernels_built[i]; i++)
        if (!qsv_kernels_usable(qsv_kernels_built[i]))
            print_message("NOT TESTED: this CPU lacks %s\n", qsv_kernels_built[i]->isa);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
