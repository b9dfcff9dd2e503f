#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <matio.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/rng.h"
#include "core/data/labels.h"
#include "tests/unit/core/dataset_files.h"

static void write_text(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

static struct qsv_labels *open_labels(const char *name)
{
    struct qsv_labels *l = NULL;
    struct qsv_error err = {0};
    if (qsv_labels_read(&l, in_folder(name), &err))
        fail_msg("%s", err.text);
    return l;
}

static void expect_label(const struct qsv_labels *l, const char *image, int label)
{
    uint16_t found = 9999;
    struct qsv_error err = {0};
    if (qsv_labels_find(l, image, &found, &err))
        fail_msg("%s", err.text);
    assert_int_equal(found, label);
}

static void expect_none(const struct qsv_labels *l, const char *image, const char *text)
{
    struct qsv_error err = {0};
    assert_int_equal(qsv_labels_find(l, image, &(uint16_t){0}, &err), QSV_EINPUT);
    assert_string_equal(err.text, text);
}

static void expect_bad(const char *name, const char *text)
{
    struct qsv_labels *l;
    struct qsv_error err = {0};
    char expected[QSV_ERROR_TEXT];
    snprintf(expected, sizeof expected, "%s%s", in_folder(name), text);
    assert_int_equal(qsv_labels_read(&l, in_folder(name), &err), QSV_EINPUT);
    assert_null(l);
    assert_string_equal(err.text, expected);
}

static void test_path_and_label(void **state)
{
    (void)state;
    size_t n;
    write_text("good.csv", "path,label\r\n./b/x.png,7\r\nz.JPEG,65535\nwith,comma.jpg,0");
    struct qsv_labels *l = open_labels("good.csv");
    expect_label(l, "b/x.png", 7);
    expect_label(l, "z.JPEG", 65535);
    expect_label(l, "folder/z.JPEG", 65535); /* by its name alone, where the path is not there */
    expect_label(l, "with,comma.jpg", 0);
    expect_none(l, "x.png", "x.png: has no label");
    expect_none(l, "z", "z: has no label");
    qsv_labels_classes(l, &n);
    assert_int_equal(n, 0);
    qsv_labels_destroy(l);
}

/* Classes in the order of their WordNet ids, not of the lines; the first box decides. */
static void test_kaggle(void **state)
{
    (void)state;
    size_t n;
    write_text("kaggle.csv", "ImageId,PredictionString\n"
                             "ILSVRC2012_val_00000003,n03995372 85 1 499 272 \n"
                             "ILSVRC2012_val_00000001,n01440764 1 2 3 4 n01440764 9 8 7 6\n"
                             "ILSVRC2012_val_00000002,n02119789\n"
                             "ILSVRC2012_val_00000009,n01440764 1 2 3 4\n");
    struct qsv_labels *l = open_labels("kaggle.csv");
    expect_label(l, "ILSVRC2012_val_00000001.JPEG", 0);
    expect_label(l, "val/ILSVRC2012_val_00000002.JPEG", 1);
    expect_label(l, "ILSVRC2012_val_00000003.JPEG", 2);
    expect_label(l, "ILSVRC2012_val_00000009.JPEG", 0);
    expect_none(l, "ILSVRC2012_val_00000004.JPEG", "ILSVRC2012_val_00000004.JPEG: has no label");
    char *const *classes = qsv_labels_classes(l, &n);
    assert_int_equal(n, 3);
    assert_string_equal(classes[0], "n01440764");
    assert_string_equal(classes[2], "n03995372");
    qsv_labels_destroy(l);
}

static void test_bad_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"", ": holds no labels"},
        {"path,label\n", ": holds no labels"},
        {"a,1\nb;2\n", ":2: found 'b;2', expected path,label with a number from 0 to 65535"},
        {"a,65536\n", ":1: found 'a,65536', expected path,label with a number from 0 to 65535"},
        {"a,-1\n", ":1: found 'a,-1', expected path,label with a number from 0 to 65535"},
        {"a,1x\n", ":1: found 'a,1x', expected path,label with a number from 0 to 65535"},
        {"a,99999999999999999999999\n",
         ":1: found 'a,99999999999999999999999', expected path,label with a number from 0 to "
         "65535"},
        {",1\n", ":1: found ',1', expected path,label with a number from 0 to 65535"},
        {"a,1\n\nb,2\n./a,1\n", ": lines 1 and 4 are both for 'a'"},
        {"ImageId,PredictionString\na,\n",
         ":2: found 'a,', expected ImageId,PredictionString as in 'x,n01440764 1 2 3 4'"},
        {"ImageId,PredictionString\nab\n",
         ":2: found 'ab', expected ImageId,PredictionString as in 'x,n01440764 1 2 3 4'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_text("bad.csv", rows[i].text);
        expect_bad("bad.csv", rows[i].error);
    }
    write_bytes("bad.csv", "a,1\n\0", 5);
    expect_bad("bad.csv", ": is no text: it holds NUL bytes");
}

/* ---- the development kit ---- */

/* ILSVRC2012_IDs are in another order than WordNet ids, and one synset is no class. */
static const struct {
    double id, children;
    const char *wnid, *words;
} synsets[] = {{1, 0, "n02119789", "kit fox, Vulpes macrotis"},
               {2, 0, "n02100735", "English setter"},
               {3, 0, "n01440764", "tench, Tinca tinca"},
               {4, 2, "n00001740", "entity"},
               {5, 0, "n09999999", "last"}};

enum { N_SYNSETS = sizeof synsets / sizeof *synsets };

static matvar_t *number(double v)
{
    return Mat_VarCreate(NULL, MAT_C_DOUBLE, MAT_T_DOUBLE, 2, (size_t[]){1, 1}, &v, 0);
}

static matvar_t *text(const char *s)
{
    return Mat_VarCreate(NULL, MAT_C_CHAR, MAT_T_UTF8, 2, (size_t[]){1, strlen(s)},
                         (void *)(uintptr_t)s, 0);
}

static void write_meta(const char *name, enum matio_compression compression, const char *variable)
{
    const char *fields[] = {"ILSVRC2012_ID", "WNID", "words", "gloss", "num_children"};
    size_t dims[] = {N_SYNSETS, 1};
    mat_t *mat = Mat_CreateVer(in_folder(name), NULL, MAT_FT_MAT5);
    assert_non_null(mat);
    matvar_t *all = Mat_VarCreateStruct(variable, 2, dims, fields, 5);
    for (size_t i = 0; i < N_SYNSETS; i++) {
        Mat_VarSetStructFieldByName(all, fields[0], i, number(synsets[i].id));
        Mat_VarSetStructFieldByName(all, fields[1], i, text(synsets[i].wnid));
        Mat_VarSetStructFieldByName(all, fields[2], i, text(synsets[i].words));
        Mat_VarSetStructFieldByName(all, fields[3], i, text("what it is"));
        Mat_VarSetStructFieldByName(all, fields[4], i, number(synsets[i].children));
    }
    assert_int_equal(Mat_VarWrite(mat, all, compression), 0);
    Mat_VarFree(all);
    Mat_Close(mat);
}

static void add_file(struct archive *a, const char *name, const void *data, size_t n)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, name);
    archive_entry_set_size(e, (int64_t)n);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0644);
    assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
    assert_int_equal(archive_write_data(a, data, n), (la_ssize_t)n);
    archive_entry_free(e);
}

/* NULL: without that file. */
static void write_devkit(const char *name, const void *meta, size_t n, const char *truth)
{
    struct archive *a = archive_write_new();
    unlink(in_folder(name)); /* a file system may sync one that is truncated */
    archive_write_set_format_ustar(a);
    archive_write_add_filter_gzip(a);
    assert_int_equal(archive_write_open_filename(a, in_folder(name)), ARCHIVE_OK);
    add_file(a, "ILSVRC2012_devkit_t12/readme.txt", "read me", 7);
    if (truth)
        add_file(a, "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt", truth,
                 strlen(truth));
    if (meta)
        add_file(a, "ILSVRC2012_devkit_t12/data/meta.mat", meta, n);
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
}

static uint8_t *make_meta(size_t *n, enum matio_compression compression)
{
    uint8_t *data;
    write_meta("meta.mat", compression, "synsets");
    assert_int_equal(qsv_file_read(&data, n, in_folder("meta.mat"), 1 << 20, NULL), QSV_OK);
    return data;
}

static void test_devkit(void **state)
{
    (void)state;
    for (int zipped = 0; zipped < 2; zipped++) {
        size_t n;
        uint8_t *meta = make_meta(&n, zipped ? MAT_COMPRESSION_ZLIB : MAT_COMPRESSION_NONE);
        write_devkit("devkit.tar.gz", meta, n, "1\n3\n2\r\n5\n3");
        struct qsv_labels *l = open_labels("devkit.tar.gz");
        expect_label(l, "ILSVRC2012_val_00000001.JPEG", 2);
        expect_label(l, "ILSVRC2012_val_00000002.JPEG", 0);
        expect_label(l, "val/ILSVRC2012_val_00000003.JPEG", 1);
        expect_label(l, "ILSVRC2012_val_00000004.JPEG", 3);
        expect_label(l, "ILSVRC2012_val_00000005.JPEG", 0);
        expect_none(l, "ILSVRC2012_val_00000006.JPEG",
                    "ILSVRC2012_val_00000006.JPEG: expected a name as in "
                    "ILSVRC2012_val_00000001.JPEG, up to 5");
        expect_none(l, "ILSVRC2012_val_00000000.JPEG",
                    "ILSVRC2012_val_00000000.JPEG: expected a name as in "
                    "ILSVRC2012_val_00000001.JPEG, up to 5");
        expect_none(l, "n01440764_1.JPEG",
                    "n01440764_1.JPEG: expected a name as in ILSVRC2012_val_00000001.JPEG, up to "
                    "5");
        char *const *classes = qsv_labels_classes(l, &n);
        assert_int_equal(n, 4);
        assert_string_equal(classes[0], "n01440764 tench, Tinca tinca");
        assert_string_equal(classes[3], "n09999999 last");
        qsv_labels_destroy(l);
        free(meta);
    }
}

/* meta.mat as MATLAB writes it (tests/reference/make_devkit.py). */
static void test_devkit_as_matlab_writes_it(void **state)
{
    (void)state;
    static const int expected[] = {2, 0, 1, 3, 0};
    struct qsv_labels *l;
    struct qsv_error err;
    size_t n;
    if (qsv_labels_read(&l, "tests/data/devkit.tar.gz", &err))
        fail_msg("%s", err.text);
    for (int i = 0; i < 5; i++) {
        char name[40];
        snprintf(name, sizeof name, "ILSVRC2012_val_%08d.JPEG", i + 1);
        expect_label(l, name, expected[i]);
    }
    char *const *classes = qsv_labels_classes(l, &n);
    assert_int_equal(n, 4);
    assert_string_equal(classes[0], "n01440764 tench, Tinca tinca");
    assert_string_equal(classes[3], "n03445777 golf ball");
    qsv_labels_destroy(l);
}

static void test_bad_devkits(void **state)
{
    (void)state;
    size_t n;
    uint8_t *meta = make_meta(&n, MAT_COMPRESSION_NONE);
    write_devkit("bad.tar.gz", meta, n, NULL);
    expect_bad("bad.tar.gz", ": holds no .../data/ILSVRC2012_validation_ground_truth.txt: no "
                             "ILSVRC2012 development kit");
    write_devkit("bad.tar.gz", NULL, 0, "1\n");
    expect_bad("bad.tar.gz", ": holds no .../data/meta.mat: no ILSVRC2012 development kit");
    static const char *const truths[] = {"1\n4\n", "1\n6\n",   "1\n0\n",
                                         "1\nx\n", "1\n2 3\n", "1\n\n"};
    for (size_t i = 0; i < sizeof truths / sizeof *truths; i++) {
        write_devkit("bad.tar.gz", meta, n, truths[i]);
        expect_bad("bad.tar.gz", ": the ground truth: line 2: expected the ILSVRC2012_ID of a "
                                 "class in meta.mat");
    }
    write_devkit("bad.tar.gz", "no MAT file", 11, "1\n");
    expect_bad("bad.tar.gz", ": meta.mat: is no MAT file of version 5");
    free(meta);

    write_meta("meta.mat", MAT_COMPRESSION_NONE, "others");
    assert_int_equal(qsv_file_read(&meta, &n, in_folder("meta.mat"), 1 << 20, NULL), QSV_OK);
    write_devkit("bad.tar.gz", meta, n, "1\n");
    expect_bad("bad.tar.gz", ": meta.mat: holds no column `synsets` of structs");
    free(meta);
}

/* Whatever bytes: labels, or the file's fault. */
static void test_damaged_devkits(void **state)
{
    (void)state;
    struct qsv_rng rng;
    size_t n;
    qsv_rng_seed(&rng, 5);
    uint8_t *meta = make_meta(&n, MAT_COMPRESSION_NONE), *broken = malloc(n);
    for (int k = 0; k < 250; k++) {
        memcpy(broken, meta, n);
        for (uint64_t m = 1 + qsv_rng_below(&rng, 3); m > 0; m--)
            broken[128 + qsv_rng_below(&rng, n - 128)] = (uint8_t)qsv_rng_next(&rng);
        write_devkit("damaged.tar.gz", broken, k % 5 ? n : qsv_rng_below(&rng, n) + 1, "1\n3\n");
        struct qsv_labels *l;
        enum qsv_status st = qsv_labels_read(&l, in_folder("damaged.tar.gz"), NULL);
        assert_true(st == QSV_OK || st == QSV_EINPUT);
        qsv_labels_destroy(l);
    }
    write_devkit("damaged.tar.gz", meta, n, "1\n3\n");
    free(broken);
    free(meta);

    uint8_t *archive;
    size_t bytes;
    assert_int_equal(qsv_file_read(&archive, &bytes, in_folder("damaged.tar.gz"), 1 << 20, NULL),
                     QSV_OK);
    for (size_t cut = 2; cut < bytes; cut += 1 + bytes / 60) {
        struct qsv_labels *l;
        unlink(in_folder("cut.tar.gz"));
        write_bytes("cut.tar.gz", archive, cut);
        enum qsv_status st = qsv_labels_read(&l, in_folder("cut.tar.gz"), NULL);
        assert_true(st == QSV_EINPUT || cut > bytes - 40); /* gzip's own end may be missing */
        qsv_labels_destroy(l);
    }
    free(archive);
}

static void test_out_of_memory_at_every_allocation(void **state)
{
    (void)state;
    size_t n;
    uint8_t *meta = make_meta(&n, MAT_COMPRESSION_ZLIB);
    write_devkit("memory.tar.gz", meta, n, "1\n3\n");
    free(meta);
    write_text("memory.csv", "ImageId,PredictionString\na,n1\nb,n2\n");
    static const char *const names[] = {"memory.tar.gz", "memory.csv"};
    for (int i = 0; i < 2; i++)
        for (long at = 1; at < 40; at++) {
            struct qsv_labels *l;
            qsv_alloc_fail_at(at);
            enum qsv_status st = qsv_labels_read(&l, in_folder(names[i]), NULL);
            qsv_alloc_fail_at(0);
            assert_true(st == QSV_OK || st == QSV_ENOMEM);
            assert_int_equal(l == NULL, st != QSV_OK);
            qsv_labels_destroy(l);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path_and_label),
        cmocka_unit_test(test_kaggle),
        cmocka_unit_test(test_bad_texts),
        cmocka_unit_test(test_devkit),
        cmocka_unit_test(test_devkit_as_matlab_writes_it),
        cmocka_unit_test(test_bad_devkits),
        cmocka_unit_test(test_damaged_devkits),
        cmocka_unit_test(test_out_of_memory_at_every_allocation),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
