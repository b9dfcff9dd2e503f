#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/quantizer.h"

enum { ROWS = 12, COLUMNS = 37 };

static const struct qsv_quantizer by_max = {"round", QSV_SCALE_MAX, QSV_F32};
static const struct qsv_quantizer by_mse = {"round", QSV_SCALE_MSE, QSV_F32};

/* Bell-shaped, with now and then a weight far out. */
static void fill(float *w, size_t n, uint64_t seed)
{
    struct qsv_rng r;
    qsv_rng_seed(&r, seed);
    for (size_t i = 0; i < n; i++) {
        double v = -2;
        for (int k = 0; k < 4; k++)
            v += qsv_rng_unit(&r);
        w[i] = (float)(qsv_rng_below(&r, 40) ? v : 5 * v);
    }
}

static int nearest_by_trial(double v, const struct qsv_format_info *f)
{
    int best = f->code_min;
    for (int c = f->code_min; c <= f->code_max; c += f->code_step)
        if (fabs(v - c) < fabs(v - best))
            best = c;
    return best;
}

static double error_at(const float *w, size_t n, double scale, const struct qsv_format_info *f)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double d = w[i] - nearest_by_trial(w[i] / scale, f) * scale;
        sum += d * d;
    }
    return sum;
}

static double error_of(const float *w, size_t n, const int8_t *codes, double scale)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (w[i] - codes[i] * scale) * (w[i] - codes[i] * scale);
    return sum;
}

static float scale_by_trial(const float *w, size_t n, const struct qsv_format_info *f)
{
    double top = 0, best = INFINITY;
    float scale = 0;
    for (size_t i = 0; i < n; i++)
        top = fmax(top, fabs(w[i]));
    for (int sign = 1; sign >= (f->code_min == -f->code_max ? 1 : -1); sign -= 2)
        for (int j = 10; j <= 105; j++) {
            float s = (float)(sign * (j / 100.0 * top / f->code_max));
            double e = error_at(w, n, s, f);
            if (e < best) {
                best = e;
                scale = s;
            }
        }
    return scale;
}

static void test_by_hand(void **state)
{
    (void)state;
    static const struct {
        enum qsv_format format;
        enum qsv_scale_rule rule;
        float weights[4], scale;
        int8_t codes[4];
    } rows[] = {
        {QSV_INT4, QSV_SCALE_MAX, {7, -3.5f, 0.5f, 0.6f}, 1, {7, -4, 0, 1}},
        {QSV_INT4, QSV_SCALE_MAX, {-14, 14, 2.9f, -3.1f}, 2, {-7, 7, 1, -2}},
        {QSV_INT8, QSV_SCALE_MAX, {254, -254, 1, -1}, 2, {127, -127, 0, -1}},
        {QSV_INT3, QSV_SCALE_MAX, {3, 1.5f, -1.5f, -2.5f}, 1, {3, 1, -2, -3}},
        {QSV_INT2, QSV_SCALE_MAX, {3, 2, -2, 0}, 1, {3, 1, -3, -1}},
        {QSV_INT2, QSV_SCALE_MAX, {-3, 2.1f, -1.9f, 1e-30f}, 1, {-3, 3, -1, 1}},
        {QSV_TERNARY, QSV_SCALE_MAX, {-2, 1, -1, 1.1f}, 2, {-1, 0, -1, 1}},
        {QSV_BINARY, QSV_SCALE_MAX, {4, -1, 0, -0.0f}, 4, {1, -1, -1, -1}},
        /* (1 - s)^2 + (3 - s)^2 twice: least at 2, of the grid 0.67 x 3 is nearest to it */
        {QSV_BINARY, QSV_SCALE_MSE, {1, 3, -1, -3}, 2.01f, {1, 1, -1, -1}},
        {QSV_TERNARY, QSV_SCALE_MSE, {2, -2, 0.125f, 0}, 2, {1, -1, 0, 0}},
        /* lopsided: -4 is a code and 4 is not; 0.75 x 4 / 3 loses nothing */
        {QSV_INT3, QSV_SCALE_MSE, {-4, 3, 2, 1}, 1, {-4, 3, 2, 1}},
        {QSV_INT3, QSV_SCALE_MSE, {4, 3, 2, 1}, -1, {-4, -3, -2, -1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_quantizer q = {"round", rows[i].rule, QSV_F32};
        int8_t codes[4];
        float scale;
        qsv_quantize(&q, rows[i].format, rows[i].weights, 1, 4, codes, &scale);
        assert_float_equal(scale, rows[i].scale, 1e-6);
        assert_memory_equal(codes, rows[i].codes, sizeof codes);
    }
}

static void test_against_trial_of_every_code_and_scale(void **state)
{
    (void)state;
    float w[ROWS * COLUMNS], scale[ROWS];
    int8_t codes[ROWS * COLUMNS];
    for (int format = QSV_INT8; format <= QSV_BINARY; format++) {
        const struct qsv_format_info *f = qsv_format_info(format);
        fill(w, ROWS * COLUMNS, 7 + (uint64_t)format);
        qsv_quantize(&by_mse, format, w, ROWS, COLUMNS, codes, scale);
        for (int o = 0; o < ROWS; o++) {
            const float *row = w + o * COLUMNS;
            assert_true(scale[o] == scale_by_trial(row, COLUMNS, f));
            for (int i = 0; i < COLUMNS; i++)
                assert_int_equal(codes[o * COLUMNS + i],
                                 nearest_by_trial(row[i] / (double)scale[o], f));
        }
    }
}

static void test_none_has_nothing_to_choose(void **state)
{
    (void)state;
    float w[ROWS * COLUMNS], scale[ROWS];
    int8_t codes[ROWS * COLUMNS];
    fill(w, ROWS * COLUMNS, 4);
    memset(codes, 7, sizeof codes);
    qsv_quantize(&by_mse, QSV_NONE, w, ROWS, COLUMNS, codes, scale);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        assert_int_equal(codes[i], 0);
    for (int o = 0; o < ROWS; o++)
        assert_true(scale[o] == 1);
}

static void test_both_signs_are_used(void **state)
{
    (void)state;
    float w[64 * 16], scale[64];
    int8_t codes[64 * 16];
    int negative = 0;
    fill(w, 64 * 16, 3);
    qsv_quantize(&by_mse, QSV_INT3, w, 64, 16, codes, scale);
    for (int o = 0; o < 64; o++)
        negative += scale[o] < 0;
    assert_in_range(negative, 16, 48);
    qsv_quantize(&by_mse, QSV_INT2, w, 64, 16, codes, scale);
    for (int o = 0; o < 64; o++)
        assert_true(scale[o] > 0);
}

static void test_mse_is_never_worse_than_max(void **state)
{
    (void)state;
    float w[COLUMNS], a, b;
    int8_t codes[COLUMNS];
    for (int format = QSV_INT8; format <= QSV_BINARY; format++)
        for (uint64_t seed = 0; seed < 200; seed++) {
            size_t n = 1 + seed % COLUMNS;
            fill(w, n, seed);
            qsv_quantize(&by_max, format, w, 1, n, codes, &a);
            double max_error = error_of(w, n, codes, a);
            qsv_quantize(&by_mse, format, w, 1, n, codes, &b);
            assert_true(error_of(w, n, codes, b) <= max_error * (1 + 1e-12));
        }
}

static void test_channels_are_independent(void **state)
{
    (void)state;
    float w[ROWS * COLUMNS], scale[ROWS], alone;
    int8_t codes[ROWS * COLUMNS], row[COLUMNS];
    fill(w, ROWS * COLUMNS, 1);
    qsv_quantize(&by_mse, QSV_INT5, w, ROWS, COLUMNS, codes, scale);
    for (int o = 0; o < ROWS; o++) {
        qsv_quantize(&by_mse, QSV_INT5, w + o * COLUMNS, 1, COLUMNS, row, &alone);
        assert_true(alone == scale[o]);
        assert_memory_equal(row, codes + o * COLUMNS, sizeof row);
    }
}

static void test_powers_of_two_only_move_the_scale(void **state)
{
    (void)state;
    float w[COLUMNS], v[COLUMNS], a, b;
    int8_t codes[COLUMNS], scaled[COLUMNS];
    fill(w, COLUMNS, 2);
    for (int i = 0; i < COLUMNS; i++)
        v[i] = w[i] * 0x1p-40f;
    for (int format = QSV_INT8; format <= QSV_BINARY; format++) {
        qsv_quantize(&by_mse, format, w, 1, COLUMNS, codes, &a);
        qsv_quantize(&by_mse, format, v, 1, COLUMNS, scaled, &b);
        assert_true(a * 0x1p-40f == b);
        assert_memory_equal(codes, scaled, sizeof codes);
    }
}

static void test_extremes_give_usable_scales(void **state)
{
    (void)state;
    static const float rows[][3] = {
        {0, 0, 0},           {-0.0f, 0, 0},          {1e-45f, -1e-45f, 0},
        {FLT_MIN, 0, 0},     {FLT_MAX, -FLT_MAX, 1}, {-FLT_MAX, FLT_MAX / 2, 0},
        {FLT_MAX, 1e-45f, 0}};
    for (int format = QSV_INT8; format <= QSV_BINARY; format++)
        for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
            const struct qsv_format_info *f = qsv_format_info(format);
            int8_t codes[3];
            float scale;
            qsv_quantize(i % 2 ? &by_mse : &by_max, format, rows[i / 2], 1, 3, codes, &scale);
            assert_true(isnormal(scale));
            for (int k = 0; k < 3; k++) {
                assert_in_range(codes[k] - f->code_min, 0, f->code_max - f->code_min);
                assert_int_equal((codes[k] - f->code_min) % f->code_step, 0);
                if (rows[i / 2][k] == 0 && i / 2 < 2)
                    assert_true(fabs(codes[k] * scale) <= 1e-30f);
            }
        }
}

/* A change of compiler, flags or machine must not change what a run records. */
static void test_same_bits_everywhere(void **state)
{
    (void)state;
    float w[ROWS * COLUMNS], scale[ROWS];
    int8_t codes[ROWS * COLUMNS];
    struct qsv_hash *h = qsv_hash_begin();
    fill(w, ROWS * COLUMNS, 99);
    for (int i = 0; i < 2 * (QSV_BINARY + 1); i++) {
        if (!qsv_format_info(i / 2)->integer)
            continue;
        qsv_quantize(i % 2 ? &by_mse : &by_max, i / 2, w, ROWS, COLUMNS, codes, scale);
        qsv_hash_add(h, codes, sizeof codes);
        qsv_hash_add(h, scale, sizeof scale);
    }
    assert_int_equal(qsv_hash_end(h), UINT64_C(0xf38addc4a459e0cb));
}

static uint64_t hash_of(const struct qsv_quantizer *q)
{
    struct qsv_hash *h = qsv_hash_begin();
    qsv_quantizer_hash(q, h);
    return qsv_hash_end(h);
}

static void test_names_and_hash(void **state)
{
    (void)state;
    enum qsv_scale_rule r;
    assert_int_equal(qsv_scale_rule_find(&r, "max"), 1);
    assert_int_equal(r, QSV_SCALE_MAX);
    assert_int_equal(qsv_scale_rule_find(&r, "mse"), 1);
    assert_int_equal(r, QSV_SCALE_MSE);
    assert_int_equal(qsv_scale_rule_find(&r, "MSE"), 0);
    assert_string_equal(qsv_scale_rule_name(QSV_SCALE_MAX), "max");
    assert_string_equal(qsv_scale_rule_name(QSV_SCALE_MSE), "mse");
    assert_string_equal(qsv_quantizer_find("round"), "round");
    assert_string_equal(qsv_quantizer_find("gptq"), "gptq");
    assert_string_equal(qsv_quantizer_find("compensated"), "compensated");
    assert_null(qsv_quantizer_find("rounded"));
    assert_int_not_equal(hash_of(&by_max), hash_of(&by_mse));
    assert_int_not_equal(hash_of(&by_max),
                         hash_of(&(struct qsv_quantizer){"round", QSV_SCALE_MAX, QSV_F16}));
    assert_int_equal(hash_of(&by_max),
                     hash_of(&(struct qsv_quantizer){"round", QSV_SCALE_MAX, QSV_F32}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_against_trial_of_every_code_and_scale),
        cmocka_unit_test(test_none_has_nothing_to_choose),
        cmocka_unit_test(test_both_signs_are_used),
        cmocka_unit_test(test_mse_is_never_worse_than_max),
        cmocka_unit_test(test_channels_are_independent),
        cmocka_unit_test(test_powers_of_two_only_move_the_scale),
        cmocka_unit_test(test_extremes_give_usable_scales),
        cmocka_unit_test(test_same_bits_everywhere),
        cmocka_unit_test(test_names_and_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
