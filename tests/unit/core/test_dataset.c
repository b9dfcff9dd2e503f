#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/base/hash.h"
#include "core/h5.h"
#include "tests/unit/core/dataset_files.h"

static struct qsv_dataset_source good_idx(void)
{
    write_good_idx();
    return (struct qsv_dataset_source){NULL, in_folder("images"), in_folder("labels"), 0, 0, {0},
                                       0};
}

static uint64_t fingerprint_of(const struct qsv_dataset_source *s)
{
    struct qsv_dataset *d = open_good(s);
    uint64_t f = qsv_dataset_fingerprint(d);
    qsv_dataset_close(d);
    return f;
}

/* The good images as HDF5, with one pixel and one label to choose. */
static void write_hdf5(const char *name, uint8_t pixel, uint8_t label)
{
    struct qsv_h5_layout images = {4, {N_IMAGES, HEIGHT, WIDTH, 1, 0, 0}, 2, 6};
    struct qsv_h5_layout labels = {1, {N_IMAGES, 0, 0, 0, 0, 0}, 0, 0};
    uint8_t bytes[200], values[N_IMAGES];
    make_images(bytes, 0);
    bytes[16] = pixel;
    memcpy(values, good_labels, sizeof values);
    values[0] = label;
    hid_t file;
    assert_int_equal(qsv_h5_create(&file, in_folder(name), NULL), QSV_OK);
    assert_int_equal(
        qsv_h5_write(file, "images", H5T_STD_U8LE, H5T_NATIVE_UINT8, &images, bytes + 16, NULL),
        QSV_OK);
    assert_int_equal(
        qsv_h5_write(file, "labels", H5T_STD_I32LE, H5T_NATIVE_UINT8, &labels, values, NULL),
        QSV_OK);
    assert_int_equal(qsv_h5_close(file, name, NULL), QSV_OK);
}

static void test_slices(void **state)
{
    (void)state;
    struct qsv_dataset_source s = good_idx();
    write_hdf5("slices.h5", 10, 5);
    for (int hdf5 = 0; hdf5 < 2; hdf5++) {
        if (hdf5)
            s = (struct qsv_dataset_source){"hdf5", in_folder("slices.h5"), NULL, 0, 0, {0}, 0};
        for (s.first = 0; s.first < N_IMAGES; s.first++)
            for (s.count = 0; s.count <= N_IMAGES - s.first; s.count++) {
                struct qsv_dataset *d = open_good(&s);
                uint64_t n = s.count ? s.count : N_IMAGES - s.first;
                uint32_t label, largest = 0;
                uint8_t pixels[HEIGHT * WIDTH];
                assert_int_equal(qsv_dataset_count(d), n);
                for (uint64_t i = 0; i < n; i++) {
                    assert_int_equal(qsv_dataset_read(d, i, pixels, &label, NULL), QSV_OK);
                    assert_int_equal(pixels[0], 10 + (s.first + i) * HEIGHT * WIDTH);
                    assert_int_equal(label, good_labels[s.first + i]);
                    largest = label > largest ? label : largest;
                }
                assert_int_equal(qsv_dataset_max_label(d), largest);
                qsv_dataset_close(d);
            }
    }
}

static void test_bad_slices(void **state)
{
    (void)state;
    static const struct {
        uint64_t first, count;
        const char *text;
    } rows[] = {
        {3, 0, "0 images from image 3 on"},
        {0, 4, "4 images from image 0 on"},
        {2, 2, "2 images from image 2 on"},
        {UINT64_MAX, 2, "2 images from image 18446744073709551615 on"},
        {2, UINT64_MAX, "18446744073709551615 images from image 2 on"},
    };
    struct qsv_dataset_source s = good_idx();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[200];
        s.first = rows[i].first;
        s.count = rows[i].count;
        snprintf(text, sizeof text,
                 "images: a slice of %s (0: all that follow) does not fit in its 3 images",
                 rows[i].text);
        expect_refused(&s, text);
    }
}

static void test_fingerprint_is_of_the_contents(void **state)
{
    (void)state;
    struct qsv_dataset_source s = good_idx();
    struct qsv_dataset_source h = {NULL, in_folder("same.h5"), NULL, 0, 0, {0}, 0};
    uint64_t expected[4 + N_IMAGES] = {N_IMAGES, HEIGHT, WIDTH, 1}, all = fingerprint_of(&s);
    uint8_t bytes[200], flat[200];

    memcpy(flat, expected, 4 * 8);
    size_t n = make_images(bytes, 0) - 16;
    memcpy(flat + 32, bytes + 16, n);
    for (int i = 0; i < N_IMAGES; i++)
        expected[i] = good_labels[i];
    memcpy(flat + 32 + n, expected, N_IMAGES * 8);
    assert_int_equal(all, qsv_hash_bytes(flat, 32 + n + N_IMAGES * 8));

    write_hdf5("same.h5", 10, 5);
    assert_int_equal(fingerprint_of(&h), all);
    write_hdf5("same.h5", 11, 5);
    assert_int_not_equal(fingerprint_of(&h), all);
    write_hdf5("same.h5", 10, 4);
    assert_int_not_equal(fingerprint_of(&h), all);
    s.count = 2;
    assert_int_not_equal(fingerprint_of(&s), all);
    s.count = 3;
    assert_int_equal(fingerprint_of(&s), all);
    /* the same bytes in another shape */
    write_bytes("images", bytes, make_idx(bytes, 3, (uint32_t[]){N_IMAGES, WIDTH, HEIGHT}, 10));
    assert_int_not_equal(fingerprint_of(&s), all);
}

/* Of IDX the pixels are shared; HDF5 is read image by image, there is nothing to share. */
static void test_shared(void **state)
{
    struct qsv_dataset_source sources[] = {good_idx(),
                                           {NULL, in_folder("same.h5"), NULL, 0, 0, {0}, 0}};
    (void)state;
    write_hdf5("same.h5", 10, 5);
    for (int k = 0; k < 2; k++) {
        struct qsv_dataset *own, *shared;
        struct qsv_error err = {0};
        assert_int_equal(qsv_dataset_open(&own, &sources[k], &err), QSV_OK);
        assert_int_equal(qsv_dataset_open(&shared, &sources[k], &err), QSV_OK);
        if (qsv_dataset_share(shared, &err))
            fail_msg("%s", err.text);
        for (uint64_t i = 0; i < N_IMAGES; i++) {
            uint8_t a[HEIGHT * WIDTH], b[HEIGHT * WIDTH];
            uint32_t x, y;
            assert_int_equal(qsv_dataset_read(own, i, a, &x, &err), QSV_OK);
            assert_int_equal(qsv_dataset_read(shared, i, b, &y, &err), QSV_OK);
            assert_memory_equal(a, b, sizeof a);
            assert_int_equal(x, y);
        }
        qsv_dataset_close(own);
        qsv_dataset_close(shared);
    }
}

static void test_open_again(void **state)
{
    (void)state;
    struct qsv_dataset_source s = {NULL, in_folder("again.h5"), NULL, 1, 2, {0}, 0};
    struct qsv_dataset *d = NULL;
    uint8_t pixels[HEIGHT * WIDTH];
    uint32_t label;
    write_hdf5("again.h5", 10, 5);
    assert_int_equal(qsv_dataset_open_again(&d, &s, NULL), QSV_OK);
    assert_int_equal(qsv_dataset_count(d), 2);
    assert_int_equal(qsv_dataset_read(d, 1, pixels, &label, NULL), QSV_OK);
    assert_int_equal(pixels[0], 22);
    assert_int_equal(label, 9);
    qsv_dataset_close(d);
    s.first = 3;
    assert_int_equal(qsv_dataset_open_again(&d, &s, NULL), QSV_EINPUT);
}

/* It reads what is needed for a sketch; what lies in memory it knows. */
static void test_members(void **state)
{
    (void)state;
    struct qsv_dataset_source sources[] = {good_idx(),
                                           {NULL, in_folder("member.h5"), NULL, 1, 2, {0}, 0}};
    write_hdf5("member.h5", 10, 5);
    for (int i = 0; i < 2; i++) {
        struct qsv_dataset *all = open_good(&sources[i]), *d = NULL;
        assert_int_equal(qsv_dataset_open_member(&d, &sources[i], NULL), QSV_OK);
        assert_int_equal(qsv_dataset_sketch(d), qsv_dataset_sketch(all));
        assert_int_equal(qsv_dataset_has_fingerprint(d), i == 0);
        qsv_dataset_learn(d, qsv_dataset_fingerprint(all));
        assert_int_equal(qsv_dataset_fingerprint(d), qsv_dataset_fingerprint(all));
        qsv_dataset_close(all);
        qsv_dataset_close(d);
    }
    struct qsv_dataset *d = NULL;
    write_bytes("member.h5", "\x89HDF\r\n\x1a\n no more", 16);
    assert_int_equal(qsv_dataset_open_member(&d, &sources[1], NULL), QSV_EINPUT);
    assert_null(d);
}

static void test_what_is_no_data_set(void **state)
{
    (void)state;
    struct qsv_dataset_source s = good_idx();
    write_bytes("text", "images!", 7);
    write_bytes("empty", "", 0);
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);

    s.images = in_folder("text");
    expect_refused(&s,
                   "text: of no known format: its first bytes are 69 6d 61 67 65 73 21; expected "
                   "one of idx, hdf5, folder, tar, cifar10, cifar100 (which of them has to be said "
                   "where bytes do not tell)");
    s.images = in_folder("empty");
    expect_refused(&s,
                   "empty: of no known format: its first bytes are missing; expected one of idx, "
                   "hdf5, folder, tar, cifar10, cifar100 (which of them has to be said where bytes "
                   "do not tell)");
    s.images = in_folder("missing");
    expect_refused(&s, "missing: cannot open: No such file or directory");
    s.images = in_folder("fifo");
    expect_refused(&s, "fifo: not a regular file");
    s.format = "hdf5";
    expect_refused(&s, "fifo: not a regular file");
    s.images = in_folder(".");
    expect_refused(&s, ".: is a folder, expected a file: its format is 'hdf5'");
    s = good_idx();
    s.labels = in_folder("fifo");
    expect_refused(&s, "fifo: not a regular file");
    s = good_idx();
    s.format = "jpeg";
    expect_refused(&s, "images: unknown data set format 'jpeg', expected one of idx, hdf5, folder, "
                       "tar, cifar10, cifar100");
    s.format = "hdf5";
    s.labels = NULL;
    struct qsv_dataset *d;
    assert_int_equal(qsv_dataset_open(&d, &s, NULL), QSV_EINPUT);
    s = (struct qsv_dataset_source){"idx", in_folder("some.h5"), in_folder("labels"), 0, 0, {0}, 0};
    write_hdf5("some.h5", 0, 0);
    expect_refused(&s, "some.h5: begins with 89 48 44 46, expected 00 00 08 03 or 04: IDX images");
}

static void test_images_too_large(void **state)
{
    (void)state;
    struct qsv_dataset_source s = good_idx();
    uint8_t bytes[200];
    size_t n = make_idx(bytes, 3, (uint32_t[]){1, 0, 0}, 0);
    memcpy(bytes + 8, (uint8_t[]){0, 1, 0, 0, 0, 0, 4, 1}, 8);
    write_bytes("images", bytes, n);
    assert_int_equal(truncate(s.images, 16 + 65536L * 1025), 0);
    write_bytes("labels", bytes, make_idx(bytes, 1, (uint32_t[]){1}, 0));
    expect_refused(&s, "images: images of 65536x1025x1 are larger than the 67108864 bytes allowed");
}

static void test_check_against_a_model(void **state)
{
    (void)state;
    struct qsv_dataset_source s = good_idx();
    struct qsv_dataset *d = open_good(&s);
    struct qsv_error err;
    char text[300];
    uint32_t factor = 0;
    static const struct qsv_shape wrong[] = {{3, 2, 3}, {1, 2, 4}, {1, 4, 3}, {1, 2, 6},
                                             {1, 4, 7}, {1, 6, 9}, {1, 1, 1}};
    assert_int_equal(qsv_dataset_check(d, (struct qsv_shape){1, 2, 3}, 10, &factor, &err), QSV_OK);
    assert_int_equal(factor, 1);
    assert_int_equal(qsv_dataset_check(d, (struct qsv_shape){1, 4, 6}, 10, &factor, &err), QSV_OK);
    assert_int_equal(factor, 2);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(qsv_dataset_check(d, wrong[i], 10, &factor, &err), QSV_EINPUT);
        snprintf(text, sizeof text,
                 "%s: images are 2x3x1 (height x width x channels), the model takes %ux%ux%u, or "
                 "half of that height and width",
                 s.images, wrong[i].h, wrong[i].w, wrong[i].c);
        assert_string_equal(err.text, text);
    }
    assert_int_equal(qsv_dataset_check(d, (struct qsv_shape){1, 2, 3}, 9, &factor, &err),
                     QSV_EINPUT);
    snprintf(text, sizeof text, "%s: holds label 9, the model has classes 0 to 8", s.images);
    assert_string_equal(err.text, text);
    qsv_dataset_close(d);
}

static void test_enlarge(void **state)
{
    (void)state;
    static const uint8_t in[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const uint8_t grey[] = {1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3,
                                   4, 4, 5, 5, 6, 6, 4, 4, 5, 5, 6, 6};
    static const uint8_t pairs[] = {1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4, 1, 2, 1, 2, 1, 2,
                                    3, 4, 3, 4, 3, 4, 1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4};
    uint8_t out[48];
    qsv_image_enlarge(in, (struct qsv_shape){1, 2, 3}, 2, out);
    assert_memory_equal(out, grey, sizeof grey);
    qsv_image_enlarge(in, (struct qsv_shape){2, 1, 2}, 3, out);
    assert_memory_equal(out, pairs, sizeof pairs);
    qsv_image_enlarge(in, (struct qsv_shape){3, 2, 2}, 1, out);
    assert_memory_equal(out, in, sizeof in);
}

static void test_out_of_memory_at_every_allocation(void **state)
{
    (void)state;
    struct qsv_dataset_source sources[] = {good_idx(),
                                           {NULL, in_folder("memory.h5"), NULL, 0, 0, {0}, 0}};
    write_hdf5("memory.h5", 10, 5);
    for (int i = 0; i < 2; i++) {
        int failures = 0;
        for (long n = 1; n < 30; n++) {
            struct qsv_dataset *d = NULL;
            qsv_alloc_fail_at(n);
            enum qsv_status st = qsv_dataset_open(&d, &sources[i], NULL);
            qsv_alloc_fail_at(0);
            failures += st != QSV_OK;
            assert_true(st == QSV_OK || st == QSV_ENOMEM);
            assert_int_equal(d == NULL, st != QSV_OK);
            qsv_dataset_close(d);
        }
        assert_in_range(failures, 5, 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_bad_slices),
        cmocka_unit_test(test_fingerprint_is_of_the_contents),
        cmocka_unit_test(test_open_again),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_what_is_no_data_set),
        cmocka_unit_test(test_images_too_large),
        cmocka_unit_test(test_check_against_a_model),
        cmocka_unit_test(test_enlarge),
        cmocka_unit_test(test_out_of_memory_at_every_allocation),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
