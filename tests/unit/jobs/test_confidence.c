/* Confidence sequences of a drop: against every claim tried one by one, here and in Python; how
 * often they miss in random orders; the ends of the scale. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/h5.h"
#include "jobs/confidence.h"
#include "jobs/metrics.h"

enum { MOST = 10000 };

/* A set of n images: lost 1, won -1, others 0, in random order. */
static void fill(struct qsv_rng *rng, int8_t *x, uint32_t n, uint32_t lost, uint32_t won)
{
    for (uint32_t i = 0; i < n; i++)
        x[i] = i < lost ? 1 : i < lost + won ? -1 : 0;
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = (uint32_t)qsv_rng_below(rng, i);
        int8_t t = x[i - 1];
        x[i - 1] = x[j];
        x[j] = t;
    }
}

static void add(struct qsv_confidence *c, const int8_t *x, uint32_t n)
{
    uint32_t lost = 0, won = 0;
    for (uint32_t i = 0; i < n; i++) {
        lost += x[i] > 0;
        won += x[i] < 0;
    }
    assert_int_equal(qsv_confidence_add(c, n, lost, won, NULL), QSV_OK);
}

static void add_shards(struct qsv_confidence *c, const int8_t *x, uint32_t n, uint32_t shard)
{
    for (uint32_t i = 0; i < n; i += shard)
        add(c, x + i, n - i < shard ? n - i : shard);
}

static void assert_interval(const struct qsv_confidence *c, double low, double high)
{
    double is_low, is_high;
    qsv_confidence_interval(c, &is_low, &is_high);
    if (!(fabs(is_low - low) < 1e-9 && fabs(is_high - high) < 1e-9))
        fail_msg("after %d images [%.12g, %.12g], expected [%.12g, %.12g]", (int)c->n_seen, is_low,
                 is_high, low, high);
}

/* ---- against every claim, one by one ---- */

/* The game as the paper has it: values and claimed means in [0, 1], bets on the excess of a value
 * over its claimed mean; the largest mean capital at a multiple of 16 images. */
static long double most_capital(const int8_t *x, int n, int seen, int sign, int sum)
{
    long double capital[8] = {1, 1, 1, 1, 1, 1, 1, 1}, bet[8], most = 1;
    int so_far = 0, flips = 0;
    for (int t = 0; t + 16 <= seen; t += 16) {
        for (int i = t; i < t + 16; i++) {
            long double left = n - i, mean = (1 + (sum - so_far) / left) / 2;
            for (int j = 0; j < 8; j++) {
                long double excess = ldexpl(0.001L, j) * n / (n - t);
                long double square = (0.25L + flips) / (1 + t), full = mean > 0 ? 0.5L / mean : 0;
                if (i == t)
                    bet[j] = fminl(2 * excess / (square + excess * excess), full);
                capital[j] *= 1 + bet[j] * left / (n - t) * ((1 + sign * x[i]) / 2.0L - mean);
            }
            so_far += sign * x[i];
            if (i == t + 15)
                for (int k = t; k < t + 16; k++)
                    flips += x[k] != 0;
        }
        long double total = 0;
        for (int j = 0; j < 8; j++)
            total += capital[j] / 8;
        most = fmaxl(most, total);
    }
    return most;
}

static void compare_with_all_claims(const int8_t *x, int n, int seen, double alpha,
                                    const struct qsv_confidence *c)
{
    int sum = 0, low = n + 1, high = -n - 1;
    for (int i = 0; i < seen; i++)
        sum += x[i];
    for (int k = sum - (n - seen); k <= sum + (n - seen); k++) {
        if (low > n && most_capital(x, n, seen, 1, k) < 2 / alpha)
            low = k;
        if (most_capital(x, n, seen, -1, -k) < 2 / alpha)
            high = k;
    }
    assert_interval(c, 100.0 * low / n, 100.0 * high / n);
}

static void test_equals_trying_every_claim(void **state)
{
    (void)state;
    static const struct {
        uint32_t n, lost, won;
        double alpha;
    } rows[] = {{96, 60, 10, 0.05}, {96, 0, 50, 0.2}, {120, 40, 40, 0.5}, {150, 15, 2, 0.1}};
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 11);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        int8_t x[MOST];
        struct qsv_confidence c;
        fill(&rng, x, rows[r].n, rows[r].lost, rows[r].won);
        qsv_confidence_init(&c, rows[r].n, rows[r].alpha);
        for (uint32_t i = 0; i < rows[r].n; i++) {
            add(&c, x + i, 1);
            compare_with_all_claims(x, (int)rows[r].n, (int)i + 1, rows[r].alpha, &c);
        }
        qsv_confidence_fini(&c);
    }
}

/* ---- against Python (tests/reference/make_confidence_golden.py) ---- */

static void *read(hid_t file, int n, const char *name, hid_t type, size_t size, unsigned rank,
                  hsize_t *dims)
{
    char path[64];
    void *data;
    struct qsv_error err;
    snprintf(path, sizeof path, "%d/%s", n, name);
    if (qsv_h5_read(file, path, type, size, rank, dims, 1 << 20, &data, &err))
        fail_msg("%s", err.text);
    return data;
}

static void compare_with_python(hid_t file, int n)
{
    static const enum qsv_verdict verdicts[] = {QSV_BELOW, QSV_OPEN, QSV_ABOVE};
    hsize_t n_images, n_looks, n_limits, one, dims[2];
    int8_t *x = read(file, n, "x", H5T_NATIVE_INT8, 1, 1, &n_images);
    uint64_t *looks = read(file, n, "looks", H5T_NATIVE_UINT64, 8, 1, &n_looks);
    double *low = read(file, n, "low", H5T_NATIVE_DOUBLE, 8, 1, &n_looks);
    double *high = read(file, n, "high", H5T_NATIVE_DOUBLE, 8, 1, &n_looks);
    double *limit = read(file, n, "limit", H5T_NATIVE_DOUBLE, 8, 1, &n_limits);
    int8_t *verdict = read(file, n, "verdict", H5T_NATIVE_INT8, 1, 2, dims);
    double *alpha = read(file, n, "alpha", H5T_NATIVE_DOUBLE, 8, 1, &one);
    assert_true(n_looks > 0 && dims[0] == n_looks && dims[1] == n_limits);

    struct qsv_confidence c;
    qsv_confidence_init(&c, n_images, *alpha);
    for (hsize_t i = 0; i < n_looks; i++) {
        /* An image at a time: there is no order to draw. */
        while (c.n_seen < looks[i])
            add(&c, x + c.n_seen, 1);
        assert_interval(&c, low[i], high[i]);
        for (hsize_t j = 0; j < n_limits; j++)
            if (qsv_confidence_decide(&c, limit[j]) != verdicts[1 + verdict[i * n_limits + j]])
                fail_msg("case %d, %d images: not Python's verdict at %g points", n, (int)looks[i],
                         limit[j]);
    }
    qsv_confidence_fini(&c);
    void *const all[] = {x, looks, low, high, limit, verdict, alpha};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void test_equals_python(void **state)
{
    (void)state;
    hid_t file;
    assert_int_equal(qsv_h5_open(&file, "tests/data/golden/confidence.h5", NULL), QSV_OK);
    for (int n = 0; n < 8; n++)
        compare_with_python(file, n);
    H5Fclose(file);
}

/* ---- in random orders ---- */

/* A shard's images in every order, equally often. */
static void test_shards_in_random_order(void **state)
{
    (void)state;
    enum { N = 12000 };
    int seen[81] = {0}, orders = 0;
    struct qsv_confidence c;
    qsv_confidence_init(&c, 4 * N, 0.05);
    for (int i = 0; i < N; i++)
        assert_int_equal(qsv_confidence_add(&c, 4, 1, 1, NULL), QSV_OK);
    for (int i = 0; i < N; i++) {
        const uint8_t *d = c.draws + 4 * i;
        seen[d[0] + 3 * d[1] + 9 * d[2] + 27 * d[3]]++;
    }
    double chi_square = 0;
    for (int i = 0; i < 81; i++)
        if (seen[i]) {
            orders++;
            chi_square += pow(seen[i] - N / 12.0, 2) / (N / 12.0);
        }
    assert_int_equal(orders, 12);
    assert_true(chi_square < 31.3); /* 99.9 % of chi square of 11 degrees of freedom */
    qsv_confidence_fini(&c);
}

static bool is_most(int count, int of, double alpha)
{
    return count <= of * alpha + 3 * sqrt(of * alpha * (1 - alpha));
}

/* What a look refutes stays refuted (test_looks_only_narrow), so that one look shortly before the
 * end tells of all looks before it. 10,000 orders in all. */
static void test_misses_at_most_alpha(void **state)
{
    (void)state;
    enum { ORDERS = 2000 };
    static const struct {
        uint32_t n, lost, won, shard;
        double alpha;
    } rows[] = {{1000, 25, 25, 50, 0.05},
                {1000, 42, 18, 64, 0.05},
                {1000, 200, 170, 1, 0.1},
                {1000, 3, 0, 100, 0.2},
                {2000, 64, 36, 128, 0.05}};
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 12);
    int8_t x[MOST];
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        double drop = 100.0 * ((double)rows[r].lost - rows[r].won) / rows[r].n;
        double less = 100.0 * ((double)rows[r].lost - rows[r].won - 1) / rows[r].n, low, high;
        int outside = 0, not_above = 0, not_below = 0;
        for (int i = 0; i < ORDERS; i++) {
            struct qsv_confidence c;
            qsv_confidence_init(&c, rows[r].n, rows[r].alpha);
            fill(&rng, x, rows[r].n, rows[r].lost, rows[r].won);
            add_shards(&c, x, rows[r].n - 12, rows[r].shard);
            qsv_confidence_interval(&c, &low, &high);
            outside += drop < low || drop > high;
            not_above += qsv_confidence_decide(&c, drop) == QSV_ABOVE;
            not_below += qsv_confidence_decide(&c, less) == QSV_BELOW;
            qsv_confidence_fini(&c);
        }
        if (!is_most(outside, ORDERS, rows[r].alpha) ||
            !is_most(not_above, ORDERS, rows[r].alpha) ||
            !is_most(not_below, ORDERS, rows[r].alpha))
            fail_msg("row %d of %d: %d intervals miss, %d verdicts are too high, %d too low",
                     (int)r, ORDERS, outside, not_above, not_below);
    }
}

static void test_looks_only_narrow(void **state)
{
    (void)state;
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 14);
    int8_t x[MOST];
    for (int i = 0; i < 60; i++) {
        uint32_t n = 1 + (uint32_t)qsv_rng_below(&rng, 900), shard;
        uint32_t lost = (uint32_t)qsv_rng_below(&rng, n + 1);
        double low = -100, high = 100, limit = 100 * qsv_rng_unit(&rng) * lost / n;
        enum qsv_verdict verdict = QSV_OPEN;
        struct qsv_confidence c;
        qsv_confidence_init(&c, n, 0.05);
        fill(&rng, x, n, lost, (uint32_t)qsv_rng_below(&rng, n - lost + 1));
        for (uint32_t at = 0; at < n; at += shard) {
            double is_low, is_high;
            shard = 1 + (uint32_t)qsv_rng_below(&rng, n - at < 100 ? n - at : 100);
            add(&c, x + at, shard);
            qsv_confidence_interval(&c, &is_low, &is_high);
            assert_true(is_low >= low && is_high <= high && is_low <= is_high);
            low = is_low;
            high = is_high;
            enum qsv_verdict is = qsv_confidence_decide(&c, limit);
            assert_true(verdict == QSV_OPEN || is == verdict);
            verdict = is;
        }
        assert_true(low == high && verdict != QSV_OPEN);
        qsv_confidence_fini(&c);
    }
}

/* 10,000 images, 3 points of drop where 1.5 are allowed: known after 1,152 of them in the median of
 * 1,000 orders, and after 2,432 in nine of ten. */
static void test_decides_early(void **state)
{
    (void)state;
    enum { N = 10000, SHARD = 128 };
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 15);
    int8_t x[MOST];
    int early = 0;
    for (int i = 0; i < 20; i++) {
        struct qsv_confidence c;
        qsv_confidence_init(&c, N, 0.05);
        fill(&rng, x, N, 400, 100);
        add_shards(&c, x, 19 * SHARD, SHARD);
        assert_true(qsv_confidence_decide(&c, 1.5) != QSV_BELOW);
        early += qsv_confidence_decide(&c, 1.5) == QSV_ABOVE;
        qsv_confidence_fini(&c);
    }
    assert_true(early >= 15);
}

/* ---- the ends of the scale ---- */

/* All images seen, the sum of X given: the drop, and the verdict of the constraint's comparison
 * with the limit and its neighbours among the doubles. */
static void check_end(uint32_t n, double sum, double limit)
{
    struct qsv_metrics m = {.n_images = n,
                            .n_only_baseline = sum > 0 ? (uint64_t)sum : 0,
                            .n_only_trial = sum < 0 ? (uint64_t)-sum : 0};
    const double limits[] = {nextafter(limit, -INFINITY), limit, nextafter(limit, INFINITY)};
    struct qsv_confidence c;
    double low, high;
    qsv_confidence_init(&c, n, 0.01);
    assert_int_equal(qsv_confidence_add(&c, n, m.n_only_baseline, m.n_only_trial, NULL), QSV_OK);
    qsv_confidence_interval(&c, &low, &high);
    assert_true(low == high && low == qsv_metrics_top1_drop(&m));
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        assert_int_equal(qsv_confidence_decide(&c, limits[i]),
                         qsv_metrics_top1_drop(&m) <= limits[i] ? QSV_BELOW : QSV_ABOVE);
    qsv_confidence_fini(&c);
}

static void test_exact_at_the_end(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 3, 7, 999, 1000, 2000, 10000};
    static const double limits[] = {-250, -100, -0.7, 0,    0.1,  0.7, 1.1,
                                    1.5,  2.1,  30,   55.3, 99.9, 100, 250};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t l = 0; l < sizeof limits / sizeof *limits; l++)
            for (int off = -2; off <= 2; off++) {
                const double n = sizes[s], sum = rint(limits[l] / 100 * n) + off;
                check_end(sizes[s], fmax(-n, fmin(sum, n)), limits[l]);
            }
}

static void test_nothing_seen(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 50000, UINT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct qsv_confidence c;
        qsv_confidence_init(&c, sizes[i], 0.05);
        assert_interval(&c, -100, 100);
        assert_int_equal(qsv_confidence_decide(&c, 1.5), QSV_OPEN);
        assert_int_equal(qsv_confidence_decide(&c, 100), QSV_BELOW);
        assert_int_equal(qsv_confidence_decide(&c, -100.5), QSV_ABOVE);
        qsv_confidence_fini(&c);
    }
}

/* All images alike: what is seen pulls one end, what is left bounds the other. */
static void test_all_alike(void **state)
{
    (void)state;
    for (int lost = 0; lost < 2; lost++)
        for (int won = 0; won < 2 - lost; won++) {
            const double drop = 100 * (lost - won);
            struct qsv_confidence c;
            double low, high;
            qsv_confidence_init(&c, 50000, 0.05);
            for (int i = 0; i < 250; i++)
                assert_int_equal(qsv_confidence_add(&c, 100, 100 * lost, 100 * won, NULL), QSV_OK);
            qsv_confidence_interval(&c, &low, &high);
            assert_true(low <= drop && drop <= high && high - low < 0.2);
            assert_int_equal(qsv_confidence_decide(&c, drop - 1), QSV_ABOVE);
            assert_int_equal(qsv_confidence_decide(&c, drop + 1), QSV_BELOW);
            qsv_confidence_fini(&c);
        }
}

/* An order that is not random: first all losses, then all gains. */
static void test_contradiction(void **state)
{
    (void)state;
    struct qsv_confidence c;
    double low, high;
    qsv_confidence_init(&c, 1000, 0.05);
    assert_int_equal(qsv_confidence_add(&c, 32, 32, 0, NULL), QSV_OK);
    assert_int_equal(qsv_confidence_decide(&c, 0), QSV_ABOVE);
    assert_int_equal(qsv_confidence_add(&c, 600, 0, 200, NULL), QSV_OK);
    assert_int_equal(qsv_confidence_decide(&c, 0), QSV_OPEN);
    qsv_confidence_interval(&c, &low, &high);
    assert_true(low > high);
    assert_int_equal(qsv_confidence_add(&c, 368, 0, 32, NULL), QSV_OK);
    assert_int_equal(qsv_confidence_decide(&c, 0), QSV_BELOW);
    assert_interval(&c, -20, -20);
    qsv_confidence_fini(&c);
}

/* ---- errors ---- */

static void test_bad_counts(void **state)
{
    (void)state;
    static const struct {
        uint64_t n_images, n_lost, n_won;
        const char *text;
    } rows[] = {
        {10, 11, 0,
         "10 images, of them 11 right with the baseline alone and 0 with the trial alone, expected "
         "no more than there are"},
        {10, 0, UINT64_MAX,
         "10 images, of them 0 right with the baseline alone and 18446744073709551615 with the "
         "trial alone, expected no more than there are"},
        {10, 6, 5,
         "10 images, of them 6 right with the baseline alone and 5 with the trial alone, expected "
         "no more than there are"},
        {81, 0, 0, "81 images after 20, expected no more than the set's 100"},
        {UINT64_MAX, 1, 1,
         "18446744073709551615 images after 20, expected no more than the set's 100"},
    };
    struct qsv_confidence c;
    struct qsv_error err;
    qsv_confidence_init(&c, 100, 0.05);
    assert_int_equal(qsv_confidence_add(&c, 101, 0, 0, &err), QSV_EINPUT);
    assert_string_equal(err.text, "101 images after 0, expected no more than the set's 100");
    assert_int_equal(qsv_confidence_add(&c, 20, 5, 2, NULL), QSV_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(
            qsv_confidence_add(&c, rows[i].n_images, rows[i].n_lost, rows[i].n_won, &err),
            QSV_EINPUT);
        assert_string_equal(err.text, rows[i].text);
    }
    assert_int_equal(qsv_confidence_add(&c, 0, 0, 0, NULL), QSV_OK);
    assert_int_equal(qsv_confidence_add(&c, 80, 0, 0, NULL), QSV_OK);
    assert_interval(&c, 3, 3);
    qsv_confidence_fini(&c);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct qsv_confidence c;
    qsv_confidence_init(&c, UINT32_MAX, 0.05);
    qsv_alloc_fail_at(1);
    assert_int_equal(qsv_confidence_add(&c, 100, 1, 1, NULL), QSV_ENOMEM);
    qsv_alloc_fail_at(0);
    assert_int_equal(c.n_seen, 0);
    assert_int_equal(qsv_confidence_add(&c, 100, 1, 1, NULL), QSV_OK);
    qsv_confidence_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_counts),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_nothing_seen),
        cmocka_unit_test(test_exact_at_the_end),
        cmocka_unit_test(test_all_alike),
        cmocka_unit_test(test_contradiction),
        cmocka_unit_test(test_equals_trying_every_claim),
        cmocka_unit_test(test_equals_python),
        cmocka_unit_test(test_shards_in_random_order),
        cmocka_unit_test(test_misses_at_most_alpha),
        cmocka_unit_test(test_looks_only_narrow),
        cmocka_unit_test(test_decides_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
