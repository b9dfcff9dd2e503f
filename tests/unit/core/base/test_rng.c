#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "core/base/rng.h"

static void test_reference_outputs(void **state)
{
    (void)state;
    /* of the state 1, 2, 3, 4, by the authors' implementation */
    static const uint64_t expected[] = {11520,
                                        0,
                                        1509978240,
                                        1215971899390074240,
                                        1216172134540287360,
                                        607988272756665600,
                                        16172922978634559625u,
                                        8476171486693032832,
                                        10595114339597558777u,
                                        2904607092377533576};
    struct qsv_rng r = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(qsv_rng_next(&r), expected[i]);
}

static void test_seeded_outputs(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed, outputs[3];
    } rows[] = {
        {0, {11091344671253066420u, 13793997310169335082u, 1900383378846508768}},
        {42, {1546998764402558742, 6990951692964543102, 12544586762248559009u}},
    };
    for (size_t i = 0; i < 2; i++) {
        struct qsv_rng r;
        qsv_rng_seed(&r, rows[i].seed);
        for (int k = 0; k < 3; k++)
            assert_int_equal(qsv_rng_next(&r), rows[i].outputs[k]);
    }
}

static void test_below_is_in_range_and_even(void **state)
{
    (void)state;
    struct qsv_rng r;
    qsv_rng_seed(&r, 5);
    for (uint64_t n = 1; n < 20; n++) {
        uint32_t counts[20] = {0};
        for (int i = 0; i < 20000; i++) {
            uint64_t v = qsv_rng_below(&r, n);
            assert_in_range(v, 0, n - 1);
            counts[v]++;
        }
        for (uint64_t k = 0; k < n; k++)
            assert_true(fabs(counts[k] - 20000.0 / n) <= 5 * sqrt(20000.0 / n));
    }
    for (int i = 0; i < 1000; i++)
        assert_in_range(qsv_rng_below(&r, UINT64_C(1) << 63), 0, (UINT64_C(1) << 63) - 1);
}

/* Plain remainders would be in the first third half of the time. */
static void test_below_has_no_bias(void **state)
{
    (void)state;
    struct qsv_rng r;
    int low = 0;
    qsv_rng_seed(&r, 6);
    for (int i = 0; i < 10000; i++)
        low += qsv_rng_below(&r, UINT64_C(3) << 62) < UINT64_C(1) << 62;
    assert_in_range(low, 3333 - 240, 3333 + 240);
}

static void test_unit(void **state)
{
    (void)state;
    struct qsv_rng r;
    double sum = 0, smallest = 1, largest = 0;
    qsv_rng_seed(&r, 7);
    for (int i = 0; i < 100000; i++) {
        double v = qsv_rng_unit(&r);
        assert_true(v >= 0 && v < 1);
        sum += v;
        smallest = v < smallest ? v : smallest;
        largest = v > largest ? v : largest;
    }
    assert_true(sum > 49500 && sum < 50500);
    assert_true(smallest < 1e-3 && largest > 0.999);
    r = (struct qsv_rng){{0, UINT64_MAX, 0, 0}};
    assert_true(qsv_rng_unit(&r) < 1);
}

static void test_shuffle_is_a_permutation_any_order_alike(void **state)
{
    (void)state;
    struct qsv_rng r;
    int counts[6] = {0};
    qsv_rng_seed(&r, 8);
    for (int i = 0; i < 6000; i++) {
        uint32_t v[3] = {0, 1, 2};
        qsv_rng_shuffle(&r, v, 3);
        assert_int_equal(1u << v[0] | 1u << v[1] | 1u << v[2], 7);
        counts[v[0] * 2 + (v[1] > v[2])]++;
    }
    for (int k = 0; k < 6; k++)
        assert_in_range(counts[k], 1000 - 150, 1000 + 150);
    uint32_t one = 9;
    qsv_rng_shuffle(&r, &one, 1);
    qsv_rng_shuffle(&r, NULL, 0);
    assert_int_equal(one, 9);
}

static void test_same_seed_same_shuffle(void **state)
{
    (void)state;
    uint32_t a[100], b[100];
    for (uint32_t i = 0; i < 100; i++)
        a[i] = b[i] = i;
    struct qsv_rng r;
    qsv_rng_seed(&r, 3);
    qsv_rng_shuffle(&r, a, 100);
    qsv_rng_seed(&r, 3);
    qsv_rng_shuffle(&r, b, 100);
    assert_memory_equal(a, b, sizeof a);
    qsv_rng_seed(&r, 4);
    qsv_rng_shuffle(&r, b, 100);
    assert_int_not_equal(memcmp(a, b, sizeof a), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_outputs),
        cmocka_unit_test(test_seeded_outputs),
        cmocka_unit_test(test_below_is_in_range_and_even),
        cmocka_unit_test(test_below_has_no_bias),
        cmocka_unit_test(test_unit),
        cmocka_unit_test(test_shuffle_is_a_permutation_any_order_alike),
        cmocka_unit_test(test_same_seed_same_shuffle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
