/* Every table of core/kernels/moments.h against loops written out, bit for bit, at sizes below, at
 * and above the tiles. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/kernels/moments.h"

static const uint32_t rows_tried[] = {1, 3, 4, 5, 9, 16, 17, 33, 50};

static void check_count(const struct qsv_moments *m, struct qsv_rng *r, uint32_t n, size_t words)
{
    uint64_t *spikes = qsv_alloc(n, words * sizeof *spikes);
    const uint64_t **rows = qsv_alloc(n, sizeof *rows);
    uint64_t *counts = qsv_alloc(qsv_triangle(n), sizeof *counts);
    for (size_t i = 0; i < n * words; i++)
        spikes[i] = qsv_rng_next(r) & qsv_rng_next(r);
    for (size_t i = 0; i < n; i++)
        rows[i] = i == 1 ? spikes : spikes + i * words; /* two rows may be one */
    for (int round = 0; round < 2; round++)
        m->count(counts, rows, n, words);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            uint64_t want = 0;
            for (size_t w = 0; w < words; w++)
                want += 2 * (uint64_t)__builtin_popcountll(rows[i][w] & rows[j][w]);
            if (counts[qsv_triangle(i) + j] != want)
                fail_msg("%s: count (%zu, %zu) of %u rows, %zu words is %llu, expected %llu",
                         m->isa, i, j, n, words, (unsigned long long)counts[qsv_triangle(i) + j],
                         (unsigned long long)want);
        }
    free(spikes);
    free(rows);
    free(counts);
}

static void check_sum(const struct qsv_moments *m, struct qsv_rng *r, uint32_t n, size_t positions)
{
    const size_t stride = (n + 15) / 16 * 16;
    double *x = qsv_alloc_aligned(positions * stride, sizeof *x);
    double *sums = qsv_alloc(qsv_triangle(n), sizeof *sums);
    double *want = qsv_alloc(qsv_triangle(n), sizeof *want);
    for (size_t p = 0; p < positions; p++)
        for (size_t i = 0; i < n; i++)
            x[p * stride + i] = (double)(float)(qsv_rng_unit(r) - 0.5);
    for (size_t e = 0; e < qsv_triangle(n); e++)
        sums[e] = want[e] = qsv_rng_unit(r);
    m->sum(sums, x, stride, n, positions);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            for (size_t p = 0; p < positions; p++)
                want[qsv_triangle(i) + j] += x[p * stride + i] * x[p * stride + j];
    assert_memory_equal(sums, want, qsv_triangle(n) * sizeof *sums);
    free(x);
    free(sums);
    free(want);
}

static void check_rows(const struct qsv_moments *m, struct qsv_rng *r, size_t n, size_t count)
{
    const size_t stride = n + 3;
    double *matrix = qsv_alloc(7 * stride, sizeof *matrix), *out = qsv_alloc(n + 1, sizeof *out);
    double *want = qsv_alloc(n + 1, sizeof *want);
    uint32_t index[20];
    double factor[20];
    for (size_t i = 0; i < 7 * stride; i++)
        matrix[i] = qsv_rng_unit(r) - 0.5;
    for (size_t c = 0; c < count; c++) {
        index[c] = (uint32_t)qsv_rng_below(r, 7);
        factor[c] = qsv_rng_unit(r) - 0.5;
    }
    for (size_t i = 0; i < n + 1; i++)
        out[i] = want[i] = qsv_rng_unit(r);
    m->add_rows(out, n, matrix, stride, index, factor, count);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < count; c++)
            want[i] += factor[c] * matrix[index[c] * stride + i];
    assert_memory_equal(out, want, (n + 1) * sizeof *out);
    free(matrix);
    free(out);
    free(want);
}

static void check_dot(const struct qsv_moments *m, struct qsv_rng *r, size_t n)
{
    double a[100], b[100], s[8] = {0};
    for (size_t i = 0; i < n; i++) {
        a[i] = qsv_rng_unit(r) - 0.5;
        b[i] = qsv_rng_unit(r) - 0.5;
        s[i % 8] += a[i] * b[i];
    }
    const double want = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
    assert_true(m->dot(a, b, n) == want);
}

static void test_every_table(void **state)
{
    (void)state;
    struct qsv_rng r;
    qsv_rng_seed(&r, 11);
    for (size_t t = 0; qsv_moments_built[t]; t++) {
        const struct qsv_moments *m = qsv_moments_built[t];
        if (!qsv_moments_usable(m))
            continue;
        for (size_t i = 0; i < sizeof rows_tried / sizeof *rows_tried; i++) {
            check_count(m, &r, rows_tried[i], 1 + i * 3);
            check_sum(m, &r, rows_tried[i], i * 9);
        }
        check_count(m, &r, 6, 512);
        check_count(m, &r, 6, 1030);
        for (size_t n = 0; n < 200; n += 1 + n / 8)
            check_rows(m, &r, n, n % 20);
        for (size_t n = 0; n < 100; n++)
            check_dot(m, &r, n);
    }
}

static void test_choice(void **state)
{
    (void)state;
    setenv("QSV_ISA", "scalar", 1);
    assert_ptr_equal(qsv_moments_choose(), &qsv_moments_scalar);
    unsetenv("QSV_ISA");
    assert_true(qsv_moments_usable(qsv_moments_choose()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_table),
        cmocka_unit_test(test_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
