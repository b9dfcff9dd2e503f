#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "results/index.h"

static void what_was_added_is_found_and_nothing_else(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct qsv_index x = {0};
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 1);
    assert_int_equal(qsv_index_find(&x, 0, 0), QSV_INDEX_NONE);
    for (uint32_t i = 0; i < N; i++) /* many shards of few trials, as in a run */
        assert_true(qsv_index_add(&x, i / 1000, i % 1000, i));
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(qsv_index_find(&x, i / 1000, i % 1000), i);
    assert_int_equal(qsv_index_find(&x, 20, 0), QSV_INDEX_NONE);
    assert_int_equal(qsv_index_find(&x, 0, 1000), QSV_INDEX_NONE);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(qsv_index_find(&x, qsv_rng_next(&rng) | 1ull << 63, 0), QSV_INDEX_NONE);
    qsv_index_fini(&x);
}

static void a_failed_growth_loses_nothing(void **state)
{
    (void)state;
    struct qsv_index x = {0};
    for (uint32_t i = 0; i < 12; i++)
        assert_true(qsv_index_add(&x, i, 0, i));
    qsv_alloc_fail_at(1);
    assert_false(qsv_index_add(&x, 12, 0, 12));
    qsv_alloc_fail_at(0);
    for (uint32_t i = 0; i < 12; i++)
        assert_int_equal(qsv_index_find(&x, i, 0), i);
    assert_int_equal(qsv_index_find(&x, 12, 0), QSV_INDEX_NONE);
    assert_true(qsv_index_add(&x, 12, 0, 12));
    qsv_index_fini(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found_and_nothing_else),
        cmocka_unit_test(a_failed_growth_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
