#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

static void expect_zeroed(const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(((const char *)p)[i], 0);
}

static void test_memory_is_zeroed_and_aligned(void **state)
{
    (void)state;
    for (size_t n = 0; n < 300; n += 7) {
        char *p = qsv_alloc(n, 3), *q = qsv_alloc_aligned(n, 3);
        assert_non_null(p);
        assert_non_null(q);
        assert_int_equal((uintptr_t)q % QSV_ALIGN, 0);
        expect_zeroed(p, 3 * n);
        expect_zeroed(q, (3 * n + QSV_ALIGN - 1) / QSV_ALIGN * QSV_ALIGN);
        free(p);
        free(q);
    }
}

static void test_overflow_is_refused(void **state)
{
    (void)state;
    size_t n = 5;
    assert_null(qsv_alloc(SIZE_MAX / 2, 3));
    assert_null(qsv_alloc_aligned(SIZE_MAX / 2, 3));
    assert_null(qsv_alloc_aligned(SIZE_MAX, 1));
    assert_null(qsv_alloc_aligned(SIZE_MAX - QSV_ALIGN + 1, 1));
    assert_true(qsv_mul_size(SIZE_MAX, 1, &n) && n == SIZE_MAX);
    assert_true(qsv_mul_size(0, SIZE_MAX, &n) && n == 0);
    assert_false(qsv_mul_size(SIZE_MAX / 2 + 1, 2, &n));
}

static void test_grow(void **state)
{
    (void)state;
    uint32_t *v = NULL;
    size_t capacity = 0;
    for (size_t n = 1; n <= 1000; n++) {
        size_t old = capacity;
        assert_true(qsv_grow(&v, &capacity, n, sizeof *v));
        assert_in_range(capacity, n, 2 * n + 8);
        if (capacity > old)
            expect_zeroed(v + old, (capacity - old) * sizeof *v);
        v[n - 1] = (uint32_t)n;
    }
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(v[i], i + 1);
    assert_true(qsv_grow(&v, &capacity, 0, sizeof *v));
    free(v);
}

static void test_grow_that_fails_leaves_all_as_it_was(void **state)
{
    (void)state;
    uint64_t *v = NULL;
    size_t capacity = 0;
    assert_true(qsv_grow(&v, &capacity, 8, sizeof *v));
    uint64_t *old = v;
    v[7] = 7;
    assert_false(qsv_grow(&v, &capacity, SIZE_MAX, sizeof *v));
    assert_false(qsv_grow(&v, &capacity, SIZE_MAX / 8 + 1, sizeof *v));
    qsv_alloc_fail_at(1);
    assert_false(qsv_grow(&v, &capacity, 9, sizeof *v));
    assert_ptr_equal(v, old);
    assert_int_equal(capacity, 8);
    assert_int_equal(v[7], 7);
    assert_true(qsv_grow(&v, &capacity, 9, sizeof *v));
    assert_int_equal(v[7], 7);
    free(v);
}

static void test_strings(void **state)
{
    (void)state;
    char *a = qsv_strdup(""), *b = qsv_strdup("abc"), *c = qsv_strndup("abcdef", 2),
         *d = qsv_strndup("ab", 100);
    assert_string_equal(a, "");
    assert_string_equal(b, "abc");
    assert_string_equal(c, "ab");
    assert_string_equal(d, "ab");
    free(a);
    free(b);
    free(c);
    free(d);
}

static void *call(int which)
{
    void *p = NULL;
    size_t capacity = 0;
    switch (which) {
    case 0:
        return qsv_alloc(1, 1);
    case 1:
        return qsv_alloc_aligned(1, 1);
    case 2:
        return qsv_strdup("a");
    case 3:
        return qsv_strndup("a", 1);
    default:
        return qsv_grow(&p, &capacity, 1, 1) ? p : NULL;
    }
}

static void test_fail_at_fails_once_and_at_n(void **state)
{
    (void)state;
    for (int which = 0; which < 5; which++)
        for (long n = 1; n < 4; n++) {
            qsv_alloc_fail_at(n);
            for (long i = 1; i < 6; i++) {
                void *p = call(which);
                assert_int_equal(p == NULL, i == n);
                free(p);
            }
            qsv_alloc_fail_at(n);
            qsv_alloc_fail_at(0);
            for (int i = 0; i < 4; i++) {
                void *p = call(which);
                assert_non_null(p);
                free(p);
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_zeroed_and_aligned),
        cmocka_unit_test(test_overflow_is_refused),
        cmocka_unit_test(test_grow),
        cmocka_unit_test(test_grow_that_fails_leaves_all_as_it_was),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_fail_at_fails_once_and_at_n),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
