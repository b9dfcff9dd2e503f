/* The constraint: what meets it, how far from it a setting is, and which of two is the better. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>

#include <cmocka.h>

#include "jobs/constraint.h"

static struct qsv_spec limits(double drop, uint64_t bytes, double energy)
{
    struct qsv_spec spec = {0};
    spec.constraint.max_top1_drop = drop;
    spec.constraint.max_bytes = bytes;
    spec.constraint.max_energy_pj = energy;
    return spec;
}

/* lost: images of 1,000 that only the baseline got right: a tenth of a point each. */
static struct qsv_metrics measured(uint64_t lost, uint64_t bytes, double energy, double kl)
{
    return (struct qsv_metrics){.n_images = 1000,
                                .n_only_baseline = lost,
                                .kl_sum = kl * 1000,
                                .bytes = {.model_bytes = bytes},
                                .energy = {.total_pj = energy}};
}

static void test_violation(void **state)
{
    (void)state;
    static const struct {
        double max_drop;
        uint64_t max_bytes;
        double max_energy;
        uint64_t lost, bytes;
        double energy, violation;
    } rows[] = {
        {1.5, 0, NAN, 15, 999, 999, 0}, /* the limit itself is met */
        {1.5, 0, 0, 16, 999, 999, 0.1 / 1.5},
        {2, 0, NAN, 50, 999, 999, 1.5},
        {0, 0, NAN, 0, 999, 999, 0},
        {0.5, 0, NAN, 10, 999, 999, 0.5}, /* points where the limit is below one */
        {NAN, 100, NAN, 500, 100, 999, 0},
        {NAN, 100, NAN, 500, 150, 999, 0.5},
        {NAN, 0, 200, 500, 999, 200, 0},
        {NAN, 0, 200, 500, 999, 250, 0.25},
        {1, 100, 200, 15, 120, 210, 0.5}, /* the largest counts */
        {1, 100, 200, 5, 120, 280, 0.4},
        {NAN, 0, NAN, 500, 999, 999, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_spec spec = limits(rows[i].max_drop, rows[i].max_bytes, rows[i].max_energy);
        struct qsv_metrics m = measured(rows[i].lost, rows[i].bytes, rows[i].energy, 0.1);
        double v = qsv_constraint_violation(&spec, &m);
        if (!(fabs(v - rows[i].violation) < 1e-12))
            fail_msg("row %zu: %.17g, expected %.17g", i, v, rows[i].violation);
    }
}

/* 1,000 weights: 500 bytes are 4 bits each. */
static void test_bits(void **state)
{
    (void)state;
    struct qsv_spec spec = limits(NAN, 0, NAN), both = limits(NAN, 800, NAN);
    struct qsv_metrics m = measured(500, 900, 0, 0.1);
    m.bytes.weights_bytes = 500;
    m.bytes.avg_bits = 4;
    assert_false(qsv_constraint_bounds_size(&spec));
    assert_true(qsv_constraint_bytes_over(&spec, &m.bytes) == -INFINITY);
    spec.constraint.target_avg_bits = 4; /* the limit itself is met */
    assert_true(qsv_constraint_bounds_size(&spec));
    assert_true(qsv_constraint_met(&spec, &m));
    assert_true(qsv_constraint_holds(&spec, &m));
    assert_true(qsv_constraint_bytes_over(&spec, &m.bytes) == 0);
    spec.constraint.target_avg_bits = 3.2;
    assert_true(fabs(qsv_constraint_violation(&spec, &m) - 0.25) < 1e-12);
    assert_false(qsv_constraint_size_met(&spec, &m));
    assert_false(qsv_constraint_holds(&spec, &m));
    assert_true(fabs(qsv_constraint_bytes_over(&spec, &m.bytes) - 100) < 1e-9);
    /* Beside a bound on the drop it says only whether what was found is accepted. */
    spec.constraint.max_top1_drop = 60;
    assert_true(qsv_constraint_holds(&spec, &m));
    assert_false(qsv_constraint_met(&spec, &m));
    /* Of two bounds on the size the one that is exceeded more. */
    both.constraint.target_avg_bits = 5;
    assert_true(fabs(qsv_constraint_violation(&both, &m) - 0.125) < 1e-12);
    assert_true(qsv_constraint_bytes_over(&both, &m.bytes) == 100);
    both.constraint.max_bytes = 1000;
    assert_true(qsv_constraint_bytes_over(&both, &m.bytes) == -100);
}

/* What was measured on no image meets nothing. */
static void test_nothing_measured(void **state)
{
    (void)state;
    struct qsv_spec spec = limits(1, 0, NAN);
    struct qsv_metrics m = {0};
    assert_true(isinf(qsv_constraint_violation(&spec, &m)));
    assert_false(qsv_constraint_drop_met(&spec, &m));
}

static void test_each_limit_by_itself(void **state)
{
    (void)state;
    struct qsv_spec spec = limits(1, 100, 200);
    struct qsv_metrics m = measured(20, 90, 210, 0.1);
    assert_false(qsv_constraint_drop_met(&spec, &m));
    assert_true(qsv_constraint_size_met(&spec, &m));
    assert_false(qsv_constraint_energy_met(&spec, &m));
}

static void test_compare(void **state)
{
    (void)state;
    struct qsv_spec drop = limits(1, 60, 200), bytes = limits(NAN, 100, NAN);
    struct qsv_metrics small = measured(10, 50, 200, 0.2), large = measured(2, 90, 0, 0.1);
    struct qsv_metrics hungry = measured(2, 40, 210, 0.1), hungrier = measured(2, 30, 220, 0.1);
    struct qsv_metrics near = measured(12, 40, 0, 0.2), far = measured(13, 30, 0, 0.1);
    struct qsv_metrics over = measured(1, 101, 0, 0.01);
    /* Within a bound on the drop bytes decide, KL only between equals. */
    assert_true(qsv_constraint_compare(&drop, &small, &large) < 0);
    assert_true(qsv_constraint_compare(&drop, &large, &small) > 0);
    struct qsv_metrics twin = measured(9, 50, 0, 0.15);
    assert_true(qsv_constraint_compare(&drop, &small, &twin) > 0);
    assert_int_equal(qsv_constraint_compare(&drop, &small, &small), 0);
    /* What holds is better than what does not, the nearer better than the farther, and the drop
     * counts before the energy. */
    assert_true(qsv_constraint_compare(&drop, &near, &large) > 0);
    assert_true(qsv_constraint_compare(&drop, &near, &far) < 0);
    assert_true(qsv_constraint_compare(&drop, &hungry, &large) > 0);
    assert_true(qsv_constraint_compare(&drop, &hungry, &hungrier) < 0);
    assert_true(qsv_constraint_compare(&drop, &hungrier, &near) < 0);
    /* Where only size is bounded KL decides. */
    assert_true(qsv_constraint_compare(&bytes, &small, &large) > 0);
    assert_true(qsv_constraint_compare(&bytes, &over, &small) > 0);
}

/* Beside a bound on the drop a search can do no more for max_bytes than it does anyway. */
static void test_holds(void **state)
{
    (void)state;
    struct qsv_spec drop = limits(1, 60, 200), bytes = limits(NAN, 60, 200);
    struct qsv_metrics large = measured(5, 90, 100, 0.1), hungry = measured(5, 50, 210, 0.1);
    struct qsv_metrics wrong = measured(15, 50, 100, 0.1);
    assert_true(qsv_constraint_holds(&drop, &large));
    assert_false(qsv_constraint_met(&drop, &large));
    assert_false(qsv_constraint_holds(&bytes, &large));
    assert_false(qsv_constraint_holds(&drop, &hungry));
    assert_false(qsv_constraint_holds(&bytes, &hungry));
    assert_false(qsv_constraint_holds(&drop, &wrong));
    assert_true(qsv_constraint_holds(&bytes, &wrong) && qsv_constraint_met(&bytes, &wrong));
}

static void test_print(void **state)
{
    (void)state;
    static const struct {
        double drop;
        uint64_t bytes;
        double bits, energy;
        const char *text;
    } rows[] = {
        {1.5, 0, NAN, NAN, "top-1 drop at most 1.5 points"},
        {NAN, 400000, 0, NAN, "at most 400000 bytes"},
        {NAN, 0, 2.25, NAN, "at most 2.25 bits a weight"},
        {2.1, 400000, 3, 1e9,
         "top-1 drop at most 2.1 points, at most 400000 bytes, at most 3 bits a weight, "
         "at most 1e+09 pJ an image"},
        {NAN, 0, NAN, NAN, "none"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_spec spec = limits(rows[i].drop, rows[i].bytes, rows[i].energy);
        spec.constraint.target_avg_bits = rows[i].bits;
        struct qsv_strbuf out = {0};
        qsv_constraint_print(&out, &spec);
        assert_string_equal(out.text, rows[i].text);
        qsv_strbuf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_violation),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_nothing_measured),
        cmocka_unit_test(test_each_limit_by_itself),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_holds),
        cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
