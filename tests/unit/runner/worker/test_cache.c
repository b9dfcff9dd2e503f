#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "runner/worker/cache.h"

static struct qsv_error err;
static int gone[10]; /* how often each value was destroyed */

static void destroy(void *value)
{
    ++*(int *)value;
}

static struct qsv_cache *make(size_t max_bytes)
{
    struct qsv_cache *c;
    for (int i = 0; i < 10; i++)
        gone[i] = 0;
    assert_int_equal(qsv_cache_create(&c, max_bytes, destroy, &err), QSV_OK);
    return c;
}

static void put(struct qsv_cache *c, int i, size_t bytes)
{
    assert_int_equal(qsv_cache_put(c, (uint64_t)i, &gone[i], bytes, &err), QSV_OK);
}

static void use(struct qsv_cache *c, int i)
{
    qsv_cache_begin_use(c);
    assert_ptr_equal(qsv_cache_get(c, (uint64_t)i), &gone[i]);
}

static void what_was_not_used_longest_goes(void **state)
{
    (void)state;
    struct qsv_cache *c = make(30);
    for (int i = 0; i < 3; i++) {
        qsv_cache_begin_use(c);
        put(c, i, 10);
    }
    use(c, 0);
    qsv_cache_begin_use(c);
    put(c, 3, 10);
    assert_null(qsv_cache_get(c, 1));
    assert_int_equal(gone[1], 1);
    assert_int_equal(gone[0] + gone[2] + gone[3], 0);
    qsv_cache_begin_use(c);
    put(c, 4, 20); /* takes the place of two */
    assert_int_equal(gone[0] + gone[2], 2);
    assert_int_equal(gone[3], 0);
    qsv_cache_destroy(c);
    assert_int_equal(gone[3] + gone[4], 2);
}

static void what_is_in_use_stays(void **state)
{
    (void)state;
    struct qsv_cache *c = make(30);
    use((put(c, 0, 10), c), 0);
    for (int i = 1; i < 6; i++)
        put(c, i, 10);
    for (int i = 0; i < 6; i++)
        assert_ptr_equal(qsv_cache_get(c, (uint64_t)i), &gone[i]);
    qsv_cache_begin_use(c);
    put(c, 6, 10); /* now it comes back to its bound */
    assert_null(qsv_cache_get(c, 3));
    assert_non_null(qsv_cache_get(c, 4));
    assert_non_null(qsv_cache_get(c, 5));
    qsv_cache_destroy(c);
}

static void what_is_larger_than_all_is_kept_alone(void **state)
{
    (void)state;
    struct qsv_cache *c = make(30);
    put(c, 0, 10);
    qsv_cache_begin_use(c);
    put(c, 1, 100);
    assert_int_equal(gone[0], 1);
    assert_non_null(qsv_cache_get(c, 1));
    qsv_cache_destroy(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_used_longest_goes),
        cmocka_unit_test(what_is_in_use_stays),
        cmocka_unit_test(what_is_larger_than_all_is_kept_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
