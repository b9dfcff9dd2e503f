#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/bank.h"
#include "core/base/alloc.h"

static const struct qsv_quantizer by_max = {"round", QSV_SCALE_MAX, QSV_F32};
static const struct qsv_quantizer by_mse = {"round", QSV_SCALE_MSE, QSV_F32};

static const float first[2][3] = {{7, -3.4f, 0.1f}, {1, 14, -14}};
static const float second[4][1] = {{0.5f}, {-65504}, {1.0f + 0x1p-12f}, {0x1p-25f}};

static char first_name[] = "stem.conv", second_name[] = "head", path[] = "m.h5";
static struct qsv_layer layers[] = {
    {.name = first_name, .out_ch = 2, .in_ch = 3, .rank = 4, .n_weights = 6},
    {.name = second_name, .out_ch = 4, .in_ch = 1, .rank = 2, .n_weights = 4},
};

static void add(struct qsv_model *m, const char *name, uint32_t rows, uint32_t columns,
                const float *values)
{
    struct qsv_tensor *t;
    uint32_t shape[] = {rows, columns};
    assert_int_equal(qsv_tensors_add(&m->tensors, name, QSV_F32, 2, shape, &t, NULL), QSV_OK);
    memcpy(t->data, values, t->bytes);
}

static struct qsv_model model_of(const char *first_tensor)
{
    struct qsv_model m = {.path = path, .graph = {.layers = layers, .n_layers = 2}};
    add(&m, "unused", 4, 1, second[0]);
    add(&m, first_tensor, 2, 3, first[0]);
    add(&m, "head.weight", 4, 1, second[0]);
    return m;
}

static void test_integer_entry_is_the_quantizers(void **state)
{
    (void)state;
    struct qsv_model m = model_of("stem.conv.weight");
    struct qsv_bank *b = NULL;
    const struct qsv_bank_entry *e = NULL;
    for (int k = 0; k < 2; k++) {
        const struct qsv_quantizer *q = k ? &by_mse : &by_max;
        int8_t codes[6];
        float scale[2];
        assert_int_equal(qsv_bank_create(&b, &m, q, NULL), QSV_OK);
        for (int f = QSV_INT8; f < QSV_N_FORMATS; f++) {
            assert_int_equal(qsv_bank_get(&e, b, 0, f, NULL), QSV_OK);
            qsv_quantize(q, f, first[0], 2, 3, codes, scale);
            assert_int_equal(e->format, f);
            assert_memory_equal(e->codes, codes, sizeof codes);
            assert_memory_equal(e->scale, scale, sizeof scale);
            assert_null(e->values);
        }
        qsv_bank_destroy(b);
    }
    qsv_tensors_fini(&m.tensors);
}

static void test_rows_are_output_channels(void **state)
{
    (void)state;
    static const int8_t codes[] = {7, -3, 0, 0, 7, -7};
    struct qsv_model m = model_of("stem.conv.weight");
    struct qsv_bank *b = NULL;
    const struct qsv_bank_entry *e = NULL;
    assert_int_equal(qsv_bank_create(&b, &m, &by_max, NULL), QSV_OK);
    assert_int_equal(qsv_bank_get(&e, b, 0, QSV_INT4, NULL), QSV_OK);
    assert_memory_equal(e->codes, codes, sizeof codes);
    assert_true(e->scale[0] == 1 && e->scale[1] == 2);
    qsv_bank_destroy(b);
    qsv_tensors_fini(&m.tensors);
}

static void test_real_formats_have_values(void **state)
{
    (void)state;
    static const float halves[] = {0.5f, -65504, 1, 0};
    struct qsv_model m = model_of("stem.conv.weight");
    struct qsv_bank *b = NULL;
    const struct qsv_bank_entry *e = NULL;
    assert_int_equal(qsv_bank_create(&b, &m, &by_mse, NULL), QSV_OK);
    assert_int_equal(qsv_bank_get(&e, b, 1, QSV_F32, NULL), QSV_OK);
    assert_memory_equal(e->values, second, sizeof second);
    assert_null(e->codes);
    assert_null(e->scale);
    assert_int_equal(qsv_bank_get(&e, b, 1, QSV_F16, NULL), QSV_OK);
    assert_int_equal(e->format, QSV_F16);
    assert_memory_equal(e->values, halves, sizeof halves);
    assert_null(e->codes);
    qsv_bank_destroy(b);
    qsv_tensors_fini(&m.tensors);
}

static void test_entries_stay(void **state)
{
    (void)state;
    struct qsv_model m = model_of("stem.conv.weight");
    struct qsv_bank *b = NULL;
    const struct qsv_bank_entry *e[2][QSV_N_FORMATS], *again = NULL;
    assert_int_equal(qsv_bank_create(&b, &m, &by_mse, NULL), QSV_OK);
    for (uint32_t i = 0; i < 2 * QSV_N_FORMATS; i++)
        assert_int_equal(qsv_bank_get(&e[i % 2][i / 2], b, i % 2, i / 2, NULL), QSV_OK);
    qsv_alloc_fail_at(1);
    for (uint32_t i = 0; i < 2 * QSV_N_FORMATS; i++) {
        assert_int_equal(qsv_bank_get(&again, b, i % 2, i / 2, NULL), QSV_OK);
        assert_ptr_equal(again, e[i % 2][i / 2]);
    }
    qsv_alloc_fail_at(0);
    qsv_bank_destroy(b);
    qsv_tensors_fini(&m.tensors);
}

static void test_weight_too_large_for_half(void **state)
{
    (void)state;
    struct qsv_model m = model_of("stem.conv.weight");
    struct qsv_bank *b = NULL;
    const struct qsv_bank_entry *e = NULL;
    struct qsv_error err;
    float huge = 70000;
    memcpy(m.tensors.v[1].data + 4 * sizeof huge, &huge, sizeof huge);
    assert_int_equal(qsv_bank_create(&b, &m, &by_mse, NULL), QSV_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(qsv_bank_get(&e, b, 0, QSV_F16, &err), QSV_EINPUT);
        assert_string_equal(err.text,
                            "m.h5: layer 'stem.conv': weight 4 is 70000, too large for f16");
    }
    assert_int_equal(qsv_bank_get(&e, b, 0, QSV_INT8, &err), QSV_OK);
    qsv_bank_destroy(b);
    qsv_tensors_fini(&m.tensors);
}

static void expect_refused(const struct qsv_model *m, const char *text)
{
    struct qsv_bank *b = NULL;
    struct qsv_error err;
    assert_int_equal(qsv_bank_create(&b, m, &by_mse, &err), QSV_EINPUT);
    assert_null(b);
    assert_string_equal(err.text, text);
}

static void test_refuses_models_without_the_weights(void **state)
{
    (void)state;
    struct qsv_model m = model_of("other.weight");
    expect_refused(&m, "m.h5: no tensor 'stem.conv.weight'");
    qsv_tensors_fini(&m.tensors);

    m = model_of("stem.conv.weight");
    m.tensors.v[1].shape[1] = 2;
    expect_refused(&m, "m.h5: tensor 'stem.conv.weight' holds 4 weights as f32, expected 6 as f32");
    m.tensors.v[1].shape[1] = 3;
    m.tensors.v[1].format = QSV_INT4;
    expect_refused(&m,
                   "m.h5: tensor 'stem.conv.weight' holds 6 weights as int4, expected 6 as f32");
    m.folded = true;
    expect_refused(&m, "m.h5: is a quantized model, expected the model it came from");
    qsv_tensors_fini(&m.tensors);
}

static void test_out_of_memory_at_every_allocation(void **state)
{
    (void)state;
    struct qsv_model m = model_of("stem.conv.weight");
    int failures = 0;
    for (long n = 1; n < 20; n++) {
        struct qsv_bank *b = NULL;
        const struct qsv_bank_entry *e = NULL;
        qsv_alloc_fail_at(n);
        enum qsv_status st = qsv_bank_create(&b, &m, &by_mse, NULL);
        if (!st)
            st = qsv_bank_get(&e, b, 0, QSV_INT4, NULL);
        if (!st)
            st = qsv_bank_get(&e, b, 1, QSV_F16, NULL);
        qsv_alloc_fail_at(0);
        if (st) {
            failures++;
            assert_int_equal(st, QSV_ENOMEM);
        }
        if (st && b) {
            assert_int_equal(qsv_bank_get(&e, b, 0, QSV_INT4, NULL), QSV_OK);
            assert_int_equal(qsv_bank_get(&e, b, 1, QSV_F16, NULL), QSV_OK);
        }
        qsv_bank_destroy(b);
    }
    assert_int_equal(failures, 6);
    qsv_tensors_fini(&m.tensors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integer_entry_is_the_quantizers),
        cmocka_unit_test(test_rows_are_output_channels),
        cmocka_unit_test(test_real_formats_have_values),
        cmocka_unit_test(test_entries_stay),
        cmocka_unit_test(test_weight_too_large_for_half),
        cmocka_unit_test(test_refuses_models_without_the_weights),
        cmocka_unit_test(test_out_of_memory_at_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
