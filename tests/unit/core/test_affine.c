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
    int exponent = qsv_affine_exponent(v, n);
    memcpy(rounded, v, n * sizeof *v);
    qsv_affine_round(rounded, n);
    for (size_t i = 0; i < n; i++)
        if ((double)rounded[i] != nearest((double)v[i], exponent) ||
            signbit(rounded[i]) != signbit(v[i]))
            fail_msg("%a becomes %a at exponent %d, expected %a", (double)v[i], (double)rounded[i],
                     exponent, nearest((double)v[i], exponent));
    assert_int_equal(qsv_affine_exponent(rounded, n), exponent);
    memcpy(again, rounded, n * sizeof *v);
    qsv_affine_round(again, n);
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
        assert_int_equal(qsv_affine_exponent(&rows[i].largest, 1), rows[i].exponent);
    float v[] = {1, 0x1.004p0F, 0x1.002p0F, 0x1.006p0F, -0x1.002p0F, 0x1p-39F, 0x1p-38F};
    const float want[] = {1, 0x1.004p0F, 1, 0x1.008p0F, -1, 0, 0x1p-38F};
    qsv_affine_round(v, 7);
    assert_memory_equal(v, want, sizeof v);
    float huge = -FLT_MAX;
    qsv_affine_round(&huge, 1);
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
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_any_vector),
        cmocka_unit_test(test_floats_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
