#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "runner/coordinator/deal.h"

static struct qsv_error err;

enum { MAX_TRIALS = 32, MAX_SHARDS = 32 };

static double none_shared[MAX_TRIALS];
static uint32_t ten_images[MAX_SHARDS];
static uint8_t all_missing[MAX_TRIALS * MAX_SHARDS];

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < MAX_SHARDS; i++)
        ten_images[i] = 10;
    memset(all_missing, 1, sizeof all_missing);
    return 0;
}

static struct qsv_deal *make(uint32_t workers, uint32_t shards, double task_seconds)
{
    struct qsv_deal *d;
    assert_int_equal(qsv_deal_create(&d, workers, shards, task_seconds, &err), QSV_OK);
    return d;
}

static void begin(struct qsv_deal *d, uint32_t trials, uint32_t first, uint32_t count,
                  const uint8_t *missing)
{
    struct qsv_deal_call call = {trials, first, count, none_shared, ten_images, missing};
    assert_int_equal(qsv_deal_begin(d, &call, &err), QSV_OK);
}

static struct qsv_hand next(struct qsv_deal *d, uint32_t worker)
{
    struct qsv_hand h;
    assert_true(qsv_deal_next(d, worker, &h));
    return h;
}

static void the_first_task_is_one_pair(void **state)
{
    (void)state;
    struct qsv_deal *d = make(2, 8, 10);
    begin(d, 4, 0, 8, all_missing);
    struct qsv_hand h = next(d, 0);
    assert_int_equal(h.first_shard, 0);
    assert_int_equal(h.n_shards, 1);
    assert_int_equal(h.n_trials, 1);
    assert_int_equal(h.trials[0], 0);
    assert_true(h.work == 20); /* the trial, and the baseline of a shard it has not had */
    h = next(d, 1);
    assert_int_equal(h.first_shard, 1);
    qsv_deal_destroy(d);
}

static void tasks_are_as_long_as_asked_for(void **state)
{
    (void)state;
    struct qsv_deal *d = make(1, 32, 10);
    begin(d, 20, 0, 32, all_missing);
    assert_true(qsv_deal_speed(d, 0) == 0);
    struct qsv_hand h = next(d, 0);
    qsv_deal_done(d, 0, h.work, 4); /* 20 images in 4 s: 5 a second, so 50 a task */
    assert_true(qsv_deal_speed(d, 0) == 5);
    h = next(d, 0);
    assert_int_equal(h.first_shard, 0); /* its own */
    assert_int_equal(h.n_trials, 5);
    assert_int_equal(h.trials[0], 1);
    assert_true(h.work == 50);
    qsv_deal_done(d, 0, h.work, 1); /* faster now: (10 + 50) / (2 + 1) */
    assert_true(qsv_deal_speed(d, 0) == 20);
    h = next(d, 0);
    assert_int_equal(h.n_trials, 14); /* 20 would fit, 14 are left on this shard */
    assert_int_equal(h.n_shards, 1);
    h = next(d, 0);
    assert_int_equal(h.first_shard, 1);
    assert_int_equal(h.n_trials, 19); /* and the baseline */
    assert_true(h.work == 200);
    qsv_deal_destroy(d);
}

static void a_task_spans_shards_that_miss_the_same(void **state)
{
    (void)state;
    uint8_t missing[2 * 8];
    memset(missing, 1, sizeof missing);
    missing[0 * 8 + 3] = 0; /* shard 3 has the first trial */
    struct qsv_deal *d = make(1, 8, 10);
    qsv_deal_done(d, 0, 1000, 1);
    begin(d, 2, 0, 8, missing);
    struct qsv_hand h = next(d, 0);
    /* By speed everything would fit; no task takes more than half of what is left. */
    assert_int_equal(h.n_shards, 2);
    assert_int_equal(h.n_trials, 2);
    h = next(d, 0);
    assert_int_equal(h.first_shard, 2);
    assert_int_equal(h.n_shards, 1);
    h = next(d, 0);
    assert_int_equal(h.first_shard, 3);
    assert_int_equal(h.n_trials, 1);
    assert_int_equal(h.trials[0], 1);
    qsv_deal_destroy(d);
}

static void sharing_makes_tasks_wider(void **state)
{
    (void)state;
    static const double shared[] = {0, 0.5, 0.75, 0.75, 0.75, 0.75, 0.75, 0.5};
    struct qsv_deal *d = make(1, 4, 1);
    qsv_deal_done(d, 0, 25, 1);
    uint8_t missing[8 * 4];
    memset(missing, 1, sizeof missing);
    memset(missing, 0, 4); /* trial 0 is recorded */
    struct qsv_deal_call call = {8, 0, 4, shared, ten_images, missing};
    assert_int_equal(qsv_deal_begin(d, &call, &err), QSV_OK);
    struct qsv_hand h = next(d, 0);
    /* Baseline 10, trial 1 in full 10, trials 2 and 3 a quarter each. */
    assert_int_equal(h.n_trials, 3);
    assert_int_equal(h.trials[0], 1);
    assert_true(h.work == 25);
    qsv_deal_destroy(d);
}

static void what_lies_between_limits_what_is_shared(void **state)
{
    (void)state;
    static const double shared[] = {0, 0.9, 0.1, 0.9};
    uint8_t missing[4 * 4];
    memset(missing, 1, sizeof missing);
    memset(missing + 4, 0, 8); /* trials 1 and 2 are recorded */
    struct qsv_deal *d = make(1, 4, 10);
    struct qsv_hand h;
    begin(d, 1, 0, 4, all_missing);
    while (qsv_deal_next(d, 0, &h))
        qsv_deal_done(d, 0, 1000, 1);
    struct qsv_deal_call call = {4, 0, 4, shared, ten_images, missing};
    assert_int_equal(qsv_deal_begin(d, &call, &err), QSV_OK);
    h = next(d, 0);
    assert_int_equal(h.n_trials, 2);
    assert_int_equal(h.trials[1], 3);
    assert_true(h.work == 19); /* trial 3 shares 0.9 with trial 2, but only 0.1 with trial 0 */
    qsv_deal_destroy(d);
}

static void shards_come_back_to_who_had_them(void **state)
{
    (void)state;
    struct qsv_deal *d = make(2, 6, 10);
    begin(d, 1, 0, 6, all_missing);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(next(d, i % 2).first_shard, i);
    struct qsv_hand h;
    assert_false(qsv_deal_next(d, 0, &h));
    begin(d, 1, 0, 6, all_missing);
    assert_int_equal(next(d, 1).first_shard, 1);
    assert_int_equal(next(d, 1).first_shard, 3);
    assert_int_equal(next(d, 0).first_shard, 0);
    h = next(d, 1);
    assert_int_equal(h.first_shard, 5);
    assert_true(h.work == 10); /* no baseline to be made */
    /* Worker 1 has done its own: it takes over from the far end of worker 0's. */
    h = next(d, 1);
    assert_int_equal(h.first_shard, 4);
    assert_true(h.work == 20);
    assert_int_equal(next(d, 0).first_shard, 2);
    assert_false(qsv_deal_next(d, 0, &h));
    assert_false(qsv_deal_next(d, 1, &h));
    qsv_deal_destroy(d);
}

static void every_pair_is_dealt_once(void **state)
{
    (void)state;
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 42);
    for (int round = 0; round < 300; round++) {
        uint32_t workers = 1 + (uint32_t)qsv_rng_below(&rng, 9);
        uint32_t trials = 1 + (uint32_t)qsv_rng_below(&rng, MAX_TRIALS);
        uint32_t count = 1 + (uint32_t)qsv_rng_below(&rng, MAX_SHARDS - 2);
        uint8_t missing[MAX_TRIALS * MAX_SHARDS] = {0}, dealt[MAX_TRIALS * MAX_SHARDS] = {0};
        double shared[MAX_TRIALS] = {0};
        for (uint32_t t = 1; t < trials; t++)
            shared[t] = qsv_rng_unit(&rng);
        for (uint32_t i = 0; i < trials * count; i++)
            missing[i] = qsv_rng_below(&rng, 4) > 0;
        struct qsv_deal *d = make(workers, MAX_SHARDS, 5);
        struct qsv_deal_call call = {trials, 2, count, shared, ten_images, missing};
        assert_int_equal(qsv_deal_begin(d, &call, &err), QSV_OK);
        struct qsv_hand h;
        for (uint32_t w = 0; qsv_deal_next(d, w, &h); w = (uint32_t)qsv_rng_below(&rng, workers)) {
            for (uint32_t i = 0; i < h.n_trials; i++)
                for (uint32_t s = 0; s < h.n_shards; s++)
                    dealt[h.trials[i] * count + h.first_shard - 2 + s]++;
            qsv_deal_done(d, w, h.work, qsv_rng_unit(&rng) * 10);
        }
        assert_memory_equal(missing, dealt, trials * count);
        qsv_deal_destroy(d);
    }
}

/* Workers of equal speed end together: the last pieces are small. */
static void nobody_waits_long_at_the_end(void **state)
{
    (void)state;
    enum { WORKERS = 4, TRIALS = 30, SHARDS = 30 };
    struct qsv_deal *d = make(WORKERS, SHARDS, 50);
    double free_at[WORKERS] = {0}, longest = 0, sum = 0;
    begin(d, TRIALS, 0, SHARDS, all_missing);
    for (;;) {
        uint32_t w = 0;
        for (uint32_t i = 1; i < WORKERS; i++)
            if (free_at[i] < free_at[w])
                w = i;
        struct qsv_hand h;
        if (!qsv_deal_next(d, w, &h))
            break;
        free_at[w] += h.work / 10;
        sum += h.work / 10;
        qsv_deal_done(d, w, h.work, h.work / 10);
    }
    for (uint32_t i = 0; i < WORKERS; i++)
        longest = free_at[i] > longest ? free_at[i] : longest;
    assert_true(longest < 1.02 * sum / WORKERS);
    /* Little is lost to baselines of shards that others had. */
    assert_true(sum < 1.1 * TRIALS * SHARDS);
    qsv_deal_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_task_is_one_pair),
        cmocka_unit_test(tasks_are_as_long_as_asked_for),
        cmocka_unit_test(a_task_spans_shards_that_miss_the_same),
        cmocka_unit_test(sharing_makes_tasks_wider),
        cmocka_unit_test(what_lies_between_limits_what_is_shared),
        cmocka_unit_test(shards_come_back_to_who_had_them),
        cmocka_unit_test(every_pair_is_dealt_once),
        cmocka_unit_test(nobody_waits_long_at_the_end),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
