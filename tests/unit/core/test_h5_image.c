#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/h5_image.h"

/* Makes a file of n numbers, writes it and reads it back with HDF5's own file access. */
static void round_trip(size_t user_block, size_t n)
{
    char path[] = "/tmp/qsvit_image_XXXXXX";
    struct qsv_h5_image *image;
    struct qsv_h5_layout layout = {.rank = 1, .dims = {n}, .chunk_rows = 100};
    uint32_t *numbers = malloc((n + 1) * sizeof *numbers), *found;
    uint8_t *data;
    size_t bytes;
    hsize_t dim;
    hid_t file;
    for (size_t i = 0; i < n; i++)
        numbers[i] = (uint32_t)(i * 2654435761u);
    assert_int_equal(qsv_h5_image_create(&image, user_block, NULL), QSV_OK);
    assert_int_equal(qsv_h5_write(qsv_h5_image_file(image), "numbers", H5T_STD_U32LE,
                                  H5T_NATIVE_UINT32, &layout, numbers, NULL),
                     QSV_OK);
    assert_int_equal(qsv_h5_image_close(image, &data, &bytes, NULL), QSV_OK);
    assert_true(bytes >= user_block + 4 * n);
    assert_true(bytes < user_block + 5 * n + 4096); /* not what HDF5 allocated */
    for (size_t i = 0; i < user_block; i++)
        assert_int_equal(data[i], 0);

    close(mkstemp(path));
    assert_int_equal(qsv_file_write(path, data, bytes, NULL), QSV_OK);
    qsv_h5_image_destroy(image);
    assert_int_equal(qsv_h5_open(&file, path, NULL), QSV_OK);
    assert_int_equal(
        qsv_h5_read(file, "numbers", H5T_NATIVE_UINT32, 4, 1, &dim, 1 << 24, (void **)&found, NULL),
        QSV_OK);
    assert_int_equal(dim, n);
    assert_memory_equal(found, numbers, n * sizeof *numbers);
    H5Fclose(file);
    unlink(path);
    free(found);
    free(numbers);
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    const size_t counts[] = {1, 1000, 65000, 66000, 200000}; /* around and beyond one growth */
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        round_trip(0, counts[i]);
        round_trip(512, counts[i]);
        round_trip(4096, counts[i]);
    }
}

static void an_unfinished_image_leaves_nothing(void **state)
{
    (void)state;
    struct qsv_h5_image *image;
    assert_int_equal(qsv_h5_image_create(&image, 512, NULL), QSV_OK);
    qsv_h5_image_destroy(image);
    assert_int_equal(access("image", F_OK), -1);
    assert_int_equal(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
    qsv_h5_image_destroy(NULL);
}

static void what_cannot_be_made_is_told(void **state)
{
    (void)state;
    struct qsv_h5_image *image;
    assert_int_equal(qsv_h5_image_create(&image, 100, NULL), QSV_EFAILED); /* no power of two */
    assert_null(image);
    qsv_alloc_fail_at(1);
    assert_int_equal(qsv_h5_image_create(&image, 512, NULL), QSV_ENOMEM);
    qsv_alloc_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(an_unfinished_image_leaves_nothing),
        cmocka_unit_test(what_cannot_be_made_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
