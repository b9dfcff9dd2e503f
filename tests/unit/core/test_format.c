#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/format.h"

static void test_names_and_numbers(void **state)
{
    (void)state;
    static const char *const names[] = {"f32",  "f16",  "int8",    "int6",   "int5", "int4",
                                        "int3", "int2", "ternary", "binary", "none"};
    enum qsv_format f = QSV_F32;
    char all[200] = "";
    for (int i = 0; i < QSV_N_FORMATS; i++) {
        assert_true(qsv_format_find(&f, names[i]));
        assert_int_equal(f, i);
        assert_string_equal(qsv_format_info(f)->name, names[i]);
        strcat(strcat(all, i ? ", " : ""), names[i]);
    }
    assert_string_equal(qsv_format_names(), all);
    assert_false(qsv_format_find(&f, "int7"));
    assert_false(qsv_format_find(&f, ""));
}

static void test_packed_bytes(void **state)
{
    (void)state;
    static const struct {
        enum qsv_format format;
        size_t n, bytes;
    } rows[] = {
        {QSV_F32, 3, 12},
        {QSV_F16, 3, 6},
        {QSV_INT8, 3, 3},
        {QSV_INT6, 1, 1},
        {QSV_INT6, 3, 3},
        {QSV_INT6, 4, 3},
        {QSV_INT5, 7, 5},
        {QSV_INT5, 8, 5},
        {QSV_INT5, 9, 6},
        {QSV_INT4, 3, 2},
        {QSV_INT3, 8, 3},
        {QSV_INT3, 9, 4},
        {QSV_INT2, 5, 2},
        {QSV_TERNARY, 5, 1},
        {QSV_TERNARY, 6, 2},
        {QSV_BINARY, 8, 1},
        {QSV_BINARY, 9, 2},
        {QSV_BINARY, 0, 0},
        {QSV_TERNARY, 0, 0},
        {QSV_F32, 0, 0},
        {QSV_F32, SIZE_MAX / 4, SIZE_MAX / 4 * 4},
        {QSV_F32, SIZE_MAX / 4 + 1, SIZE_MAX},
        {QSV_F16, SIZE_MAX / 2 + 1, SIZE_MAX},
        {QSV_INT4, SIZE_MAX, SIZE_MAX / 2 + 1},
        {QSV_TERNARY, SIZE_MAX, SIZE_MAX / 5},
        {QSV_BINARY, SIZE_MAX, SIZE_MAX / 8 + 1},
        {QSV_NONE, 0, 0},
        {QSV_NONE, 9, 0},
        {QSV_NONE, SIZE_MAX, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(qsv_format_packed_bytes(rows[i].format, rows[i].n), rows[i].bytes);
}

/* Packed by hand from the layout that format.h states. */
static const struct {
    enum qsv_format format;
    size_t n;
    int8_t codes[8];
    size_t bytes;
    uint8_t packed[6];
} by_hand[] = {
    {QSV_INT8, 3, {-128, 127, -1}, 3, {0x80, 0x7f, 0xff}},
    /* 000001 111111 100000 011111, first in the lowest bits */
    {QSV_INT6, 4, {1, -1, -32, 31}, 3, {0xc1, 0x0f, 0x7e}},
    /* 10000 01111 00001: 0b0_00001_01111_10000 */
    {QSV_INT5, 3, {-16, 15, 1}, 2, {0xf0, 0x05}},
    {QSV_INT4, 3, {-8, 7, 3}, 2, {0x78, 0x03}},
    /* 100 011 111: 0b0000000_1_11_011_100 */
    {QSV_INT3, 3, {-4, 3, -1}, 2, {0xdc, 0x01}},
    {QSV_INT2, 5, {-3, -1, 1, 3, 3}, 2, {0xe4, 0x03}},
    /* 0 + 1*3 + 2*9 + 2*27 + 0*81 = 75; 2 + 0*3 = 2 */
    {QSV_TERNARY, 7, {-1, 0, 1, 1, -1, 1, -1}, 2, {75, 2}},
    {QSV_TERNARY, 5, {1, 1, 1, 1, 1}, 1, {242}},
    {QSV_BINARY, 3, {1, -1, 1}, 1, {0x05}},
    {QSV_NONE, 3, {0, 0, 0}, 0, {0}},
};

static void test_vectors_by_hand(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof by_hand / sizeof *by_hand; i++) {
        uint8_t packed[6];
        int8_t codes[8];
        assert_int_equal(qsv_format_packed_bytes(by_hand[i].format, by_hand[i].n),
                         by_hand[i].bytes);
        qsv_format_pack(by_hand[i].format, by_hand[i].codes, by_hand[i].n, packed);
        assert_memory_equal(packed, by_hand[i].packed, by_hand[i].bytes);
        assert_int_equal(qsv_format_unpack(by_hand[i].format, packed, by_hand[i].n, codes, NULL),
                         QSV_OK);
        assert_memory_equal(codes, by_hand[i].codes, by_hand[i].n);
    }
}

static void test_unpack_refuses_what_is_no_code(void **state)
{
    (void)state;
    static const struct {
        enum qsv_format format;
        size_t n;
        uint8_t packed[2];
        const char *byte;
    } rows[] = {
        {QSV_TERNARY, 5, {243}, "byte 0 is 243"}, {QSV_TERNARY, 10, {242, 255}, "byte 1 is 255"},
        {QSV_TERNARY, 1, {3}, "byte 0 is 3"},     {QSV_BINARY, 9, {0xff, 0x02}, "byte 1 is 2"},
        {QSV_INT3, 2, {0x40}, "byte 0 is 64"},    {QSV_INT4, 3, {0x00, 0x10}, "byte 1 is 16"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_error err = {0};
        int8_t codes[10];
        assert_int_equal(qsv_format_unpack(rows[i].format, rows[i].packed, rows[i].n, codes, &err),
                         QSV_EINPUT);
        assert_non_null(strstr(err.text, rows[i].byte));
        assert_non_null(strstr(err.text, qsv_format_info(rows[i].format)->name));
    }
}

static void fill_codes(struct qsv_rng *rng, const struct qsv_format_info *f, int8_t *codes,
                       size_t n)
{
    unsigned steps = (unsigned)((f->code_max - f->code_min) / f->code_step) + 1;
    for (size_t i = 0; i < n; i++)
        codes[i] = (int8_t)(f->code_min + f->code_step * (int)qsv_rng_below(rng, steps));
}

/* Buffers of exactly the packed size, so that the sanitizers see a byte too many. */
static void round_trip(struct qsv_rng *rng, enum qsv_format f, size_t n)
{
    size_t bytes = qsv_format_packed_bytes(f, n);
    int8_t *codes = malloc(n + 1), *back = malloc(n + 1);
    uint8_t *packed = malloc(bytes + !bytes);
    assert_true(codes && back && packed);
    fill_codes(rng, qsv_format_info(f), codes, n);
    memset(packed, 0xa5, bytes);
    qsv_format_pack(f, codes, n, packed);
    assert_int_equal(qsv_format_unpack(f, packed, n, back, NULL), QSV_OK);
    assert_memory_equal(codes, back, n);
    free(codes);
    free(back);
    free(packed);
}

static void test_round_trip_at_every_length(void **state)
{
    (void)state;
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 1);
    for (int f = QSV_INT8; f < QSV_N_FORMATS; f++)
        for (size_t n = 0; n <= 67; n++)
            round_trip(&rng, (enum qsv_format)f, n);
}

static void test_every_code_has_its_own_packed_value(void **state)
{
    (void)state;
    for (int f = QSV_INT8; f < QSV_N_FORMATS; f++) {
        const struct qsv_format_info *info = qsv_format_info((enum qsv_format)f);
        assert_true(info->integer);
        for (int c = info->code_min; c <= info->code_max; c += info->code_step) {
            int8_t code = (int8_t)c, back = 0;
            uint8_t packed = 0;
            qsv_format_pack((enum qsv_format)f, &code, 1, &packed);
            assert_int_equal(qsv_format_unpack((enum qsv_format)f, &packed, 1, &back, NULL),
                             QSV_OK);
            assert_int_equal(back, c);
        }
    }
}

/* The value of a finite half by its definition. */
static double half_value(unsigned h)
{
    int exponent = (int)(h >> 10 & 31);
    double m = h & 0x3ff;
    double v = exponent ? ldexp(1024 + m, exponent - 25) : ldexp(m, -24);
    return h & 0x8000 ? -v : v;
}

static uint32_t float_bits(float v)
{
    uint32_t x;
    memcpy(&x, &v, sizeof x);
    return x;
}

static void test_every_half_to_float_and_back(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x10000; h++) {
        float v = qsv_half_to_float((uint16_t)h);
        assert_int_equal(float_bits(v) >> 31, h >> 15);
        if ((h & 0x7c00) != 0x7c00) {
            assert_true(v == half_value(h));
        } else if (h & 0x3ff) {
            assert_true(isnan(v));
            assert_int_equal(qsv_half_from_float(v), h | 0x200);
            continue;
        } else {
            assert_true(isinf(v));
        }
        assert_int_equal(qsv_half_from_float(v), h);
    }
}

/* Between two neighbouring halves: the midpoint goes to the even one, its neighbours to the nearer.
 */
static void test_half_rounding_ties(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x7c00; h++) {
        double low = half_value(h), high = h == 0x7bff ? 65536 : half_value(h + 1);
        float middle = (float)((low + high) / 2); /* exact: one bit more than a half has */
        unsigned even = h & 1 ? h + 1 : h;
        for (unsigned sign = 0; sign <= 0x8000; sign += 0x8000) {
            float s = sign ? -1.0f : 1.0f;
            assert_int_equal(qsv_half_from_float(s * middle), sign | even);
            assert_int_equal(qsv_half_from_float(s * nextafterf(middle, INFINITY)), sign | (h + 1));
            assert_int_equal(qsv_half_from_float(s * nextafterf(middle, 0)), sign | h);
        }
    }
}

static void test_half_beyond_its_range(void **state)
{
    (void)state;
    assert_int_equal(qsv_half_from_float(65504.0f), 0x7bff);
    assert_int_equal(qsv_half_from_float(1e30f), 0x7c00);
    assert_int_equal(qsv_half_from_float(-INFINITY), 0xfc00);
    assert_int_equal(qsv_half_from_float(1e-30f), 0);
    assert_int_equal(qsv_half_from_float(-0.0f), 0x8000);
    /* a NaN whose payload lies below the bits that a half keeps */
    uint32_t x = 0x7f800001;
    float v;
    memcpy(&v, &x, sizeof v);
    assert_true(isnan(qsv_half_to_float(qsv_half_from_float(v))));
}

static void test_bfloat(void **state)
{
    (void)state;
    assert_true(qsv_bfloat_to_float(0x3f80) == 1.0f);
    assert_true(qsv_bfloat_to_float(0xc049) == -3.140625f);
    assert_int_equal(float_bits(qsv_bfloat_to_float(0x0001)), 0x00010000);
    assert_true(isinf(qsv_bfloat_to_float(0x7f80)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_numbers),
        cmocka_unit_test(test_packed_bytes),
        cmocka_unit_test(test_vectors_by_hand),
        cmocka_unit_test(test_unpack_refuses_what_is_no_code),
        cmocka_unit_test(test_round_trip_at_every_length),
        cmocka_unit_test(test_every_code_has_its_own_packed_value),
        cmocka_unit_test(test_every_half_to_float_and_back),
        cmocka_unit_test(test_half_rounding_ties),
        cmocka_unit_test(test_half_beyond_its_range),
        cmocka_unit_test(test_bfloat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
