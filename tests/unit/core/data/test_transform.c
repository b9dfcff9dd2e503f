#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/data/transform.h"
#include "core/dataset.h"
#include "tests/unit/core/image_files.h"

static const struct qsv_transform small = {48, 40, QSV_BICUBIC};

/* Pillow and torchvision wrote the golden files. Every pixel is theirs. */
static void compare_with_pillow(const char *golden, const struct qsv_transform *t)
{
    const struct qsv_dataset_source source = {.images = golden};
    const size_t bytes = (size_t)t->crop * t->crop * 3;
    struct qsv_error err = {0};
    struct qsv_dataset *d;
    if (qsv_dataset_open(&d, &source, &err))
        fail_msg("%s", err.text);
    uint8_t *ours = malloc(bytes), *theirs = malloc(bytes);
    assert_int_equal(qsv_dataset_count(d), N_IMAGE_FILES);
    assert_int_equal(qsv_dataset_shape(d).h, t->crop);
    for (size_t i = 0; i < N_IMAGE_FILES; i++) {
        size_t n;
        uint8_t *data = read_image_file(image_files[i], &n);
        if (qsv_transform_image(t, data, n, ours, &err))
            fail_msg("%s: %s", image_files[i], err.text);
        assert_int_equal(qsv_dataset_read(d, i, theirs, NULL, NULL), QSV_OK);
        if (memcmp(ours, theirs, bytes))
            fail_msg("%s: pixels are not Pillow's", image_files[i]);
        free(data);
    }
    free(ours);
    free(theirs);
    qsv_dataset_close(d);
}

static void test_bicubic_pixels_are_pillows(void **state)
{
    (void)state;
    compare_with_pillow("tests/data/golden/images_bicubic.h5", &small);
}

static void test_bilinear_pixels_are_pillows(void **state)
{
    (void)state;
    compare_with_pillow("tests/data/golden/images_bilinear.h5",
                        &(struct qsv_transform){36, 31, QSV_BILINEAR});
}

static void test_sizes_out_of_range(void **state)
{
    (void)state;
    static const struct {
        uint32_t resize, crop;
        bool good;
    } rows[] = {{256, 224, true}, {224, 224, true}, {1, 1, true},      {4096, 4096, true},
                {256, 0, false},  {0, 0, false},    {223, 224, false}, {4097, 224, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_transform t = {rows[i].resize, rows[i].crop, QSV_BICUBIC};
        struct qsv_error err = {0};
        assert_int_equal(qsv_transform_check(&t, &err), rows[i].good ? QSV_OK : QSV_EINPUT);
    }
    struct qsv_error err;
    assert_int_equal(qsv_transform_check(&(struct qsv_transform){223, 224, QSV_BICUBIC}, &err),
                     QSV_EINPUT);
    assert_string_equal(err.text, "images resized to 223 and cropped to 224, expected 1 <= crop "
                                  "<= resize <= 4096");
}

/* A long side of 260 becomes 1 by 260 x 4096 / 16 pixels; only the middle is computed. */
static void test_larger_than_the_file(void **state)
{
    (void)state;
    size_t n;
    uint8_t *data = read_image_file("n02099601/tall.JPEG", &n);
    const struct qsv_transform t = {4096, 2, QSV_BICUBIC};
    uint8_t pixels[13];
    pixels[12] = 77;
    assert_int_equal(qsv_transform_image(&t, data, n, pixels, NULL), QSV_OK);
    assert_int_equal(pixels[12], 77);
    for (int c = 0; c < 3; c++)
        assert_in_range(abs(pixels[c] - pixels[9 + c]), 0, 2);
    free(data);
}

static void test_out_of_memory_at_every_allocation(void **state)
{
    (void)state;
    static const char *const names[] = {"n01440764/progressive.JPEG", "n03445777/interlaced.png",
                                        "n03445777/grey.png"};
    static uint8_t pixels[40 * 40 * 3];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n;
        uint8_t *data = read_image_file(names[i], &n);
        int failures = 0;
        for (long at = 1; at < 20; at++) {
            qsv_alloc_fail_at(at);
            enum qsv_status st = qsv_transform_image(&small, data, n, pixels, NULL);
            qsv_alloc_fail_at(0);
            assert_true(st == QSV_OK || st == QSV_ENOMEM);
            failures += st != QSV_OK;
        }
        assert_in_range(failures, 10, 14);
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bicubic_pixels_are_pillows),
        cmocka_unit_test(test_bilinear_pixels_are_pillows),
        cmocka_unit_test(test_sizes_out_of_range),
        cmocka_unit_test(test_larger_than_the_file),
        cmocka_unit_test(test_out_of_memory_at_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
