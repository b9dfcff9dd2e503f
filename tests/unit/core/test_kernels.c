/* Every kernel table that this CPU runs against the scalar one, bit for bit, at sizes below, at and
 * above the vector width, with silent, full and random spikes and the largest codes. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/kernels/kernels.h"

enum { SEED = 20 };

static uint32_t round_up(uint32_t n, uint32_t to)
{
    return (n + to - 1) / to * to;
}

static float *random_values(struct qsv_rng *r, size_t n)
{
    float *v = qsv_alloc_aligned(n + QSV_LANES, sizeof *v);
    assert_non_null(v);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(qsv_rng_unit(r) * 4 - 2);
    return v;
}

/* [pixels][words], spikes in the first `channels` bits of each pixel. */
static uint16_t *random_spikes(struct qsv_rng *r, size_t pixels, uint32_t channels, double rate)
{
    uint32_t words = round_up(channels, 16) / 16;
    uint16_t *s = qsv_alloc_aligned(pixels * words, sizeof *s);
    assert_non_null(s);
    for (size_t p = 0; p < pixels; p++)
        for (uint32_t c = 0; c < channels; c++)
            if (qsv_rng_unit(r) < rate)
                s[p * words + c / 16] |= (uint16_t)(1u << c % 16);
    return s;
}

struct conv_case {
    uint32_t in_ch, out_ch, h, w, kernel, step, pad;
    int code_max; /* 0: f32 values */
    double rate;
};

static void run_conv(const struct qsv_kernels *k, const struct conv_case *t, uint64_t seed,
                     float **out, size_t *n_out, uint64_t *rows)
{
    struct qsv_rng r;
    qsv_rng_seed(&r, seed);
    struct qsv_spike_conv c = {
        .h = t->h,
        .w = t->w,
        .out_h = (t->h + 2 * t->pad - t->kernel) / t->step + 1,
        .out_w = (t->w + 2 * t->pad - t->kernel) / t->step + 1,
        .in_ch = t->in_ch,
        .in_words = round_up(t->in_ch, 16) / 16,
        .out_stride = round_up(t->out_ch, QSV_LANES),
        .width = round_up(t->out_ch, t->code_max ? QSV_ROW_LANES : QSV_LANES),
        .code_max = t->code_max,
        .kernel = t->kernel,
        .step = t->step,
        .pad = t->pad,
    };
    size_t k_rows = (size_t)t->kernel * t->kernel * t->in_ch, cells = k_rows * c.width;
    uint16_t *spikes = random_spikes(&r, (size_t)t->h * t->w, t->in_ch, t->rate);
    int8_t *codes = qsv_alloc_aligned(cells, 1);
    float *values = random_values(&r, cells), *multiplier = random_values(&r, c.out_stride);
    float *shift = random_values(&r, c.out_stride);
    for (size_t i = 0; t->code_max && i < cells; i++)
        codes[i] = (int8_t)(t->rate == 1
                                ? -t->code_max
                                : (int)qsv_rng_below(&r, 2u * (unsigned)t->code_max) - t->code_max);
    *n_out = (size_t)c.out_h * c.out_w * c.out_stride;
    *out = qsv_alloc_aligned(*n_out, sizeof **out);
    c.spikes = spikes;
    c.codes = t->code_max ? codes : NULL;
    c.values = t->code_max ? NULL : values;
    c.multiplier = seed % 3 ? multiplier : NULL;
    c.shift = seed % 4 ? shift : NULL;
    c.out = *out;
    c.events = qsv_alloc((size_t)t->h * t->w * t->in_ch + QSV_LANES, sizeof *c.events);
    c.first_event = qsv_alloc((size_t)t->h * t->w + 1, sizeof *c.first_event);
    c.rows = qsv_alloc(k_rows + QSV_LANES, sizeof *c.rows);
    c.sums = qsv_alloc_aligned(c.width, sizeof *c.sums);
    *rows = k->conv_spikes(&c);
    free(c.events);
    free(c.first_event);
    free(c.rows);
    free(c.sums);
    free(spikes);
    free(codes);
    free(values);
    free(multiplier);
    free(shift);
}

static void check_conv(const struct qsv_kernels *k, const struct conv_case *t, uint64_t seed)
{
    float *want, *got;
    size_t n;
    uint64_t want_rows, got_rows;
    run_conv(&qsv_kernels_scalar, t, seed, &want, &n, &want_rows);
    run_conv(k, t, seed, &got, &n, &got_rows);
    if (memcmp(want, got, n * sizeof *want) || want_rows != got_rows)
        fail_msg("%s: conv %u->%u %ux%u kernel %u/%u pad %u codes %d rate %g seed %llu differs",
                 k->isa, t->in_ch, t->out_ch, t->h, t->w, t->kernel, t->step, t->pad, t->code_max,
                 t->rate, (unsigned long long)seed);
    free(want);
    free(got);
}

static void test_conv_spikes(void **state)
{
    static const struct conv_case cases[] = {
        {1, 1, 1, 1, 1, 1, 0, 127, 0.5},    {16, 16, 4, 5, 1, 1, 0, 7, 0.2},
        {15, 31, 3, 3, 3, 1, 1, 7, 0.3},    {17, 33, 7, 5, 3, 1, 1, 31, 0.2},
        {48, 129, 6, 6, 3, 2, 1, 127, 0.1}, {64, 256, 4, 4, 3, 1, 1, 128, 1},
        {320, 80, 3, 3, 3, 1, 1, 128, 1},   {20, 70, 5, 4, 1, 2, 0, 1, 0.5},
        {8, 24, 6, 6, 5, 3, 2, 3, 0.4},     {32, 64, 4, 4, 3, 1, 1, 7, 0},
        {1, 1, 1, 1, 3, 1, 1, 0, 1},        {16, 64, 5, 5, 3, 1, 1, 0, 0.3},
        {33, 65, 4, 7, 3, 2, 1, 0, 0.2},    {80, 144, 3, 3, 1, 1, 0, 0, 0.5},
    };
    (void)state;
    for (size_t i = 1; qsv_kernels_built[i]; i++)
        for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
            for (uint64_t seed = SEED; qsv_kernels_usable(qsv_kernels_built[i]) && seed < SEED + 6;
                 seed++)
                check_conv(qsv_kernels_built[i], &cases[c], seed);
}

static void test_dense(void **state)
{
    static const uint32_t sizes[][3] = {/* pixels, k, width */
                                        {1, 1, 16},   {7, 49, 16},  {8, 3, 32},    {9, 20, 48},
                                        {16, 64, 64}, {49, 80, 80}, {23, 147, 112}};
    struct qsv_rng r;
    (void)state;
    qsv_rng_seed(&r, SEED);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint32_t pixels = sizes[i][0], k = sizes[i][1], width = sizes[i][2],
                 stride = round_up(k, 16);
        float *x = random_values(&r, (size_t)pixels * stride);
        float *w = random_values(&r, (size_t)k * width);
        float *want = qsv_alloc_aligned((size_t)pixels * width, sizeof *want);
        float *got = qsv_alloc_aligned((size_t)pixels * width, sizeof *got);
        qsv_kernels_scalar.dense_f32(want, x, stride, w, pixels, k, width);
        for (size_t t = 1; qsv_kernels_built[t]; t++) {
            if (!qsv_kernels_usable(qsv_kernels_built[t]))
                continue;
            qsv_kernels_built[t]->dense_f32(got, x, stride, w, pixels, k, width);
            assert_memory_equal(want, got, (size_t)pixels * width * sizeof *want);
        }
        free(x);
        free(w);
        free(want);
        free(got);
    }
}

static void test_depthwise(void **state)
{
    static const uint32_t sizes[][6] = {/* h, w, stride, kernel, step, pad */
                                        {1, 1, 16, 7, 1, 3}, {2, 9, 16, 7, 1, 3},
                                        {7, 7, 48, 3, 1, 1}, {14, 5, 32, 7, 1, 3},
                                        {9, 9, 16, 3, 2, 1}, {6, 6, 16, 5, 1, 0}};
    struct qsv_rng r;
    (void)state;
    qsv_rng_seed(&r, SEED);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const uint32_t *s = sizes[i];
        struct qsv_depthwise d = {.h = s[0],
                                  .w = s[1],
                                  .stride = s[2],
                                  .kernel = s[3],
                                  .step = s[4],
                                  .pad = s[5],
                                  .out_h = (s[0] + 2 * s[5] - s[3]) / s[4] + 1,
                                  .out_w = (s[1] + 2 * s[5] - s[3]) / s[4] + 1};
        size_t n = (size_t)d.out_h * d.out_w * d.stride;
        float *x = random_values(&r, (size_t)d.h * d.w * d.stride);
        float *w = random_values(&r, (size_t)d.kernel * d.kernel * d.stride);
        float *want = qsv_alloc_aligned(n, sizeof *want), *got = qsv_alloc_aligned(n, sizeof *got);
        d.x = x;
        d.weight = w;
        d.out = want;
        qsv_kernels_scalar.depthwise_f32(&d);
        for (size_t t = 1; qsv_kernels_built[t]; t++) {
            if (!qsv_kernels_usable(qsv_kernels_built[t]))
                continue;
            d.out = got;
            qsv_kernels_built[t]->depthwise_f32(&d);
            assert_memory_equal(want, got, n * sizeof *want);
        }
        free(x);
        free(w);
        free(want);
        free(got);
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
    static const uint32_t sizes[][4] = {{1, 16, 1, 1}, {5, 48, 4, 4}, {9, 32, 4, 1}, {3, 16, 3, 3}};
    struct qsv_rng r;
    (void)state;
    qsv_rng_seed(&r, SEED);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint32_t pixels = sizes[i][0], stride = sizes[i][1], steps = sizes[i][2],
                 x_steps = sizes[i][3];
        size_t cells = (size_t)pixels * stride;
        float *x = qsv_alloc_aligned(cells * x_steps, sizeof *x);
        uint16_t *want = qsv_alloc_aligned(cells * steps / 16, sizeof *want);
        uint16_t *got = qsv_alloc_aligned(cells * steps / 16, sizeof *got);
        int32_t *want_sum = qsv_alloc(stride, sizeof *want_sum), *got_sum;
        for (size_t c = 0; c < cells * x_steps; c++)
            x[c] = edge_value(&r);
        struct qsv_lif_frames f = {x, want, want_sum, x_steps, steps, pixels, stride, 1, 0.5f};
        uint64_t fired = qsv_kernels_scalar.lif(&f);
        for (size_t t = 1; qsv_kernels_built[t]; t++) {
            if (!qsv_kernels_usable(qsv_kernels_built[t]))
                continue;
            got_sum = qsv_alloc(stride, sizeof *got_sum);
            f.spikes = got;
            f.potentials = got_sum;
            assert_int_equal(qsv_kernels_built[t]->lif(&f), fired);
            assert_memory_equal(want, got, cells * steps / 8);
            assert_memory_equal(want_sum, got_sum, stride * sizeof *want_sum);
            free(got_sum);
        }
        free(x);
        free(want);
        free(got);
        free(want_sum);
    }
}

/* By hand: x = 2 gives h = 1 at once, which is on the threshold and fires. */
static void test_lif_by_hand(void **state)
{
    float x[2][16] = {{2, 1.5f, 0, -4}, {2, 1.5f, 0, -4}};
    uint16_t spikes[2];
    int32_t potentials[16] = {0};
    struct qsv_lif_frames f = {&x[0][0], spikes, potentials, 2, 2, 1, 16, 1, 0.5f};
    (void)state;
    assert_int_equal(qsv_kernels_scalar.lif(&f), 3);
    assert_int_equal(spikes[0], 1);     /* h = 1, 0.75, 0, -2 */
    assert_int_equal(spikes[1], 1 | 2); /* h = 1, 1.125, 0, -3 */
    assert_int_equal(potentials[0], 512);
    assert_int_equal(potentials[1], 192 + 288);
    assert_int_equal(potentials[2], 0);
    assert_int_equal(potentials[3], -512 - 768);
}

static void test_elementwise(void **state)
{
    struct qsv_rng r;
    (void)state;
    qsv_rng_seed(&r, SEED);
    float *a = random_values(&r, 320), *b = random_values(&r, 320), *m = random_values(&r, 64);
    float want[320], got[320];
    for (size_t t = 1; qsv_kernels_built[t]; t++) {
        if (!qsv_kernels_usable(qsv_kernels_built[t]))
            continue;
        qsv_kernels_scalar.add(want, a, b, 320);
        qsv_kernels_built[t]->add(got, a, b, 320);
        assert_memory_equal(want, got, sizeof want);
        for (int kind = 0; kind < 4; kind++) {
            memcpy(want, a, sizeof want);
            memcpy(got, a, sizeof got);
            qsv_kernels_scalar.affine_f32(want, kind & 1 ? m : NULL, kind & 2 ? b : NULL, 5, 64);
            qsv_kernels_built[t]->affine_f32(got, kind & 1 ? m : NULL, kind & 2 ? b : NULL, 5, 64);
            assert_memory_equal(want, got, sizeof want);
        }
    }
    free(a);
    free(b);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv_spikes), cmocka_unit_test(test_dense),
        cmocka_unit_test(test_depthwise),   cmocka_unit_test(test_lif),
        cmocka_unit_test(test_lif_by_hand), cmocka_unit_test(test_elementwise),
    };
    for (size_t i = 1; qsv_kernels_built[i]; i++)
        if (!qsv_kernels_usable(qsv_kernels_built[i]))
            print_message("NOT TESTED: this CPU lacks %s\n", qsv_kernels_built[i]->isa);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
