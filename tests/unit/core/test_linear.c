#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/linear.h"

static void test_by_hand(void **state)
{
    (void)state;
    /* [4 2; 2 10] = L L^T, L = [2 0; 1 3]; 77 lies above the diagonal. */
    double a[] = {4, 77, 2, 10};
    assert_int_equal(qsv_cholesky(a, 2, NULL), QSV_OK);
    assert_true(fabs(a[0] - 2) < 1e-15 && fabs(a[2] - 1) < 1e-15 && fabs(a[3] - 3) < 1e-15);
    assert_true(a[1] == 77);
}

static void test_product_is_the_matrix(void **state)
{
    (void)state;
    struct qsv_rng r;
    qsv_rng_seed(&r, 1);
    for (size_t n = 0; n < 150; n += 1 + n / 3) {
        double *x = qsv_alloc(n * n + 1, sizeof *x), *a = qsv_alloc(n * n + 1, sizeof *a),
               *l = qsv_alloc(n * n + 1, sizeof *l);
        for (size_t i = 0; i < n * n; i++)
            x[i] = qsv_rng_unit(&r) - 0.5;
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) {
                a[i * n + j] = i == j;
                for (size_t p = 0; p < n; p++)
                    a[i * n + j] += x[i * n + p] * x[j * n + p];
            }
        memcpy(l, a, n * n * sizeof *a);
        assert_int_equal(qsv_cholesky(l, n, NULL), QSV_OK);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j <= i; j++) {
                double sum = 0;
                for (size_t p = 0; p <= j; p++)
                    sum += l[i * n + p] * l[j * n + p];
                assert_true(fabs(sum - a[i * n + j]) < 1e-11 * (1 + fabs(a[i * n + j])));
            }
        free(x);
        free(a);
        free(l);
    }
}

static void test_refuses_what_is_not_positive_definite(void **state)
{
    (void)state;
    struct qsv_error err;
    double a[] = {1, 0, 2, 1};
    assert_int_equal(qsv_cholesky(a, 2, &err), QSV_EFAILED);
    assert_string_equal(err.text, "a matrix of 2 rows is not positive definite: LAPACK's dpotrf "
                                  "gives 2");
    double nothing[] = {NAN};
    assert_int_equal(qsv_cholesky(nothing, 1, &err), QSV_EFAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_product_is_the_matrix),
        cmocka_unit_test(test_refuses_what_is_not_positive_definite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
