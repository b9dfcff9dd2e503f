/* The partition: every image is in exactly one shard, in an order that a seed fixes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "jobs/partition.h"

static void test_bad_sizes_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t n_judge, n_decide;
        uint32_t shard_images;
        const char *says;
    } rows[] = {
        {0, 0, 128, "no images to judge by"},
        {0, 10, 128, "no images to judge by"},
        {10, 0, 0, "shards of 0 images"},
        {1ull << 32, 0, 128, "4294967296 images, at most 4294967295"},
        {10, UINT64_MAX, 128, "18446744073709551615 images, at most 4294967295"},
        {UINT32_MAX, 1, 1, "4294967296 shards of 1 images, at most 4294967295 shards"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_partition p;
        struct qsv_error err;
        assert_int_equal(qsv_partition_init(&p, rows[i].n_judge, rows[i].n_decide,
                                            rows[i].shard_images, 1, &err),
                         QSV_EINPUT);
        assert_non_null(strstr(err.text, rows[i].says));
        qsv_partition_fini(&p);
    }
}

static void test_every_image_is_in_one_shard(void **state)
{
    (void)state;
    static const struct {
        uint64_t n_judge, n_decide;
        uint32_t shard_images, n_judge_shards, n_shards;
    } rows[] = {
        {1, 0, 1, 1, 1},          {1, 1, 128, 1, 2},       {128, 127, 128, 1, 2},
        {129, 129, 128, 2, 4},    {1000, 384, 64, 16, 22}, {10000, 4096, 128, 79, 111},
        {5, 0, UINT32_MAX, 1, 1}, {10, 3, 1, 10, 13},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_partition p;
        assert_int_equal(qsv_partition_init(&p, rows[i].n_judge, rows[i].n_decide,
                                            rows[i].shard_images, 42, NULL),
                         QSV_OK);
        assert_int_equal(p.n_judge_shards, rows[i].n_judge_shards);
        assert_int_equal(p.n_shards, rows[i].n_shards);
        uint8_t *seen[2] = {calloc(rows[i].n_judge, 1), calloc(rows[i].n_decide + 1, 1)};
        uint64_t total = 0;
        for (uint32_t s = 0; s < p.n_shards; s++) {
            struct qsv_shard shard = qsv_partition_shard(&p, s);
            assert_int_equal(shard.set, s < p.n_judge_shards ? QSV_JUDGE : QSV_DECIDE);
            assert_in_range(shard.n_images, 1, rows[i].shard_images);
            uint64_t n = shard.set == QSV_JUDGE ? rows[i].n_judge : rows[i].n_decide;
            for (uint64_t k = shard.first; k < shard.first + shard.n_images; k++) {
                assert_in_range(k, 0, n - 1);
                assert_in_range(p.order[shard.set][k], 0, n - 1);
                assert_int_equal(seen[shard.set][p.order[shard.set][k]]++, 0);
            }
            total += shard.n_images;
        }
        assert_int_equal(total, rows[i].n_judge + rows[i].n_decide);
        if (!rows[i].n_decide)
            assert_null(p.order[QSV_DECIDE]);
        free(seen[0]);
        free(seen[1]);
        qsv_partition_fini(&p);
    }
}

/* The order is part of recorded runs: xoshiro256** seeded with 1, Fisher-Yates, computed apart
 * from this program. */
static void test_order_is_stable(void **state)
{
    (void)state;
    static const uint32_t judge[10] = {3, 8, 0, 9, 2, 5, 6, 4, 1, 7},
                          decide[10] = {8, 3, 6, 7, 2, 0, 1, 9, 4, 5};
    struct qsv_partition p, q;
    assert_int_equal(qsv_partition_init(&p, 10, 10, 4, 1, NULL), QSV_OK);
    assert_memory_equal(p.order[QSV_JUDGE], judge, sizeof judge);
    assert_memory_equal(p.order[QSV_DECIDE], decide, sizeof decide);

    /* The deciding set's order does not hang on the judging set's size, nor on the shards'. */
    assert_int_equal(qsv_partition_init(&q, 77, 10, 5, 1, NULL), QSV_OK);
    assert_memory_equal(q.order[QSV_DECIDE], decide, sizeof decide);
    qsv_partition_fini(&q);

    assert_int_equal(qsv_partition_init(&q, 10, 0, 4, 2, NULL), QSV_OK);
    assert_memory_not_equal(q.order[QSV_JUDGE], judge, sizeof judge);
    qsv_partition_fini(&q);
    qsv_partition_fini(&p);
}

static void test_range(void **state)
{
    (void)state;
    static const struct {
        uint64_t n_decide;
        enum qsv_image_set set;
        uint64_t n_images;
        uint32_t first, count;
    } rows[] = {
        {300, QSV_JUDGE, 0, 0, 8},    {300, QSV_JUDGE, 1000, 0, 8},
        {300, QSV_JUDGE, 1001, 0, 8}, {300, QSV_JUDGE, UINT64_MAX, 0, 8},
        {300, QSV_JUDGE, 1, 0, 1},    {300, QSV_JUDGE, 128, 0, 1},
        {300, QSV_JUDGE, 129, 0, 2},  {300, QSV_DECIDE, 0, 8, 3},
        {300, QSV_DECIDE, 256, 8, 2}, {300, QSV_DECIDE, 5000, 8, 3},
        {0, QSV_DECIDE, 0, 0, 8},     {0, QSV_DECIDE, 384, 0, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_partition p;
        uint32_t first, count;
        assert_int_equal(qsv_partition_init(&p, 1000, rows[i].n_decide, 128, 1, NULL), QSV_OK);
        qsv_partition_range(&p, rows[i].set, rows[i].n_images, &first, &count);
        assert_int_equal(first, rows[i].first);
        assert_int_equal(count, rows[i].count);
        qsv_partition_fini(&p);
    }
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    for (long n = 1; n <= 2; n++) {
        struct qsv_partition p;
        struct qsv_error err;
        qsv_alloc_fail_at(n);
        assert_int_equal(qsv_partition_init(&p, 100, 50, 10, 1, &err), QSV_ENOMEM);
        qsv_alloc_fail_at(0);
        assert_null(p.order[QSV_JUDGE]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_sizes_are_refused),
        cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_every_image_is_in_one_shard),
        cmocka_unit_test(test_order_is_stable),
        cmocka_unit_test(test_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
