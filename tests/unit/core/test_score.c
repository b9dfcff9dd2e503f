#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/hash.h"
#include "core/base/rng.h"
#include "core/score.h"

enum { CLASSES = 1000 };

static void fill(float *logits, uint32_t n, double spread, struct qsv_rng *r)
{
    for (uint32_t i = 0; i < n; i++)
        logits[i] = (float)((qsv_rng_unit(r) - 0.5) * spread);
}

/* In long double with the C library's functions, without taking the largest out. */
static long double log_sum(const float *logits, uint32_t n)
{
    long double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += expl(logits[i]);
    return logl(sum);
}

static long double loss_by_definition(const float *logits, uint32_t n, uint32_t label)
{
    return log_sum(logits, n) - logits[label];
}

static long double kl_by_definition(const float *p, const float *q, uint32_t n)
{
    long double zp = log_sum(p, n), zq = log_sum(q, n), kl = 0;
    for (uint32_t i = 0; i < n; i++)
        kl += expl(p[i] - zp) * ((p[i] - zp) - (q[i] - zq));
    return kl;
}

static void test_by_hand(void **state)
{
    (void)state;
    struct qsv_score s;
    qsv_score(&s, (float[]){2, 2}, 2, 1);
    assert_int_equal(s.answer, 0);
    assert_false(s.top1);
    assert_true(s.top5);
    assert_true(fabs(s.loss - 0.69314718055994531) <= 1e-15);
    /* probabilities 1/4 and 3/4 against 1/2 and 1/2 */
    const float quarter[] = {0, 1.0986123f}, half[] = {-5, -5};
    assert_true(fabs(qsv_score_kl(quarter, half, 2) - 0.13081203594113697) <= 1e-7);
    assert_true(fabs(qsv_score_kl(half, quarter, 2) - 0.14384103622589045) <= 1e-7);
    qsv_score(&s, (float[]){7}, 1, 0);
    assert_true(s.top1 && s.top5 && s.loss == 0 && !signbit(s.loss));
}

static void test_places(void **state)
{
    (void)state;
    static const struct {
        float logits[8];
        uint32_t label, answer;
        bool top1, top5;
    } rows[] = {
        {{1, 5, 3, 4, 2, 0, -1, -2}, 1, 1, true, true},
        {{1, 5, 3, 4, 2, 0, -1, -2}, 0, 1, false, true},
        {{1, 5, 3, 4, 2, 0, -1, -2}, 5, 1, false, false},
        {{0, 0, 0, 0, 0, 0, 0, 0}, 0, 0, true, true},
        {{0, 0, 0, 0, 0, 0, 0, 0}, 4, 0, false, true},
        {{0, 0, 0, 0, 0, 0, 0, 0}, 5, 0, false, false},
        {{-0.0f, 0, -1, -1, -1, -1, -1, -1}, 1, 0, false, true},
        {{1, 2, 3, 4, 5, 6, 7, 8}, 3, 7, false, true},
        {{1, 2, 3, 4, 5, 6, 7, 8}, 2, 7, false, false},
        {{9, 1, 9, 9, 9, 9, 8, 0}, 5, 0, false, true},
        {{9, 1, 9, 9, 9, 9, 9, 0}, 6, 0, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_score s;
        qsv_score(&s, rows[i].logits, 8, rows[i].label);
        assert_int_equal(s.answer, rows[i].answer);
        assert_int_equal(s.top1, rows[i].top1);
        assert_int_equal(s.top5, rows[i].top5);
    }
}

static void test_against_definition(void **state)
{
    (void)state;
    static const double spreads[] = {1e-3, 1, 20, 200};
    static float a[CLASSES], b[CLASSES];
    struct qsv_rng r;
    qsv_rng_seed(&r, 11);
    for (int i = 0; i < 200; i++) {
        uint32_t n = 2 + (uint32_t)qsv_rng_below(&r, i % 10 ? 20 : CLASSES - 2);
        uint32_t label = (uint32_t)qsv_rng_below(&r, n);
        double spread = spreads[i % 4];
        struct qsv_score s;
        fill(a, n, spread, &r);
        fill(b, n, spread, &r);
        qsv_score(&s, a, n, label);
        long double loss = loss_by_definition(a, n, label), kl = kl_by_definition(a, b, n);
        assert_true(fabsl(s.loss - loss) <= 1e-14L * (1 + fabsl(loss) + spread));
        assert_true(fabsl(qsv_score_kl(a, b, n) - kl) <= 1e-14L * (1 + fabsl(kl) + spread));
        assert_true(qsv_score_kl(a, a, n) == 0);
        assert_true(qsv_score_kl(a, b, n) >= 0);
    }
}

static void test_a_common_shift_changes_nothing(void **state)
{
    (void)state;
    struct qsv_rng r;
    float a[50], b[50];
    qsv_rng_seed(&r, 5);
    for (int i = 0; i < 50; i++) {
        a[i] = (float)qsv_rng_below(&r, 4096) / 256;
        b[i] = a[i] + 1024;
    }
    struct qsv_score s, t;
    qsv_score(&s, a, 50, 7);
    qsv_score(&t, b, 50, 7);
    assert_true(s.loss == t.loss && s.answer == t.answer);
    assert_true(qsv_score_kl(a, b, 50) == 0);
}

static void test_far_apart(void **state)
{
    (void)state;
    struct qsv_score s;
    const float up[] = {FLT_MAX, -FLT_MAX}, down[] = {-FLT_MAX, FLT_MAX};
    qsv_score(&s, up, 2, 1);
    assert_true(s.loss == 2 * (double)FLT_MAX);
    qsv_score(&s, up, 2, 0);
    assert_true(s.loss == 0 && s.top1);
    assert_true(qsv_score_kl(up, down, 2) == 2 * (double)FLT_MAX);
    assert_true(fabs(qsv_score_kl((float[]){0, -800}, (float[]){-800, 0}, 2) - 800) <= 1e-10);
}

static void test_logits_that_are_not_finite(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        struct qsv_error err;
        struct qsv_score s;
        float logits[3 * 3] = {1, 2, 3, 1, 2, 3, 1, 2, 3};
        const float *good = logits, *broken = logits + 3;
        assert_int_equal(qsv_score_check(logits, 3, 3, 70, &err), QSV_OK);
        logits[4] = bad[i];
        qsv_score(&s, broken, 3, 0);
        assert_true(!s.top1 && !s.top5 && s.answer == 0 && s.loss == INFINITY);
        assert_true(qsv_score_kl(good, broken, 3) == INFINITY);
        assert_true(qsv_score_kl(broken, good, 3) == INFINITY);
        assert_int_equal(qsv_score_check(logits, 3, 3, 70, &err), QSV_EFAILED);
        logits[4] = 0;
        assert_int_equal(qsv_score_check(logits, 3, 3, 70, &err), QSV_OK);
    }
    struct qsv_error err;
    const float logits[] = {0, 0, 0, -INFINITY};
    assert_int_equal(qsv_score_check(logits, 2, 2, 70, &err), QSV_EFAILED);
    assert_string_equal(err.text,
                        "image 71: the logit of class 1 is -inf, expected a finite number");
}

/* A change of compiler, flags or machine must not change what a run records. */
static void test_same_bits_everywhere(void **state)
{
    (void)state;
    struct qsv_rng r;
    struct qsv_hash *h = qsv_hash_begin();
    float a[10], b[10];
    qsv_rng_seed(&r, 1);
    for (int i = 0; i < 1000; i++) {
        struct qsv_score s;
        fill(a, 10, 30, &r);
        fill(b, 10, 30, &r);
        qsv_score(&s, a, 10, 3);
        double values[] = {s.loss, qsv_score_kl(a, b, 10)};
        qsv_hash_add(h, values, sizeof values);
    }
    assert_int_equal(qsv_hash_end(h), UINT64_C(0x94bdb6795a7df378));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_against_definition),
        cmocka_unit_test(test_a_common_shift_changes_nothing),
        cmocka_unit_test(test_far_apart),
        cmocka_unit_test(test_logits_that_are_not_finite),
        cmocka_unit_test(test_same_bits_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
