#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/data/resample.h"

enum { MAX_SIZE = 300, BIG = 1000 };

/* Weights of a doubling by bicubic: outputs lie a quarter of a pixel off, Keys' cubic with a = -0.5
 * at 0.25, 0.75, 1.25 and 1.75. */
static void test_weights_of_a_doubling(void **state)
{
    (void)state;
    static const double keys[] = {-0.0234375, 0.2265625, 0.8671875, -0.0703125};
    struct qsv_resample r;
    assert_int_equal(qsv_resample_init(&r, 20, 40, 10, 2, QSV_BICUBIC, NULL), QSV_OK);
    assert_int_equal(r.start[0], 3);
    assert_int_equal(r.count[0], 4);
    assert_int_equal(r.start[1], 4);
    for (int t = 0; t < 4; t++) {
        assert_int_equal(r.weights[t], (int32_t)(keys[t] * 4194304));
        assert_int_equal(r.weights[r.taps + t], r.weights[3 - t]);
    }
    qsv_resample_fini(&r);
}

static void test_same_size_changes_nothing(void **state)
{
    (void)state;
    uint8_t in[(BIG + 20) * 4], out[BIG * 3 + 1];
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(i * 37);
    for (int by = QSV_BICUBIC; by <= QSV_BILINEAR; by++) {
        struct qsv_resample r;
        assert_int_equal(qsv_resample_init(&r, BIG, BIG, 5, 900, by, NULL), QSV_OK);
        qsv_resample_row(&r, in, out);
        for (size_t i = 0; i < 900; i++)
            assert_memory_equal(out + 3 * i, in + 4 * (i + 5), 3);
        qsv_resample_fini(&r);
    }
}

/* One colour stays what it is, at borders too, whatever the sizes. */
static void test_one_colour_stays(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{1, 1}, {1, 9}, {2, 300}, {7, 5}, {255, 64}, {1000, 3}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (int colour = 0; colour < 256; colour += 85) {
            struct qsv_resample r;
            static uint8_t in[4 * 4 * BIG], out[3 * MAX_SIZE + 1];
            memset(in, colour, sizeof in);
            assert_int_equal(
                qsv_resample_init(&r, sizes[k][0], sizes[k][1], 0, sizes[k][1], k % 2, NULL),
                QSV_OK);
            qsv_resample_row(&r, in, out);
            for (size_t i = 0; i < 3 * r.n; i++)
                assert_int_equal(out[i], colour);
            qsv_resample_fini(&r);
        }
}

/* Vectors and plain code give the same bytes, black and white pixels (which overshoot) too. */
static void test_vectors_equal_plain_code(void **state)
{
    (void)state;
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 3);
    for (int k = 0; k < 300; k++) {
        const uint32_t size = 1 + (uint32_t)qsv_rng_below(&rng, MAX_SIZE);
        const uint32_t n = 1 + (uint32_t)qsv_rng_below(&rng, 90);
        const size_t bytes = 1 + qsv_rng_below(&rng, 100);
        struct qsv_resample r;
        assert_int_equal(qsv_resample_init(&r, size, n, 0, n, k % 2, NULL), QSV_OK);
        uint8_t *in = malloc((size + r.taps) * 4), *rows = malloc(size * bytes);
        for (size_t i = 0; i < (size + r.taps) * 4; i++)
            in[i] = k % 3 ? (uint8_t)qsv_rng_next(&rng) : (uint8_t)(qsv_rng_below(&rng, 2) * 255);
        for (size_t i = 0; i < size * bytes; i++)
            rows[i] = k % 3 ? (uint8_t)qsv_rng_next(&rng) : (uint8_t)(qsv_rng_below(&rng, 2) * 255);
        uint8_t *a = malloc(3 * n + 1), *b = malloc(3 * n + 1), c[100], d[100];
        const bool vectors = r.vectors;
        qsv_resample_row(&r, in, a);
        for (uint32_t i = 0; i < n; i++) {
            r.vectors = vectors;
            qsv_resample_column(&r, i, rows + r.start[i] * bytes, bytes, c);
            r.vectors = false;
            qsv_resample_column(&r, i, rows + r.start[i] * bytes, bytes, d);
            assert_memory_equal(c, d, bytes);
        }
        qsv_resample_row(&r, in, b);
        assert_memory_equal(a, b, 3 * n);
        free(in);
        free(rows);
        free(a);
        free(b);
        qsv_resample_fini(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights_of_a_doubling),
        cmocka_unit_test(test_same_size_changes_nothing),
        cmocka_unit_test(test_one_colour_stays),
        cmocka_unit_test(test_vectors_equal_plain_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
