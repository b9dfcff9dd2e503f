#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "core/base/hash.h"
#include "core/base/real.h"
#include "core/base/rng.h"

static void test_exp_against_libm(void **state)
{
    (void)state;
    struct qsv_rng r;
    qsv_rng_seed(&r, 1);
    for (int i = 0; i < 200000; i++) {
        double x = (qsv_rng_unit(&r) - 0.5) * (i % 2 ? 1400 : 2);
        long double exact = expl(x);
        assert_true(fabsl(qsv_exp(x) - exact) <= 1e-14L * exact);
    }
}

static void test_exp_of_special_values(void **state)
{
    (void)state;
    assert_true(qsv_exp(0) == 1);
    assert_true(qsv_exp(-0.0) == 1);
    assert_true(qsv_exp(1e-300) == 1);
    assert_true(fabs(qsv_exp(1) - 2.718281828459045) <= 5e-16);
    assert_true(qsv_exp(-745.1) == 0);
    assert_true(qsv_exp(-1e300) == 0);
    assert_true(qsv_exp(-INFINITY) == 0);
    /* subnormal results are as exact as they can be */
    for (double x = -745; x < -708; x += 0.25)
        assert_true(fabsl(qsv_exp(x) - expl(x)) <= 0x1p-1074L + 1e-14L * expl(x));
}

static void test_exp_never_falls(void **state)
{
    (void)state;
    double last = 0;
    for (int i = -745000; i <= 709000; i += 7) {
        double v = qsv_exp(i / 1000.0);
        assert_true(v >= last);
        last = v;
    }
}

static void test_log_against_libm(void **state)
{
    (void)state;
    struct qsv_rng r;
    qsv_rng_seed(&r, 2);
    for (int i = 0; i < 200000; i++) {
        double x = ldexp(1 + qsv_rng_unit(&r), i % 2 ? (int)qsv_rng_below(&r, 2046) - 1022 : 0);
        long double exact = logl(x);
        assert_true(fabsl(qsv_log(x) - exact) <= 1e-14L * fabsl(exact));
    }
}

static void test_log_of_special_values(void **state)
{
    (void)state;
    assert_true(qsv_log(1) == 0);
    assert_true(qsv_log(2) == 0.69314718055994530942);
    static const double rows[] = {0x1p-1074, 3e-320, DBL_MIN,         DBL_MAX,
                                  10,        0.5,    1 + DBL_EPSILON, 1 - DBL_EPSILON / 2};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_true(fabsl(qsv_log(rows[i]) - logl(rows[i])) <= 1e-14L * fabsl(logl(rows[i])));
}

/* A change of compiler, flags or machine must not change what a run records. */
static void test_same_bits_everywhere(void **state)
{
    (void)state;
    struct qsv_hash *h = qsv_hash_begin();
    for (int i = -7440; i < 7090; i++) {
        double values[] = {qsv_exp(i * 0.1), qsv_log((i + 7441) * 0.37)};
        qsv_hash_add(h, values, sizeof values);
    }
    assert_int_equal(qsv_hash_end(h), UINT64_C(0x630d3d3d2939142));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp_against_libm),      cmocka_unit_test(test_exp_of_special_values),
        cmocka_unit_test(test_exp_never_falls),       cmocka_unit_test(test_log_against_libm),
        cmocka_unit_test(test_log_of_special_values), cmocka_unit_test(test_same_bits_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
