/* Halves with an exponent a vector: rounding against an independent search for the nearest, packing
 * and unpacking, sizes. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/affine.h"
#include "core/base/rng.h"

/* Every half by the definition of IEEE 754, without the library's conversion. */
static double half_value(unsigned h)
{
    int exponent = (h >> 10) & 31, fraction = h & 1023;
    double v = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    return h & 0x8000 ? -v : v;
}

/* The nearest finite half x 2^exponent, ties to the even half: positive halves are sorted. */
static double nearest(double v, int exponent)
{
    double want = ldexp(fabs(v), -exponent);
    unsigned low = 0, high = 0x7bff;
    while (low < high) { /* the largest half that is at most `want` */
        unsigned middle = (low + high + 1) / 2;
        if (half_value(middle) <= want)
            low = middle;
        else
            high = middle - 1;
    }
    if (low < 0x7bff) {
        double below = want - half_value(low), above = half_value(low + 1) - want;
        low += above < below || (above == below && low % 2);
    }
    return copysign(ldexp(half_value(low), exponent), v);
}

static void check(const float *v, size_t n)
{
    float rounded[64], again[64];
    struct qsv_tensors tensors = {0};
    struct qsv_tensor *t;
    int exponent = qsv_affine_exponent(QSV_F16, v, n);
    memcpy(rounded, v, n * sizeof *v);
    qsv_affine_round(QSV_F16, rounded, n);
    for (size_t i = 0; i < n; i++)
        if ((double)rounded[i] != nearest((double)v[i], exponent) ||
            signbit(rounded[i]) != signbit(v[i]))
            fail_msg("%a becomes %a at exponent %d, expected %a", (double)v[i], (double)rounded[i],
                     exponent, nearest((double)v[i], exponent));
    assert_int_equal(qsv_affine_exponent(QSV_F16, rounded, n), exponent);
    memcpy(again, rounded, n * sizeof *v);
    qsv_affine_round(QSV_F16, again, n);
    assert_memory_equal(again, rounded, n * sizeof *v);
    uint32_t shape = (uint32_t)n;
    assert_int_equal(qsv_tensors_add(&tensors, "x", QSV_F16, 1, &shape, &t, NULL), QSV_OK);
    qsv_affine_pack(t, rounded);
    assert_int_equal(t->exponent, exponent);
    assert_int_equal(t->bytes, 2 * n);
    memset(again, 0xee, sizeof again);
    qsv_affine_unpack(again, t);
    assert_memory_equal(again, rounded, n * sizeof *v);
    qsv_tensors_fini(&tensors);
}

static void test_by_hand(void **state)
{
    (void)state;
    static const struct {
        float largest;
        int exponent;
    } rows[] = {
        {0, 0},
        {16384, 0},
        {32767, 1}, /* it rounds to 2^15 */
        {32751, 0}, /* to 32752 */
        {1, -14},
        {-1, -14},
        {0x1.ffcp0F, -14},
        {0x1.ffep0F, -13}, /* half way to 2: the even one */
        {FLT_MIN, -125},
        {0x1p-149F, -125},
        {0x1p127F, 112},
        {-FLT_MAX, 112},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(qsv_affine_exponent(QSV_F16, &rows[i].largest, 1), rows[i].exponent);
    float v[] = {1, 0x1.004p0F, 0x1.002p0F, 0x1.006p0F, -0x1.002p0F, 0x1p-39F, 0x1p-38F};
    const float want[] = {1, 0x1.004p0F, 1, 0x1.008p0F, -1, 0, 0x1p-38F};
    qsv_affine_round(QSV_F16, v, 7);
    assert_memory_equal(v, want, sizeof v);
    float huge = -FLT_MAX;
    qsv_affine_round(QSV_F16, &huge, 1);
    assert_true(huge == -0x1.ffcp127F); /* 65504 x 2^112 */
}

static void test_vectors(void **state)
{
    (void)state;
    static const float zeros[] = {0, -0.0F, 0};
    static const float huge_and_tiny[] = {3e38F, 1e-38F,   -1e-45F, 1e10F, -7e29F,
                                          2e26F, 0x1p105F, 1,       0,     -0.0F};
    static const float limits[] = {FLT_MAX, -FLT_MAX, FLT_MIN, -FLT_MIN, 0x1p-149F};
    static const float least[] = {0x1p-149F, -0x1p-149F, 0x1.8p-148F, 0};
    static const float small[] = {0x1.234568p-112F, -0x1.fffffep-113F, 0x1.555554p-130F, 0x1p-149F};
    check(zeros, 3);
    check(huge_and_tiny, 10);
    check(limits, 5);
    check(least, 4);
    check(small, 4);
    check(zeros, 0);
}

static void test_any_vector(void **state)
{
    struct qsv_rng r;
    float v[64];
    (void)state;
    qsv_rng_seed(&r, 21);
    for (int k = 0; k < 3000; k++) {
        size_t n = 1 + qsv_rng_below(&r, 64);
        int base = (int)qsv_rng_below(&r, 270) - 145, spread = 1 + (int)qsv_rng_below(&r, 60);
        for (size_t i = 0; i < n; i++) {
            double x = 1 + qsv_rng_unit(&r);
            if (qsv_rng_below(&r, 3) == 0) /* a tie between halves, or near one */
                x = 1 + ((double)qsv_rng_below(&r, 2048) + (double)qsv_rng_below(&r, 2)) / 2048;
            int e = base - (int)qsv_rng_below(&r, (uint64_t)spread);
            v[i] = (float)ldexp(qsv_rng_below(&r, 2) ? x : -x, e > 126 ? 126 : e);
        }
        check(v, n);
    }
}

/* Nearest of -127 .. 127 times 2^exponent, ties to the even integer, by trying all. */
static double nearest_byte(double v, int exponent)
{
    double best = 0;
    for (int i = -127; i <= 127; i++) {
        const double x = ldexp(i, exponent), now = fabs(x - v), before = fabs(best - v);
        if (now < before || (now == before && i % 2 == 0))
            best = x;
    }
    return best;
}

static void check_bytes(const float *v, size_t n)
{
    float rounded[64], again[64];
    struct qsv_tensors tensors = {0};
    struct qsv_tensor *t;
    const int exponent = qsv_affine_exponent(QSV_INT8, v, n);
    float largest = 0;
    memcpy(rounded, v, n * sizeof *v);
    qsv_affine_round(QSV_INT8, rounded, n);
    for (size_t i = 0; i < n; i++) {
        if ((double)rounded[i] != nearest_byte((double)v[i], exponent))
            fail_msg("%a becomes %a at exponent %d, expected %a", (double)v[i], (double)rounded[i],
                     exponent, nearest_byte((double)v[i], exponent));
        largest = fmaxf(largest, fabsf(rounded[i]));
    }
    if (largest > 0 && exponent > QSV_AFFINE_EXPONENT_MIN)
        assert_true(largest >= ldexpf(64, exponent));
    memcpy(again, rounded, n * sizeof *v);
    qsv_affine_round(QSV_INT8, again, n);
    assert_memory_equal(again, rounded, n * sizeof *v);
    assert_int_equal(
        qsv_tensors_add(&tensors, "x", QSV_INT8, 1, (uint32_t[]){(uint32_t)n}, &t, NULL), QSV_OK);
    qsv_affine_pack(t, rounded);
    assert_int_equal(t->bytes, n);
    assert_int_equal(qsv_affine_stored_bytes(t), qsv_affine_bytes(QSV_INT8, n));
    assert_int_equal(qsv_affine_stored_bytes(t), n + 1);
    memset(again, 0xee, sizeof again);
    qsv_affine_unpack(again, t);
    for (size_t i = 0; i < n; i++)
        assert_true(again[i] == rounded[i]);
    qsv_tensors_fini(&tensors);
}

static void test_bytes_by_hand(void **state)
{
    (void)state;
    static const struct {
        float largest;
        int exponent;
    } rows[] = {{0, 0},         {127, 0},       {127.5F, 1}, /* half way to 128: the even one */
                {127.4F, 0},    {64, 0},        {63.5F, -1}, {-1, -6}, {0x1p-149F, -125},
                {FLT_MAX, 112}, {-FLT_MAX, 112}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(qsv_affine_exponent(QSV_INT8, &rows[i].largest, 1), rows[i].exponent);
    float v[] = {100, 0.5F, 1.5F, -2.5F, 0.49F, -99.6F};
    const float want[] = {100, 0, 2, -2, 0, -100};
    qsv_affine_round(QSV_INT8, v, 6);
    for (size_t i = 0; i < 6; i++)
        assert_true(v[i] == want[i]);
    float huge = -FLT_MAX;
    qsv_affine_round(QSV_INT8, &huge, 1);
    assert_true(huge == -127 * 0x1p112F);
}

static void test_any_bytes(void **state)
{
    struct qsv_rng r;
    float v[64];
    (void)state;
    qsv_rng_seed(&r, 22);
    for (int k = 0; k < 2000; k++) {
        const size_t n = 1 + qsv_rng_below(&r, 64);
        const int base = (int)qsv_rng_below(&r, 270) - 145;
        for (size_t i = 0; i < n; i++) {
            double x = 1 + qsv_rng_unit(&r);
            if (qsv_rng_below(&r, 3) == 0) /* a tie, or near one */
                x = 1 + (double)qsv_rng_below(&r, 257) / 256;
            const int e = base - (int)qsv_rng_below(&r, 10);
            v[i] = (float)ldexp(qsv_rng_below(&r, 2) ? x : -x, e > 126 ? 126 : e);
        }
        check_bytes(v, n);
    }
}

/* Codes of at most two bits are coarser than bytes; others keep halves, and f32 is exact. */
static void test_where_bytes_are(void **state)
{
    (void)state;
    static const enum qsv_format halves[] = {QSV_F16,  QSV_INT8, QSV_INT6, QSV_INT5,
                                             QSV_INT4, QSV_INT3, QSV_NONE};
    static const enum qsv_format bytes[] = {QSV_INT2, QSV_TERNARY, QSV_BINARY};
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++)
        assert_int_equal(qsv_affine_of(halves[i], QSV_INT8), QSV_F16);
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        assert_int_equal(qsv_affine_of(bytes[i], QSV_INT8), QSV_INT8);
        assert_int_equal(qsv_affine_of(bytes[i], QSV_F16), QSV_F16);
        assert_int_equal(qsv_affine_of(bytes[i], QSV_F32), QSV_F32);
    }
    assert_int_equal(qsv_affine_of(QSV_F32, QSV_INT8), QSV_F32);
    assert_int_equal(qsv_affine_of(QSV_F32, QSV_F16), QSV_F32);
}

static void test_floats_stay(void **state)
{
    (void)state;
    static const float v[] = {1.1F, -2e-40F, 3e38F};
    float back[3];
    struct qsv_tensors tensors = {0};
    struct qsv_tensor *t;
    assert_int_equal(qsv_tensors_add(&tensors, "x", QSV_F32, 1, (uint32_t[]){3}, &t, NULL), QSV_OK);
    qsv_affine_pack(t, v);
    qsv_affine_unpack(back, t);
    assert_memory_equal(back, v, sizeof v);
    assert_int_equal(t->exponent, 0);
    assert_int_equal(qsv_affine_stored_bytes(t), 12);
    assert_int_equal(qsv_affine_stored_bytes(t), qsv_affine_bytes(QSV_F32, 3));
    assert_int_equal(qsv_tensors_add(&tensors, "y", QSV_F16, 1, (uint32_t[]){3}, &t, NULL), QSV_OK);
    assert_int_equal(qsv_affine_stored_bytes(t), 7);
    assert_int_equal(qsv_affine_stored_bytes(t), qsv_affine_bytes(QSV_F16, 3));
    /* weights in half precision have no exponent */
    assert_int_equal(qsv_tensors_add(&tensors, "z", QSV_F16, 2, (uint32_t[]){3, 1}, &t, NULL),
                     QSV_OK);
    assert_int_equal(qsv_affine_stored_bytes(t), 6);
    qsv_tensors_fini(&tensors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),     cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_any_vector),  cmocka_unit_test(test_bytes_by_hand),
        cmocka_unit_test(test_any_bytes),   cmocka_unit_test(test_where_bytes_are),
        cmocka_unit_test(test_floats_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
