/* Rank correlations, against cases worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>

#include <cmocka.h>

#include "jobs/rank.h"

enum { MOST = 8 };

static void cases_by_hand(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        double x[MOST], y[MOST], correlation;
    } rows[] = {
        {2, {1, 2}, {5, 9}, 1},
        {2, {1, 2}, {9, 5}, -1},
        {4, {1, 10, 100, 1000}, {0.1, 0.2, 0.25, 7}, 1}, /* ranks alone count */
        {3, {1, 2, 3}, {1, 3, 2}, 0.5},
        /* Differences of ranks -1, 1, -1, 1, 0: 1 - 6 x 4 / (5 x 24). */
        {5, {10, 20, 30, 40, 50}, {2, 1, 4, 3, 5}, 0.8},
        /* Ranks 4, 2, 3, 1: differences -3, 0, 0, 3: 1 - 6 x 18 / (4 x 15). */
        {4, {1, 2, 3, 4}, {4, 2, 3, 1}, -0.8},
        /* x has ranks 1, 2.5, 2.5, 4, of y 1, 3, 2, 4: centred -1.5, 0, 0, 1.5 and -1.5, 0.5, -0.5,
         * 1.5: 4.5 / sqrt(4.5 x 5). */
        {4, {1, 2, 2, 3}, {1, 3, 2, 4}, 0.94868329805051379960},
        /* Both with ties: ranks 1.5, 1.5, 3.5, 3.5 and 1, 3, 3, 3: centred -1, -1, 1, 1 and -1.5,
         * 0.5, 0.5, 0.5: 2 / sqrt(4 x 3). */
        {4, {0, 0, 1, 1}, {0, 1, 1, 1}, 0.57735026918962576451},
        {5, {1, 2, 3, 4, 5}, {1, 1, 1, 1, 2}, 0.70710678118654752440}, /* 5 / sqrt(10 x 5) */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const double there = qsv_rank_correlation(rows[i].x, rows[i].y, rows[i].n);
        const double back = qsv_rank_correlation(rows[i].y, rows[i].x, rows[i].n);
        if (!(fabs(there - rows[i].correlation) < 1e-14) || there != back)
            fail_msg("row %zu: %.17g and %.17g, expected %.17g", i, there, back,
                     rows[i].correlation);
    }
}

static void where_there_is_no_order_there_is_none(void **state)
{
    (void)state;
    const double equal[] = {3, 3, 3}, rising[] = {1, 2, 3};
    assert_true(isnan(qsv_rank_correlation(equal, rising, 3)));
    assert_true(isnan(qsv_rank_correlation(rising, equal, 3)));
    assert_true(isnan(qsv_rank_correlation(rising, rising, 1)));
    assert_true(isnan(qsv_rank_correlation(rising, rising, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_by_hand),
        cmocka_unit_test(where_there_is_no_order_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
