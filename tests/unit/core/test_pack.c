#define _GNU_SOURCE
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/h5.h"
#include "core/pack.h"
#include "tests/unit/core/dataset_files.h"
#include "tests/unit/core/image_files.h"

static const struct qsv_dataset_source images = {.images = IMAGE_FOLDER,
                                                 .transform = {48, 40, QSV_BICUBIC}};
enum { BYTES = 40 * 40 * 3 };

static bool count_down(void *left)
{
    return --*(int *)left < 0;
}

static enum qsv_status pack_parts(struct qsv_pack *p, struct qsv_error *err)
{
    enum qsv_status st = qsv_pack_begin(p, false, err);
    for (uint32_t i = 0; !st && i < qsv_pack_parts(p); i++)
        st = qsv_pack_make_part(p, i, err);
    for (uint32_t k = 0; !st && k < p->shards; k++)
        st = qsv_pack_make_file(p, k, err);
    qsv_pack_end(p, st == QSV_OK);
    rmdir(p->folder);
    return st;
}

static long fail_at; /* the allocation that fails, once the data set is open; 0: none */

/* All of it in this process. */
static enum qsv_status pack(const char *name, const struct qsv_dataset_source *s, uint32_t shards,
                            int images_left, struct qsv_error *err)
{
    struct qsv_dataset *d = open_good(s);
    struct qsv_pack p = {.source = d,
                         .output = in_folder(name),
                         .fingerprint = qsv_dataset_fingerprint(d),
                         .shards = shards,
                         .stopped = count_down,
                         .context = &images_left};
    qsv_alloc_fail_at(fail_at);
    enum qsv_status st = qsv_pack_init(&p, err);
    if (!st && !(st = qsv_file_make_folder(p.folder, err)))
        st = pack_parts(&p, err);
    qsv_alloc_fail_at(0);
    qsv_pack_fini(&p);
    qsv_dataset_close(d);
    return st;
}

static void expect_texts(hid_t file, const char *name, hsize_t n, const char *first,
                         const char *last)
{
    hsize_t dims[1];
    void *data;
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 100);
    H5Tset_cset(type, H5T_CSET_UTF8);
    assert_int_equal(qsv_h5_read(file, name, type, 100, 1, dims, 1 << 20, &data, NULL), QSV_OK);
    assert_int_equal(dims[0], n);
    assert_string_equal(data, first);
    assert_string_equal((char *)data + 100 * (n - 1), last);
    H5Tclose(type);
    free(data);
}

static void expect_attributes(hid_t file)
{
    uint64_t resize, crop, skipped;
    char *interpolation;
    assert_int_equal(qsv_h5_get_u64(file, "resize", &resize, NULL), QSV_OK);
    assert_int_equal(qsv_h5_get_u64(file, "crop", &crop, NULL), QSV_OK);
    assert_int_equal(qsv_h5_get_u64(file, "skipped_images", &skipped, NULL), QSV_OK);
    assert_int_equal(qsv_h5_get_string(file, "interpolation", &interpolation, NULL), QSV_OK);
    assert_true(resize == 48 && crop == 40 && skipped == 0);
    assert_string_equal(interpolation, "bicubic");
    free(interpolation);
}

static void test_is_the_same_data_set(void **state)
{
    (void)state;
    struct qsv_error err;
    if (pack("packed.h5", &images, 1, 100, &err))
        fail_msg("%s", err.text);
    const struct qsv_dataset_source packed = {.images = in_folder("packed.h5")};
    struct qsv_dataset *a = open_good(&images), *b = open_good(&packed);
    static uint8_t x[BYTES], y[BYTES];
    assert_int_equal(qsv_dataset_count(b), N_IMAGE_FILES);
    assert_int_equal(qsv_dataset_shape(b).w, 40);
    for (uint64_t i = 0; i < N_IMAGE_FILES; i++) {
        uint32_t k, l;
        assert_int_equal(qsv_dataset_read(a, i, x, &k, NULL), QSV_OK);
        assert_int_equal(qsv_dataset_read(b, i, y, &l, NULL), QSV_OK);
        assert_memory_equal(x, y, BYTES);
        assert_int_equal(k, l);
        assert_string_equal(qsv_dataset_image_name(b, i), image_files[i]);
        assert_string_equal(qsv_dataset_class_name(b, l), qsv_dataset_class_name(a, l));
    }
    hid_t file;
    char *fingerprint, expected[20];
    assert_int_equal(qsv_h5_open(&file, packed.images, NULL), QSV_OK);
    expect_texts(file, "paths", N_IMAGE_FILES, image_files[0], image_files[N_IMAGE_FILES - 1]);
    expect_texts(file, "classes", 3, "n01440764", "n03445777");
    expect_attributes(file);
    assert_int_equal(qsv_h5_get_string(file, "source_fingerprint", &fingerprint, NULL), QSV_OK);
    snprintf(expected, sizeof expected, "%016llx", (unsigned long long)qsv_dataset_fingerprint(a));
    assert_string_equal(fingerprint, expected);
    free(fingerprint);
    H5Fclose(file);
    qsv_dataset_close(a);
    qsv_dataset_close(b);
}

/* One wrong bit in an image's chunk: its checksum finds it, and the image is named. */
static void test_damage_is_found(void **state)
{
    (void)state;
    struct qsv_error err;
    assert_int_equal(pack("damaged.h5", &images, 1, 100, &err), QSV_OK);
    static uint8_t pixels[BYTES];
    struct qsv_dataset *d = open_good(&images);
    assert_int_equal(qsv_dataset_read(d, 5, pixels, NULL, NULL), QSV_OK);
    qsv_dataset_close(d);
    uint8_t *data;
    size_t n;
    assert_int_equal(qsv_file_read(&data, &n, in_folder("damaged.h5"), 1 << 22, NULL), QSV_OK);
    uint8_t *at = memmem(data, n, pixels, BYTES);
    assert_non_null(at);
    at[1000] ^= 4;
    write_bytes("damaged.h5", data, n);
    free(data);
    const struct qsv_dataset_source packed = {.images = in_folder("damaged.h5")};
    assert_int_equal(qsv_dataset_open(&d, &packed, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "damaged.h5: image 5 'n01440764/progressive.JPEG' of dataset "
                                     "'images' cannot be read: damaged or cut off"));
    assert_int_equal(qsv_dataset_open_again(&d, &packed, &err), QSV_OK);
    assert_int_equal(qsv_dataset_read(d, 4, pixels, NULL, NULL), QSV_OK);
    assert_int_equal(qsv_dataset_read(d, 5, pixels, NULL, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "image 5 'n01440764/progressive.JPEG' of dataset 'images'"));
    assert_int_equal(qsv_dataset_read(d, 6, pixels, NULL, NULL), QSV_OK);
    qsv_dataset_close(d);
}

static void expect_nothing_left(const char *name)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; (e = readdir(d));)
        assert_int_not_equal(strncmp(e->d_name, name, strlen(name)), 0);
    closedir(d);
}

static void test_stops_and_failures_leave_nothing(void **state)
{
    (void)state;
    struct qsv_error err;
    assert_int_equal(pack("stopped.h5", &images, 1, 7, &err), QSV_ESTOPPED);
    expect_nothing_left("stopped.h5");
    assert_int_equal(pack("few.h5", &images, 20, 100, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "few.h5: 19 images are too few for 20 files"));

    /* Allocation after allocation fails, and it is gone on with. */
    enum qsv_status st = QSV_ENOMEM;
    for (fail_at = 1; st; fail_at += 1 + fail_at / 16) {
        assert_in_range(fail_at, 1, 2000);
        st = pack("memory.h5", &images, 1, 100, NULL);
        assert_true(st == QSV_OK || st == QSV_ENOMEM);
    }
    fail_at = 0;
    uint8_t *x, *y;
    size_t n, m;
    assert_int_equal(qsv_file_read(&x, &n, in_folder("packed.h5"), 1 << 22, NULL), QSV_OK);
    assert_int_equal(qsv_file_read(&y, &m, in_folder("memory.h5"), 1 << 22, NULL), QSV_OK);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
    expect_nothing_left("memory.h5.");
}

/* Of files that belong together any one stands for all, and has what one file would have. */
static void test_several_files(void **state)
{
    (void)state;
    struct qsv_error err;
    if (pack("several.h5", &images, 3, 200, &err))
        fail_msg("%s", err.text);
    assert_int_equal(pack("single.h5", &images, 1, 200, &err), QSV_OK);
    const struct qsv_dataset_source one = {.images = in_folder("single.h5")};
    const struct qsv_dataset_source three = {.images = in_folder("several.0001-of-0003.h5")};
    const struct qsv_dataset_source slice = {
        .images = in_folder("several.0002-of-0003.h5"), .first = 5, .count = 9};
    struct qsv_dataset *a = open_good(&one), *b = open_good(&three), *c = open_good(&slice);
    assert_int_equal(qsv_dataset_count(b), N_IMAGE_FILES);
    assert_int_equal(qsv_dataset_fingerprint(a), qsv_dataset_fingerprint(b));
    for (uint64_t i = 0; i < N_IMAGE_FILES; i++)
        assert_string_equal(qsv_dataset_image_name(b, i), image_files[i]);
    static uint8_t x[BYTES], y[BYTES];
    for (uint64_t i = 0; i < qsv_dataset_count(c); i++) {
        uint32_t k, l;
        assert_int_equal(qsv_dataset_read(a, 5 + i, x, &k, NULL), QSV_OK);
        assert_int_equal(qsv_dataset_read(c, i, y, &l, NULL), QSV_OK);
        assert_memory_equal(x, y, BYTES);
        assert_int_equal(k, l);
    }
    qsv_dataset_close(a);
    qsv_dataset_close(b);
    qsv_dataset_close(c);
    const struct qsv_dataset_source other = {.images = in_folder("several.0000-of-0003.h5")};
    assert_int_equal(rename(three.images, in_folder("kept.h5")), 0);
    expect_refused(&other, "several.0001-of-0003.h5: is missing, one of the files of a data set");
    assert_int_equal(rename(other.images, three.images), 0);
    expect_refused(&three, "several.0001-of-0003.h5: is file 0 of 3 of a data set by what it says, "
                           "but not by its name, by which the others are found");
    assert_int_equal(rename(three.images, other.images), 0);
    struct qsv_dataset_source smaller = images;
    smaller.transform.crop = 30;
    assert_int_equal(pack("several.h5", &smaller, 3, 200, &err), QSV_OK);
    assert_int_equal(rename(in_folder("kept.h5"), three.images), 0);
    struct qsv_dataset *d = NULL;
    assert_int_equal(qsv_dataset_open(&d, &other, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "several.0001-of-0003.h5: holds images of data set"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_the_same_data_set),
        cmocka_unit_test(test_damage_is_found),
        cmocka_unit_test(test_stops_and_failures_leave_nothing),
        cmocka_unit_test(test_several_files),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
