/* Data sets of image files: folders and tar archives. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>

#include "core/base/alloc.h"
#include "core/base/hash.h"
#include "core/base/rng.h"
#include "core/data/encoded.h"
#include "tests/unit/core/dataset_files.h"
#include "tests/unit/core/image_files.h"

static const struct qsv_transform small = {48, 40, QSV_BICUBIC};
enum { BYTES = 40 * 40 * 3 };

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *f)
{
    (void)s;
    (void)type;
    (void)f;
    return remove(path);
}

static int remove_everything(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 10, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void make_folder(const char *name)
{
    assert_int_equal(mkdir(path_of(name), 0700), 0);
}

/* A copy of one of the test images. */
static void copy_image(const char *name, const char *image)
{
    size_t n;
    uint8_t *data = read_image_file(image, &n);
    FILE *f = fopen(path_of(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    free(data);
}

static struct archive *begin_tar(const char *name, int format)
{
    struct archive *a = archive_write_new();
    assert_int_equal(archive_write_set_format(a, format), ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(a, in_folder(name)), ARCHIVE_OK);
    return a;
}

static void add_entry(struct archive *a, const char *name, const void *data, size_t n)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, name);
    archive_entry_set_size(e, (int64_t)n);
    archive_entry_set_filetype(e, n ? AE_IFREG : AE_IFDIR);
    archive_entry_set_perm(e, 0755);
    assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
    if (n)
        assert_int_equal(archive_write_data(a, data, n), (la_ssize_t)n);
    archive_entry_free(e);
}

static void add_image(struct archive *a, const char *name, const char *image)
{
    size_t n;
    uint8_t *data = read_image_file(image, &n);
    add_entry(a, name, data, n);
    free(data);
}

static void end_tar(struct archive *a)
{
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
}

/* All images, in folders of their own, in an order that is not theirs; `lead` before every name. */
static void write_tar(const char *name, int format, const char *lead)
{
    struct archive *a = begin_tar(name, format);
    char path[600];
    add_entry(a, "a_folder/", NULL, 0);
    add_entry(a, "readme.txt", "no image", 8);
    for (int i = N_IMAGE_FILES - 1; i >= 0; i--) {
        snprintf(path, sizeof path, "%s%s", lead, image_files[i]);
        add_image(a, path, image_files[i]);
    }
    end_tar(a);
}

static void expect_golden(const struct qsv_dataset_source *source)
{
    const struct qsv_dataset_source theirs = {.images = "tests/data/golden/images_bicubic.h5"};
    static uint8_t a[BYTES], b[BYTES];
    struct qsv_dataset *d = open_good(source), *golden = open_good(&theirs);
    assert_int_equal(qsv_dataset_count(d), N_IMAGE_FILES);
    assert_int_equal(qsv_dataset_shape(d).c, 3);
    assert_int_equal(qsv_dataset_shape(d).w, 40);
    for (uint64_t i = 0; i < N_IMAGE_FILES; i++) {
        uint32_t label, expected;
        struct qsv_error err;
        if (qsv_dataset_read(d, i, a, &label, &err))
            fail_msg("%s", err.text);
        assert_int_equal(qsv_dataset_read(golden, i, b, &expected, NULL), QSV_OK);
        assert_memory_equal(a, b, BYTES);
        assert_int_equal(label, expected);
    }
    qsv_dataset_close(d);
    qsv_dataset_close(golden);
}

static void test_folder(void **state)
{
    (void)state;
    struct qsv_dataset_source s = {.images = IMAGE_FOLDER, .transform = small};
    expect_golden(&s);
    s.format = "folder";
    expect_golden(&s);
    struct qsv_dataset *d = open_good(&s);
    assert_string_equal(qsv_dataset_class_name(d, 0), "n01440764");
    assert_string_equal(qsv_dataset_class_name(d, 2), "n03445777");
    assert_null(qsv_dataset_class_name(d, 3));
    qsv_dataset_close(d);
}

/* ustar, pax and GNU, names of more than 100 and 255 letters among them. */
static void test_tar(void **state)
{
    (void)state;
    static const int formats[] = {ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE,
                                  ARCHIVE_FORMAT_TAR_GNUTAR};
    char longest[400];
    memset(longest, 'l', sizeof longest);
    strcpy(longest + 300, "/");
    for (int i = 0; i < 3; i++) {
        struct qsv_dataset_source s = {.images = in_folder("all.tar"), .transform = small};
        write_tar("all.tar", formats[i], "");
        expect_golden(&s);
        write_tar("all.tar", formats[i], "./");
        expect_golden(&s);
        write_tar("all.tar", formats[i], "val/some/where/");
        s.format = "tar";
        expect_golden(&s);
        if (formats[i] != ARCHIVE_FORMAT_TAR_USTAR) {
            write_tar("all.tar", formats[i], longest);
            expect_golden(&s);
        }
    }
}

/* Folder and archive of the same files are the same data; what else decides changes it. */
static void test_fingerprint(void **state)
{
    (void)state;
    struct qsv_dataset_source s = {.images = IMAGE_FOLDER, .transform = small};
    struct qsv_dataset *d = open_good(&s);
    const uint64_t all = qsv_dataset_fingerprint(d);
    qsv_dataset_close(d);

    struct qsv_hash *h = qsv_hash_begin();
    const uint64_t numbers[] = {N_IMAGE_FILES, 40, 40, 3};
    for (int i = 0; i < 4; i++)
        qsv_hash_add_u64(h, numbers[i]);
    qsv_hash_add_string(h, "encoded");
    qsv_hash_add_u64(h, 48);
    qsv_hash_add_u64(h, 0);
    for (int i = 0; i < N_IMAGE_FILES; i++) {
        size_t n;
        uint8_t *data = read_image_file(image_files[i], &n);
        qsv_hash_add_u64(h, n);
        qsv_hash_add(h, data, n);
        free(data);
    }
    for (int i = 0; i < N_IMAGE_FILES; i++)
        qsv_hash_add_u64(h, (uint64_t)(i >= 6) + (i >= 12));
    assert_int_equal(all, qsv_hash_end(h));

    write_tar("same.tar", ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE, "val/");
    struct qsv_dataset_source changed[] = {
        {.images = in_folder("same.tar"), .transform = small}, s, s, s, s};
    changed[1].transform.resize = 49;
    changed[2].transform.crop = 41;
    changed[3].transform.interpolation = QSV_BILINEAR;
    changed[4].first = 1;
    for (int i = 0; i < 5; i++) {
        d = open_good(&changed[i]);
        assert_int_equal(qsv_dataset_fingerprint(d) == all, i == 0);
        qsv_dataset_close(d);
    }
}

static uint64_t sketch_of(const struct qsv_dataset_source *s, bool all)
{
    struct qsv_dataset *d = NULL;
    struct qsv_error err = {0};
    if (all ? qsv_dataset_open(&d, s, &err) : qsv_dataset_open_member(&d, s, &err))
        fail_msg("%s", err.text);
    assert_int_equal(qsv_dataset_has_fingerprint(d), all);
    const uint64_t sketch = qsv_dataset_sketch(d);
    qsv_dataset_close(d);
    return sketch;
}

/* Images 5, 11 and 17 of 19 are in none of the sixteen that are looked at. */
static void test_sketch(void **state)
{
    (void)state;
    struct qsv_dataset_source s = {.images = in_folder("sketch.tar"), .transform = small};
    for (int changed = -1; changed < N_IMAGE_FILES; changed++) {
        struct archive *a = begin_tar("sketch.tar", ARCHIVE_FORMAT_TAR_USTAR);
        for (int i = 0; i < N_IMAGE_FILES; i++)
            add_image(a, image_files[i], image_files[i == changed ? (i + 1) % 3 : i]);
        end_tar(a);
        static uint64_t before;
        const uint64_t sketch = sketch_of(&s, false);
        assert_int_equal(sketch, sketch_of(&s, true));
        if (changed < 0)
            before = sketch;
        else
            assert_int_equal(sketch == before, changed % 6 == 5);
    }
    struct qsv_dataset_source others[] = {s, s, s};
    const uint64_t sketch = sketch_of(&s, false);
    others[0].first = 1;
    others[1].count = 18;
    others[2].transform.resize = 49;
    for (size_t i = 0; i < 3; i++)
        assert_int_not_equal(sketch_of(&others[i], false), sketch);
    /* Another name that no pixel shows. */
    struct archive *a = begin_tar("sketch.tar", ARCHIVE_FORMAT_TAR_USTAR);
    for (int i = 0; i < N_IMAGE_FILES; i++)
        add_image(a, i == 17 ? "n03445777/png.png" : image_files[i], image_files[i]);
    end_tar(a);
    assert_int_not_equal(sketch_of(&s, false), sketch);
}

static void test_standard_transform(void **state)
{
    (void)state;
    const struct qsv_dataset_source s = {.images = IMAGE_FOLDER};
    struct qsv_dataset *d = open_good(&s);
    assert_int_equal(qsv_dataset_shape(d).h, 224);
    qsv_dataset_close(d);
    struct qsv_dataset_source bad = {.images = IMAGE_FOLDER, .transform = {.crop = 257}};
    struct qsv_error err;
    assert_int_equal(qsv_dataset_open(&d, &bad, &err), QSV_EINPUT);
    assert_string_equal(err.text, IMAGE_FOLDER ": images resized to 256 and cropped to 257, "
                                               "expected 1 <= crop <= resize <= 4096");
}

/* Images in no folder, and classes of a file that says what each is. */
static void test_flat_folder_with_labels(void **state)
{
    (void)state;
    make_folder("flat");
    copy_image("flat/b.JPEG", "n01440764/grey.JPEG");
    copy_image("flat/a.jpg", "n01440764/odd.JPEG");
    copy_image("flat/.hidden.jpg", "n01440764/odd.JPEG");
    write_bytes("flat.csv", "b.JPEG,3\na.jpg,900\nmore.png,1\n", 30);
    struct qsv_dataset_source s = {
        .images = in_folder("flat"), .labels = in_folder("flat.csv"), .transform = small};
    struct qsv_dataset *d = open_good(&s);
    uint32_t label;
    assert_int_equal(qsv_dataset_count(d), 2);
    assert_int_equal(qsv_dataset_read(d, 0, NULL, &label, NULL), QSV_OK);
    assert_int_equal(label, 900);
    assert_int_equal(qsv_dataset_read(d, 1, NULL, &label, NULL), QSV_OK);
    assert_int_equal(label, 3);
    assert_null(qsv_dataset_class_name(d, 3));
    qsv_dataset_close(d);

    write_bytes("flat.csv", "b.JPEG,3\n", 9);
    expect_refused(&s, "flat.csv: a.jpg: has no label");
    s.labels = NULL;
    char text[400];
    snprintf(text, sizeof text, "flat: 'a.jpg' lies in no class folder, and no labels are given");
    expect_refused(&s, text);
}

/* 'a-b' comes after 'a' although a-b/x comes before a/x as text. */
static void test_order_is_of_folders_first(void **state)
{
    (void)state;
    make_folder("order");
    make_folder("order/a");
    make_folder("order/a-b");
    copy_image("order/a/z.JPEG", "n01440764/grey.JPEG");
    copy_image("order/a-b/a.JPEG", "n01440764/odd.JPEG");
    struct qsv_dataset_source s = {.images = in_folder("order"), .transform = small};
    struct qsv_dataset *d = open_good(&s);
    assert_string_equal(qsv_dataset_class_name(d, 0), "a");
    assert_string_equal(qsv_dataset_class_name(d, 1), "a-b");
    qsv_dataset_close(d);
}

static void test_bad_folders(void **state)
{
    (void)state;
    struct qsv_dataset_source s = {.images = in_folder("bad"), .transform = small};
    make_folder("bad");
    expect_refused(&s, "bad: holds no images");
    make_folder("bad/n1");
    expect_refused(&s, "bad/n1: a class folder without images");
    make_folder("bad/n1/deep");
    expect_refused(&s, "bad/n1/deep: a folder in a class folder, expected images");
    assert_int_equal(rmdir(path_of("bad/n1/deep")), 0);
    assert_int_equal(mkfifo(path_of("bad/n1/fifo.jpg"), 0600), 0);
    expect_refused(&s, "bad/n1/fifo.jpg: not a regular file");
    assert_int_equal(unlink(path_of("bad/n1/fifo.jpg")), 0);
    assert_int_equal(symlink("nowhere", path_of("bad/n1/link.png")), 0);
    expect_refused(&s, "bad/n1/link.png: cannot open: No such file or directory");
    s.format = "idx";
    expect_refused(&s, "bad: is a folder, expected a file: its format is 'idx'");
    s = (struct qsv_dataset_source){.format = "folder", .images = in_folder("file")};
    write_bytes("file", "text", 4);
    expect_refused(&s, "file: is a file, expected a folder: its format is 'folder'");
}

/* A file that can't be decoded is named when it is read, not before. */
static void test_damaged_images_are_named(void **state)
{
    (void)state;
    struct archive *a = begin_tar("damaged.tar", ARCHIVE_FORMAT_TAR_USTAR);
    add_image(a, "n1/a.JPEG", "n01440764/odd.JPEG");
    add_entry(a, "n1/b.JPEG", "GIF89a, it says", 15);
    end_tar(a);
    struct qsv_dataset_source s = {.images = in_folder("damaged.tar"), .transform = small};
    struct qsv_dataset *d = open_good(&s);
    static uint8_t pixels[BYTES];
    struct qsv_error err;
    char expected[400];
    snprintf(expected, sizeof expected,
             "%s: n1/b.JPEG: is neither JPEG nor PNG: its first bytes are 47 49 46 38 39 61 2c 20",
             s.images);
    assert_int_equal(qsv_dataset_read(d, 0, pixels, NULL, &err), QSV_OK);
    assert_int_equal(qsv_dataset_read(d, 1, pixels, NULL, &err), QSV_EINPUT);
    assert_string_equal(err.text, expected);
    qsv_dataset_close(d);
}

static const int damaged[] = {0, 7, N_IMAGE_FILES - 1};

static void write_damaged_tar(const char *name)
{
    struct archive *a = begin_tar(name, ARCHIVE_FORMAT_TAR_USTAR);
    for (int i = 0; i < N_IMAGE_FILES; i++) {
        if (i == damaged[0] || i == damaged[1] || i == damaged[2])
            add_entry(a, image_files[i], "GIF89a, it says", 15);
        else
            add_image(a, image_files[i], image_files[i]);
    }
    end_tar(a);
}

/* The first, one in the middle and the last are left out, where that is asked for. */
static void test_damaged_images_are_left_out(void **state)
{
    (void)state;
    write_damaged_tar("skip.tar");
    struct qsv_dataset_source s = {.images = in_folder("skip.tar"), .transform = small};
    struct qsv_dataset *all = open_good(&s), *again;
    s.on_error = QSV_ON_ERROR_SKIP;
    struct qsv_dataset *d = open_good(&s);
    assert_int_equal(qsv_dataset_skipped(all), 0);
    assert_int_equal(qsv_dataset_skipped(d), 3);
    assert_int_equal(qsv_dataset_count(d), N_IMAGE_FILES - 3);
    assert_int_not_equal(qsv_dataset_fingerprint(d), qsv_dataset_fingerprint(all));
    assert_int_equal(qsv_dataset_open_again(&again, &s, NULL), QSV_OK);
    for (int k = 0; k < 3; k++)
        assert_string_equal(qsv_dataset_skipped_name(d, (uint64_t)k), image_files[damaged[k]]);
    static uint8_t x[BYTES], y[BYTES];
    for (uint64_t i = 0, n = 1; n < N_IMAGE_FILES - 1; i++, n++) {
        uint32_t k, l;
        n += n == 7;
        assert_string_equal(qsv_dataset_image_name(d, i), image_files[n]);
        assert_int_equal(qsv_dataset_read(all, n, x, &k, NULL), QSV_OK);
        assert_int_equal(qsv_dataset_read(i % 2 ? d : again, i, y, &l, NULL), QSV_OK);
        assert_memory_equal(x, y, BYTES);
        assert_int_equal(k, l);
    }
    qsv_dataset_close(all);
    qsv_dataset_close(again);
    qsv_dataset_close(d);
    s.first = 7;
    s.count = 1;
    expect_refused(&s, "skip.tar: none of its 1 images can be decoded");
    s.first = 8;
    s.count = 10;
    d = open_good(&s);
    s.on_error = QSV_ON_ERROR_FAIL;
    all = open_good(&s);
    assert_int_equal(qsv_dataset_fingerprint(d), qsv_dataset_fingerprint(all));
    qsv_dataset_close(all);
    qsv_dataset_close(d);
}

static void test_bad_archives(void **state)
{
    (void)state;
    struct qsv_dataset_source s = {.images = in_folder("bad.tar"), .transform = small};
    struct archive *a = begin_tar("bad.tar", ARCHIVE_FORMAT_TAR_USTAR);
    add_entry(a, "readme.txt", "text", 4);
    end_tar(a);
    expect_refused(&s, "bad.tar: holds no images");
    a = begin_tar("bad.tar", ARCHIVE_FORMAT_TAR_USTAR);
    add_image(a, "n1/a.png", "n03445777/grey.png");
    add_image(a, "./n1/a.png", "n03445777/grey.png");
    end_tar(a);
    expect_refused(&s, "bad.tar: holds 'n1/a.png' twice");
    a = begin_tar("bad.tar", ARCHIVE_FORMAT_TAR_USTAR);
    add_image(a, "n1/a.png", "n03445777/grey.png");
    end_tar(a);
    assert_int_equal(truncate(s.images, 2000), 0);
    expect_refused(&s, "bad.tar: ends within n1/a.png");
}

/* Cut off anywhere and with bytes changed: data or the file's fault, and nothing read outside it.
 */
static void test_mutated_archives(void **state)
{
    (void)state;
    struct archive *a = begin_tar("whole.tar", ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE);
    char name[300];
    memset(name, 'n', sizeof name);
    strcpy(name + 200, "/a.JPEG");
    add_image(a, name, "n02099601/small.JPEG");
    add_image(a, "m/b.png", "n03445777/bits.png");
    end_tar(a);
    uint8_t *data;
    size_t n;
    assert_int_equal(qsv_file_read(&data, &n, in_folder("whole.tar"), 1 << 20, NULL), QSV_OK);
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 11);
    uint8_t *broken = malloc(n);
    static uint8_t pixels[BYTES];
    for (int k = 0; k < 2000; k++) {
        struct qsv_dataset_source s = {
            .format = "tar", .images = in_folder("mutated.tar"), .transform = small};
        struct qsv_dataset *d;
        memcpy(broken, data, n);
        for (uint64_t m = qsv_rng_below(&rng, 4); m > 0; m--)
            broken[qsv_rng_below(&rng, k % 2 ? n : 2048)] = (uint8_t)qsv_rng_next(&rng);
        unlink(in_folder("mutated.tar")); /* a file system may sync one that is truncated */
        write_bytes("mutated.tar", broken, k % 3 ? n : qsv_rng_below(&rng, n));
        enum qsv_status st = qsv_dataset_open(&d, &s, NULL);
        assert_true(st == QSV_OK || st == QSV_EINPUT);
        for (uint64_t i = 0; !st && i < qsv_dataset_count(d); i++) {
            enum qsv_status read = qsv_dataset_read(d, i, pixels, NULL, NULL);
            assert_true(read == QSV_OK || read == QSV_EINPUT);
        }
        qsv_dataset_close(d);
    }
    free(broken);
    free(data);
}

static void test_out_of_memory_at_every_allocation(void **state)
{
    (void)state;
    write_tar("memory.tar", ARCHIVE_FORMAT_TAR_USTAR, "");
    const struct qsv_dataset_source sources[] = {
        {.images = IMAGE_FOLDER, .transform = small},
        {.images = in_folder("memory.tar"), .transform = small}};
    for (int i = 0; i < 2; i++) {
        int failures = 0;
        for (long at = 1; at < 90; at++) {
            struct qsv_dataset *d = NULL;
            qsv_alloc_fail_at(at);
            enum qsv_status st = qsv_dataset_open(&d, &sources[i], NULL);
            qsv_alloc_fail_at(0);
            assert_true(st == QSV_OK || st == QSV_ENOMEM);
            failures += st != QSV_OK;
            qsv_dataset_close(d);
        }
        assert_in_range(failures, 25, 80);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folder),
        cmocka_unit_test(test_tar),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_sketch),
        cmocka_unit_test(test_standard_transform),
        cmocka_unit_test(test_flat_folder_with_labels),
        cmocka_unit_test(test_order_is_of_folders_first),
        cmocka_unit_test(test_bad_folders),
        cmocka_unit_test(test_damaged_images_are_named),
        cmocka_unit_test(test_damaged_images_are_left_out),
        cmocka_unit_test(test_bad_archives),
        cmocka_unit_test(test_mutated_archives),
        cmocka_unit_test(test_out_of_memory_at_every_allocation),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_everything);
}
