/* Metrics: sums of records and what follows from them, against values worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>

#include <cmocka.h>

#include "jobs/metrics.h"

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-12 * fmax(1, fabs(expected))))
        fail_msg("%.17g, expected %.17g", value, expected);
}

/* low and high computed with Python from the 2x2 table, 1/2 added to each cell. */
static void test_drop_interval(void **state)
{
    (void)state;
    static const struct {
        uint64_t n_images, n_only_baseline, n_only_trial;
        double low, high;
    } rows[] = {
        {0, 0, 0, -97.9981992270027, 97.9981992270027},
        {1, 1, 0, -51.010087458777335, 100}, /* never beyond what a drop can be */
        {1, 0, 1, -100, 51.010087458777335},
        {100, 9, 2, 0.34095575639392084, 13.384534439684511},
        {384, 0, 0, -0.5077626902953508, 0.5077626902953508},
        {4096, 50, 120, -2.331383361919548, -1.0849172725362843},
        {10000, 310, 189, 0.772226284701311, 1.647289812079333},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_metrics m = {.n_images = rows[i].n_images,
                                .n_only_baseline = rows[i].n_only_baseline,
                                .n_only_trial = rows[i].n_only_trial};
        double low, high;
        qsv_metrics_drop_interval(&m, &low, &high);
        assert_near(low, rows[i].low);
        assert_near(high, rows[i].high);
    }
}

/* Two shards of 3 and 1 images. KL by image: 0.1, 0.2, 0.6 | 0.3: mean 0.3, sample variance
 * 0.14 / 3, standard error of the mean sqrt(0.14 / 3 / 4) = sqrt(0.0116666...). */
static void test_records_add_up(void **state)
{
    (void)state;
    const struct qsv_record first = {
        .trial_id = 5,
        .n_images = 3,
        .n_top1 = 2,
        .n_top5 = 3,
        .n_only_trial = 1,
        .n_only_baseline = 0,
        .loss_sum = 1.5,
        .loss_diff_sum = 0.25,
        .loss_diff_square_sum = 0.5,
        .kl_sum = 0.1 + 0.2 + 0.6,
        .kl_square_sum = 0.01 + 0.04 + 0.36,
        .ac_ops = 100,
        .mac_ops = 10,
        .drift = 0.02,
        .wall_s = 2,
    };
    const struct qsv_record second = {
        .trial_id = 5,
        .n_images = 1,
        .n_top1 = 0,
        .n_top5 = 0,
        .n_only_baseline = 1,
        .loss_sum = 2.5,
        .loss_diff_sum = 1,
        .loss_diff_square_sum = 1,
        .kl_sum = 0.3,
        .kl_square_sum = 0.09,
        .ac_ops = 50,
        .mac_ops = 5,
        .drift = 0.1,
        .wall_s = 0.5,
    };
    struct qsv_metrics m = {.bytes = {.model_bytes = 77}, .energy = {.total_pj = 88}};
    qsv_metrics_add(&m, &first);
    qsv_metrics_add(&m, &second);

    assert_int_equal(m.trial_id, 5);
    assert_int_equal(m.n_images, 4);
    assert_int_equal(m.n_only_trial, 1);
    assert_int_equal(m.n_only_baseline, 1);
    assert_int_equal(m.ac_ops, 150);
    assert_int_equal(m.mac_ops, 15);
    assert_near(m.wall_s, 2.5);
    assert_near(m.loss_diff_sum, 1.25);
    assert_near(m.loss_diff_square_sum, 1.5);
    assert_near(qsv_metrics_top1(&m), 50);
    assert_near(qsv_metrics_top5(&m), 75);
    assert_near(qsv_metrics_top1_drop(&m), 0);
    assert_near(qsv_metrics_loss(&m), 1);
    assert_near(qsv_metrics_kl(&m), 0.3);
    assert_near(qsv_metrics_kl_error(&m), 0.10801234497346433);
    assert_near(qsv_metrics_drift(&m), 0.04);
    assert_int_equal(m.bytes.model_bytes, 77);
    assert_near(m.energy.total_pj, 88);
}

static void test_drop_has_the_baseline_first(void **state)
{
    (void)state;
    struct qsv_metrics worse = {.n_images = 200, .n_only_baseline = 5, .n_only_trial = 2};
    struct qsv_metrics better = {.n_images = 200, .n_only_baseline = 2, .n_only_trial = 5};
    assert_near(qsv_metrics_top1_drop(&worse), 1.5);
    assert_near(qsv_metrics_top1_drop(&better), -1.5);
}

static void test_few_images(void **state)
{
    (void)state;
    struct qsv_metrics none = {0}, one = {.n_images = 1, .kl_sum = 0.5, .kl_square_sum = 0.25};
    assert_true(isnan(qsv_metrics_top1(&none)));
    assert_true(isnan(qsv_metrics_kl(&none)));
    assert_true(isnan(qsv_metrics_kl_error(&none)));
    assert_near(qsv_metrics_kl(&one), 0.5);
    assert_true(isnan(qsv_metrics_kl_error(&one)));
    /* Equal values: the variance rounds to a hair below 0, and the error is 0. */
    struct qsv_metrics equal = {.n_images = 3,
                                .kl_sum = 0.1 + 0.1 + 0.1,
                                .kl_square_sum = 0.1 * 0.1 + 0.1 * 0.1 + 0.1 * 0.1};
    assert_true(qsv_metrics_kl_error(&equal) < 1e-8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drop_interval),
        cmocka_unit_test(test_few_images),
        cmocka_unit_test(test_records_add_up),
        cmocka_unit_test(test_drop_has_the_baseline_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
