#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "core/base/rng.h"
#include "tests/unit/core/dataset_files.h"

static void expect_good(const struct qsv_dataset_source *source, uint32_t channels)
{
    struct qsv_dataset *d = open_good(source);
    struct qsv_shape s = qsv_dataset_shape(d);
    assert_int_equal(qsv_dataset_count(d), N_IMAGES);
    assert_int_equal(s.h, HEIGHT);
    assert_int_equal(s.w, WIDTH);
    assert_int_equal(s.c, channels);
    assert_int_equal(qsv_dataset_max_label(d), 9);
    for (int i = N_IMAGES - 1; i >= 0; i--) {
        uint8_t pixels[HEIGHT * WIDTH * 3];
        uint32_t label = 99, n = HEIGHT * WIDTH * channels;
        assert_int_equal(qsv_dataset_read(d, (uint64_t)i, pixels, &label, NULL), QSV_OK);
        assert_int_equal(label, good_labels[i]);
        for (uint32_t k = 0; k < n; k++)
            assert_int_equal(pixels[k], 10 + (uint32_t)i * n + k);
    }
    assert_int_equal(qsv_dataset_read(d, 0, NULL, NULL, NULL), QSV_OK);
    qsv_dataset_close(d);
}

static void test_plain(void **state)
{
    (void)state;
    uint8_t bytes[200];
    write_good_idx();
    struct qsv_dataset_source s = {NULL, in_folder("images"), in_folder("labels"), 0, 0, {0}, 0};
    expect_good(&s, 1);
    s.format = "idx";
    expect_good(&s, 1);
    write_bytes("images", bytes, make_images(bytes, 3));
    expect_good(&s, 3);
    write_bytes("images", bytes, make_images(bytes, 1));
    expect_good(&s, 1);
}

static void test_gzip(void **state)
{
    (void)state;
    uint8_t bytes[200];
    write_good_idx();
    size_t n = make_images(bytes, 0);
    append_gzip("images.gz", bytes, n);
    struct qsv_dataset_source s = {NULL, in_folder("images.gz"), in_folder("labels"), 0, 0, {0}, 0};
    expect_good(&s, 1);
    append_gzip("members.gz", bytes, 9);
    append_gzip("members.gz", bytes + 9, n - 9);
    s.images = in_folder("members.gz");
    expect_good(&s, 1);
    append_gzip("labels.gz", bytes, make_labels(bytes));
    s.labels = in_folder("labels.gz");
    expect_good(&s, 1);
}

static void test_bad_images(void **state)
{
    (void)state;
    static const struct {
        size_t bytes; /* of the file, 0: as many as there are */
        size_t at;    /* of the change */
        uint8_t n, change[16];
        const char *text;
    } rows[] = {
        {1, 0, 0, {0}, "images: ends after 1 bytes, expected 4 or more by its header"},
        {8, 0, 0, {0}, "images: ends after 8 bytes, expected 16 or more by its header"},
        {33, 0, 0, {0}, "images: its header says 18 bytes more, the file holds at most 17"},
        {35, 0, 0, {0}, "images: goes on after the 34 bytes that its header says"},
        {0, 3, 1, {1}, "images: begins with 00 00 08 01, expected 00 00 08 03 or 04: IDX images"},
        {0, 3, 1, {5}, "images: begins with 00 00 08 05, expected 00 00 08 03 or 04: IDX images"},
        {0, 2, 1, {9}, "images: begins with 00 00 09 03, expected 00 00 08 03 or 04: IDX images"},
        {0, 1, 1, {1}, "images: begins with 00 01 08 03, expected 00 00 08 03 or 04: IDX images"},
        {0, 4, 4, {0, 0, 0, 0}, "images: dimension 0 is 0"},
        {0, 12, 4, {0, 0, 0, 0}, "images: dimension 2 is 0"},
        {0, 4, 4, {0, 0, 0, 4}, "images: its header says 24 bytes more, the file holds at most 18"},
        {0, 4, 4, {0, 0, 0, 2}, "images: goes on after the 28 bytes that its header says"},
        {0,
         4,
         8,
         {255, 255, 255, 255, 255, 255, 255, 255},
         "images: its header says more than 18446744073709551615 bytes more, the file holds at "
         "most 18"},
        {0,
         4,
         12,
         {128, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 4},
         "images: its header says more than 18446744073709551615 bytes more, the file holds at "
         "most 18"},
        {0,
         4,
         12,
         {1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0},
         "images: its header says 72057594037927936 bytes more, the file holds at most 18"},
    };
    write_good_idx();
    struct qsv_dataset_source s = {"idx", in_folder("images"), in_folder("labels"), 0, 0, {0}, 0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t bytes[200] = {0};
        size_t n = make_images(bytes, 0);
        memcpy(bytes + rows[i].at, rows[i].change, rows[i].n);
        write_bytes("images", bytes, rows[i].bytes ? rows[i].bytes : n);
        expect_refused(&s, rows[i].text);
    }
}

static void test_bad_labels(void **state)
{
    (void)state;
    uint8_t bytes[200];
    char text[400];
    write_good_idx();
    struct qsv_dataset_source s = {NULL, in_folder("images"), in_folder("labels"), 0, 0, {0}, 0};
    write_bytes("labels", bytes, make_images(bytes, 0));
    expect_refused(&s, "labels: begins with 00 00 08 03, expected 00 00 08 01: IDX labels");
    write_bytes("labels", bytes, make_idx(bytes, 1, (uint32_t[]){4}, 0));
    snprintf(text, sizeof text, "labels: holds 4 labels for the 3 images of %s", s.images);
    expect_refused(&s, text);
    s.labels = NULL;
    expect_refused(
        &s, "images: IDX images need a file of labels too: labels: in a spec, --labels elsewhere");
}

/* What says 1 TiB and is not, and what says 1 GiB, could be, and is not allowed. */
static void test_gzip_bombs(void **state)
{
    (void)state;
    static uint8_t zeros[1 << 21];
    uint8_t head[16];
    char text[200];
    struct stat info;
    write_good_idx();
    struct qsv_dataset_source s = {NULL, in_folder("bomb.gz"), in_folder("labels"), 0, 0, {0}, 0};
    make_idx(head, 3, (uint32_t[]){0, 0, 0}, 0);
    memcpy(head + 4, (uint8_t[]){1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0}, 12);
    append_gzip("bomb.gz", head, sizeof head);
    append_gzip("bomb.gz", zeros, sizeof zeros);
    assert_int_equal(stat(s.images, &info), 0);
    snprintf(text, sizeof text,
             "bomb.gz: its header says 1099511627776 bytes more, the file holds at most %lld",
             (long long)info.st_size * 1032);
    expect_refused(&s, text);
    unlink(s.images);
    memcpy(head + 4, (uint8_t[]){0, 0, 0x40, 1, 0, 0, 1, 0, 0, 0, 1, 0}, 12);
    append_gzip("bomb.gz", head, sizeof head);
    assert_int_equal(truncate(s.images, 1050000), 0);
    expect_refused(&s, "bomb.gz: holds 1073807360 bytes, at most 1073741824 are allowed; HDF5 may "
                       "be larger");
}

static void test_damaged_gzip(void **state)
{
    (void)state;
    uint8_t bytes[300];
    write_good_idx();
    append_gzip("damaged.gz", bytes, make_images(bytes, 0));
    struct qsv_dataset_source s = {NULL, in_folder("damaged.gz"), in_folder("labels"), 0, 0, {0},
                                   0};
    FILE *f = fopen(s.images, "rb");
    assert_non_null(f);
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    bytes[n - 6] ^= 1; /* the checksum */
    write_bytes("damaged.gz", bytes, n);
    expect_refused(&s, "damaged.gz: gzip data are damaged or cut off");
    bytes[n - 6] ^= 1;
    write_bytes("damaged.gz", bytes, n - 1);
    expect_refused(&s, "damaged.gz: gzip data are damaged or cut off");
    write_bytes("damaged.gz", bytes, n - 12);
    struct qsv_error err;
    struct qsv_dataset *d;
    assert_int_equal(qsv_dataset_open(&d, &s, &err), QSV_EINPUT);
}

/* Opens what may be anything: it must be refused with a line that names the file, or read to its
 * end. */
static int try_open(const struct qsv_dataset_source *s)
{
    struct qsv_dataset *d = NULL;
    struct qsv_error err = {0};
    enum qsv_status st = qsv_dataset_open(&d, s, &err);
    if (st) {
        assert_int_equal(st, QSV_EINPUT);
        assert_non_null(strstr(err.text, folder));
        return 0;
    }
    struct qsv_shape shape = qsv_dataset_shape(d);
    uint8_t *pixels = malloc((size_t)shape.h * shape.w * shape.c);
    uint32_t label;
    assert_non_null(pixels);
    for (uint64_t i = 0; i < qsv_dataset_count(d); i++)
        assert_int_equal(qsv_dataset_read(d, i, pixels, &label, NULL), QSV_OK);
    free(pixels);
    qsv_dataset_close(d);
    return 1;
}

static void break_in_every_way(const uint8_t *good, size_t n, const char *name,
                               const struct qsv_dataset_source *s, int mutations)
{
    struct qsv_rng r;
    uint8_t bytes[400];
    int refused = 0;
    qsv_rng_seed(&r, n);
    for (size_t cut = 0; cut < n; cut++) {
        write_bytes(name, good, cut);
        assert_int_equal(try_open(s), 0);
    }
    write_bytes(name, good, n);
    assert_int_equal(try_open(s), 1);
    for (int i = 0; i < mutations; i++) {
        memcpy(bytes, good, n);
        for (uint64_t k = 0, flips = 1 + qsv_rng_below(&r, 3); k < flips; k++)
            bytes[qsv_rng_below(&r, n)] = (uint8_t)qsv_rng_next(&r);
        overwrite_bytes(name, bytes, n);
        refused += !try_open(s);
    }
    assert_in_range(refused, mutations / 4, mutations);
}

static void test_prefixes_and_mutations(void **state)
{
    (void)state;
    uint8_t bytes[400];
    write_good_idx();
    struct qsv_dataset_source s = {NULL, in_folder("images"), in_folder("labels"), 0, 0, {0}, 0};
    break_in_every_way(bytes, make_images(bytes, 0), "images", &s, 10000);
    write_good_idx();
    break_in_every_way(bytes, make_labels(bytes), "labels", &s, 10000);
}

static void test_gzip_prefixes_and_mutations(void **state)
{
    (void)state;
    uint8_t bytes[400];
    write_good_idx();
    append_gzip("broken.gz", bytes, make_images(bytes, 0));
    struct qsv_dataset_source s = {NULL, in_folder("broken.gz"), in_folder("labels"), 0, 0, {0}, 0};
    FILE *f = fopen(s.images, "rb");
    assert_non_null(f);
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    break_in_every_way(bytes, n, "broken.gz", &s, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_bad_images),
        cmocka_unit_test(test_bad_labels),
        cmocka_unit_test(test_gzip_bombs),
        cmocka_unit_test(test_damaged_gzip),
        cmocka_unit_test(test_prefixes_and_mutations),
        cmocka_unit_test(test_gzip_prefixes_and_mutations),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
