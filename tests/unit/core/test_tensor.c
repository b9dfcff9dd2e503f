#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/tensor.h"

static const uint32_t SHAPE[] = {3, 5};

static void test_add_and_find(void **state)
{
    (void)state;
    struct qsv_tensors t = {0};
    struct qsv_tensor *x = NULL;
    assert_int_equal(qsv_tensors_add(&t, "a.weight", QSV_F32, 2, SHAPE, &x, NULL), QSV_OK);
    assert_int_equal(x->bytes, 60);
    assert_int_equal(qsv_tensor_count(x), 15);
    assert_int_equal((uintptr_t)x->data % QSV_ALIGN, 0);
    for (size_t i = 0; i < x->bytes; i++)
        assert_int_equal(x->data[i], 0);
    assert_int_equal(qsv_tensors_add(&t, "b", QSV_TERNARY, 2, SHAPE, &x, NULL), QSV_OK);
    assert_int_equal(x->bytes, 3);
    assert_int_equal(qsv_tensors_add(&t, "scalar", QSV_F32, 0, NULL, &x, NULL), QSV_OK);
    assert_int_equal(x->bytes, 4);
    assert_int_equal(qsv_tensor_count(x), 1);
    assert_int_equal(qsv_tensors_add(&t, "empty", QSV_F32, 1, (uint32_t[]){0}, &x, NULL), QSV_OK);
    assert_int_equal(x->bytes, 0);
    assert_non_null(x->data);

    assert_ptr_equal(qsv_tensors_find(&t, "a.weight"), &t.v[0]);
    assert_ptr_equal(qsv_tensors_findf(&t, "%s.%s", "a", "weight"), &t.v[0]);
    assert_null(qsv_tensors_find(&t, "a"));
    assert_null(qsv_tensors_findf(&t, "%0600d", 1));
    qsv_tensors_fini(&t);
    assert_int_equal(t.n, 0);
}

static void refuse(struct qsv_tensors *t, const char *name, uint32_t rank, const uint32_t *shape,
                   const char *says)
{
    struct qsv_tensor *x = NULL;
    struct qsv_error err = {0};
    size_t n = t->n;
    assert_int_equal(qsv_tensors_add(t, name, QSV_F32, rank, shape, &x, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, says));
    assert_int_equal(t->n, n);
}

static void test_add_refuses(void **state)
{
    (void)state;
    struct qsv_tensors t = {0};
    struct qsv_tensor *x = NULL;
    char name[QSV_MAX_TENSOR_NAME + 2];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(qsv_tensors_add(&t, "a", QSV_F32, 2, SHAPE, &x, NULL), QSV_OK);
    refuse(&t, "a", 2, SHAPE, "tensor 'a': the name is there twice");
    refuse(&t, name, 2, SHAPE, "longer than 512 bytes");
    refuse(&t, "b", 6, (uint32_t[]){1, 1, 1, 1, 1, 1}, "has 6 dimensions, at most 5");
    refuse(&t, "b", 3, (uint32_t[]){UINT32_MAX, UINT32_MAX, 2}, "'b': the shape is larger");
    /* 2^62 elements: the count fits, the bytes don't */
    refuse(&t, "b", 3, (uint32_t[]){1u << 31, 1u << 31, 1}, "'b': the shape is larger");
    assert_int_equal(qsv_tensors_add_defect(&t, "a", "why", NULL), QSV_EINPUT);
    name[QSV_MAX_TENSOR_NAME] = '\0';
    assert_int_equal(qsv_tensors_add(&t, name, QSV_F32, 2, SHAPE, &x, NULL), QSV_OK);
    assert_ptr_equal(qsv_tensors_findf(&t, "%s", name), x);
    qsv_tensors_fini(&t);
}

static void test_add_refuses_too_many(void **state)
{
    (void)state;
    struct qsv_tensors t = {0};
    char name[16];
    for (int i = 0; i < QSV_MAX_TENSORS; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(qsv_tensors_add_defect(&t, name, "why", NULL), QSV_OK);
    }
    refuse(&t, "one more", 0, NULL, "more than 8192 tensors");
    qsv_tensors_fini(&t);
}

static void need_fails(const struct qsv_tensors *t, const char *name, uint32_t rank,
                       const uint32_t *shape, const char *says)
{
    struct qsv_error err = {0};
    const struct qsv_tensor *x = NULL;
    assert_int_equal(qsv_tensors_need(&x, t, name, rank, shape, &err), QSV_EINPUT);
    assert_string_equal(err.text, says);
}

static void test_need(void **state)
{
    (void)state;
    struct qsv_tensors t = {0};
    struct qsv_tensor *added = NULL;
    const struct qsv_tensor *x = NULL;
    assert_int_equal(qsv_tensors_add(&t, "a", QSV_F32, 2, SHAPE, &added, NULL), QSV_OK);
    assert_int_equal(qsv_tensors_add(&t, "s", QSV_F32, 0, NULL, &added, NULL), QSV_OK);
    assert_int_equal(qsv_tensors_add(&t, "c", QSV_INT4, 2, SHAPE, &added, NULL), QSV_OK);
    assert_int_equal(qsv_tensors_add_defect(&t, "d", "is made by 'os.system'", NULL), QSV_OK);
    assert_int_equal(qsv_tensors_need(&x, &t, "a", 2, SHAPE, NULL), QSV_OK);
    assert_ptr_equal(x, qsv_tensors_find(&t, "a"));
    assert_int_equal(qsv_tensors_need(&x, &t, "s", 0, NULL, NULL), QSV_OK);
    need_fails(&t, "e", 2, SHAPE, "tensor 'e' is missing");
    need_fails(&t, "d", 2, SHAPE, "tensor 'd' can't be read: is made by 'os.system'");
    need_fails(&t, "a", 1, SHAPE, "tensor 'a' is f32 [3, 5], expected f32 [3]");
    need_fails(&t, "a", 2, (uint32_t[]){5, 3}, "tensor 'a' is f32 [3, 5], expected f32 [5, 3]");
    need_fails(&t, "c", 2, SHAPE, "tensor 'c' is int4 [3, 5], expected f32 [3, 5]");
    need_fails(&t, "s", 1, SHAPE, "tensor 's' is f32 [], expected f32 [3]");
    qsv_tensors_fini(&t);
}

/* Allocation n fails: the set stays as it was and can be used further. */
static bool add_with_failure(long n)
{
    struct qsv_tensors t = {0};
    struct qsv_tensor *x = NULL;
    struct qsv_error err = {0};
    qsv_alloc_fail_at(n);
    enum qsv_status first = qsv_tensors_add(&t, "a", QSV_F32, 2, SHAPE, &x, &err);
    enum qsv_status second = qsv_tensors_add_defect(&t, "d", "why", &err);
    qsv_alloc_fail_at(0);
    assert_int_equal(t.n, (first == QSV_OK) + (second == QSV_OK));
    bool failed = first || second;
    if (failed)
        assert_int_equal(first ? first : second, QSV_ENOMEM);
    assert_int_equal(qsv_tensors_add(&t, "a", QSV_F32, 2, SHAPE, &x, NULL),
                     first ? QSV_OK : QSV_EINPUT);
    assert_int_equal(qsv_tensors_add_defect(&t, "d", "why", NULL), second ? QSV_OK : QSV_EINPUT);
    qsv_tensors_fini(&t);
    return failed;
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    long n = 1;
    while (add_with_failure(n))
        n++;
    assert_int_equal(n, 6); /* array, name, data; name, defect */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_and_find),
        cmocka_unit_test(test_add_refuses),
        cmocka_unit_test(test_add_refuses_too_many),
        cmocka_unit_test(test_need),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
