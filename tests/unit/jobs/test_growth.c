/* Step 1 of `frontier` on as many images as it takes: few where groups differ clearly, all where
 * they don't; images count once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jobs/strategies/qsvit.h"
#include "tests/unit/jobs/synthetic.h"

/* Groups' divergences are level x spread^g, each with the relative standard error 1 / sqrt(n) x
 * noise. */
struct law {
    double spread, noise;
    uint32_t calls;
    uint64_t last;
};

enum { GROUPS = 12, ALL = 1000 };

static enum qsv_status answer(void *context, const char *step, const struct qsv_trial *trials,
                              uint32_t n, enum qsv_image_set set, uint64_t n_images,
                              struct qsv_metrics *out, struct qsv_error *err)
{
    struct law *law = context;
    (void)step, (void)trials, (void)set, (void)err;
    law->calls++;
    law->last = n_images;
    for (uint32_t i = 0; i < n; i++) {
        const double images = (double)(n_images ? n_images : ALL), kl = 0.001 * pow(law->spread, i);
        out[i] = (struct qsv_metrics){.n_images = n_images ? n_images : ALL};
        out[i].kl_sum = i ? kl * images : 0;
        out[i].kl_square_sum = i ? kl * kl * (images + law->noise * law->noise * (images - 1)) : 0;
    }
    return QSV_OK;
}

static uint64_t count(void *context, enum qsv_image_set set, uint64_t n_images)
{
    (void)context, (void)set;
    return n_images && n_images < ALL ? n_images : ALL;
}

static uint64_t images_for(double spread, double noise, uint64_t wanted, bool counts)
{
    struct law law = {spread, noise, 0, 0};
    struct qsv_evaluator e = {.context = &law, .evaluate = answer, .count = counts ? count : NULL};
    struct qsv_spec spec = {0};
    struct qsv_selection out = {0};
    struct qsv_error err;
    struct qsv_qsvit q = {.frontier = true, .search = {NULL, &spec, &e, &out, &err}};
    struct qsv_trial trials[1 + GROUPS] = {{0}};
    struct qsv_metrics answers[1 + GROUPS] = {{0}};
    spec.search.sensitivity_images = wanted;
    assert_int_equal(qsv_frontier_grow(&q, trials, 1 + GROUPS, GROUPS, answers), QSV_OK);
    assert_int_equal(out.image_forwards, (1 + GROUPS) * answers[1].n_images);
    assert_int_equal(out.n_evaluations, (1 + GROUPS) * law.calls);
    return law.last;
}

/* The mean square of relative errors is noise^2 / n, the variance of log KL log(spread)^2 x (G^2 -
 * 1) / 12: it is enough when the first is at most a hundredth of the second. */
static void test_as_many_as_it_takes(void **state)
{
    (void)state;
    for (double spread = 1.02; spread < 3; spread *= 1.1)
        for (double noise = 0.5; noise < 4; noise *= 1.3) {
            const double variance = log(spread) * log(spread) * (GROUPS * GROUPS - 1) / 12;
            uint64_t want = 0;
            for (uint64_t n = 50; n <= 400; n *= 2)
                if (!want && noise * noise / (double)n <= 0.01 * variance)
                    want = n;
            assert_int_equal(images_for(spread, noise, 400, true), want ? want : 400);
        }
}

static void test_all_at_once(void **state)
{
    (void)state;
    assert_int_equal(images_for(3, 0.5, 400, false), 400); /* who can't tell how many there are */
    assert_int_equal(images_for(3, 0.5, 7, true), 7);      /* too few to part */
    assert_int_equal(images_for(1, 1, 0, true), 0);        /* all that decide, where none differ */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_many_as_it_takes),
        cmocka_unit_test(test_all_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
