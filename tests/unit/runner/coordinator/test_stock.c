#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/base/rng.h"
#include "runner/coordinator/stock.h"

static struct qsv_error err;

static struct qsv_stock *make(uint32_t workers, uint32_t shards)
{
    struct qsv_stock *s;
    assert_int_equal(qsv_stock_create(&s, workers, shards, &err), QSV_OK);
    return s;
}

enum { MOST = 8 };

static void begin(struct qsv_stock *s, uint32_t first, uint32_t count, const uint32_t *left)
{
    assert_int_equal(qsv_stock_begin(s, first, count, left, MOST, &err), QSV_OK);
}

static void an_owner_keeps_a_shard_that_others_help_with(void **state)
{
    (void)state;
    static const uint32_t left[] = {8, 8};
    struct qsv_stock *s = make(2, 2);
    begin(s, 0, 2, left);
    assert_int_equal(qsv_stock_choose(s, 0), 0);
    qsv_stock_take(s, 0, 0, 4);
    assert_int_equal(qsv_stock_choose(s, 1), 1);
    qsv_stock_take(s, 1, 1, 8);
    assert_int_equal(qsv_stock_choose(s, 1), 0);
    assert_int_equal(qsv_stock_standing(s, 1, 0), QSV_STANDING_OTHERS);
    qsv_stock_take(s, 1, 0, 1);
    /* It has the baseline now; the shard is still worker 0's. */
    assert_int_equal(qsv_stock_standing(s, 1, 0), QSV_STANDING_OWN);
    assert_int_equal(qsv_stock_choose(s, 1), 0);
    assert_int_equal(qsv_stock_standing(s, 0, 0), QSV_STANDING_OWN);
    assert_int_equal(qsv_stock_choose(s, 0), 0);
    assert_int_equal(qsv_stock_left(s, 0), 3);
    qsv_stock_take(s, 0, 0, 3);
    assert_true(qsv_stock_is_empty(s));
    assert_int_equal(qsv_stock_choose(s, 0), QSV_NO_SHARD);
    qsv_stock_destroy(s);
}

static void a_shard_taken_whole_changes_hands(void **state)
{
    (void)state;
    static const uint32_t left[] = {3, 3};
    struct qsv_stock *s = make(2, 2);
    for (int call = 0; call < 2; call++) {
        begin(s, 0, 2, left);
        qsv_stock_take(s, call, 0, 3);
        qsv_stock_take(s, call, 1, 3);
    }
    assert_int_equal(qsv_stock_standing(s, 1, 0), QSV_STANDING_OWN);
    assert_int_equal(qsv_stock_standing(s, 0, 0), QSV_STANDING_OTHERS);
    qsv_stock_destroy(s);
}

/* Against a count kept by hand: whatever is taken and comes back, the fullest of others' shards is
 * chosen, and nothing is chosen only where nothing is left. */
static void it_keeps_count(void **state)
{
    (void)state;
    enum { WORKERS = 5, SHARDS = 17 };
    struct qsv_rng r;
    qsv_rng_seed(&r, 7);
    struct qsv_stock *s = make(WORKERS, SHARDS);
    for (int call = 0; call < 50; call++) {
        uint32_t left[SHARDS] = {0}, first = (uint32_t)qsv_rng_below(&r, 5);
        uint32_t count = SHARDS - first;
        for (uint32_t i = 0; i < count; i++)
            left[i] = (uint32_t)qsv_rng_below(&r, MOST + 1);
        begin(s, first, count, left);
        for (int step = 0; step < 200; step++) {
            uint32_t w = (uint32_t)qsv_rng_below(&r, WORKERS), most = 0;
            for (uint32_t i = 0; i < count; i++)
                most = left[i] > most ? left[i] : most;
            int64_t at = qsv_stock_choose(s, w);
            assert_int_equal(at == QSV_NO_SHARD, most == 0);
            if (at == QSV_NO_SHARD || qsv_rng_below(&r, 4) == 0) {
                uint32_t back = (uint32_t)qsv_rng_below(&r, count);
                if (left[back] < MOST)
                    qsv_stock_change(s, first + back, 1), left[back]++;
                continue;
            }
            uint32_t *there = &left[at - first];
            assert_true(*there > 0);
            if (qsv_stock_standing(s, w, (uint32_t)at) == QSV_STANDING_OTHERS)
                assert_int_equal(*there, most);
            uint32_t n = 1 + (uint32_t)qsv_rng_below(&r, *there);
            qsv_stock_take(s, w, (uint32_t)at, n);
            *there -= n;
            assert_int_equal(qsv_stock_left(s, (uint32_t)at), *there);
        }
    }
    qsv_stock_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_owner_keeps_a_shard_that_others_help_with),
        cmocka_unit_test(a_shard_taken_whole_changes_hands),
        cmocka_unit_test(it_keeps_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
