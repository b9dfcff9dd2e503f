#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "core/base/rng.h"
#include "core/seal.h"

static char folder[64], path[96];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/qsvit_seal_XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/a.h5", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_good(void)
{
    struct qsv_h5_image *image;
    assert_int_equal(qsv_seal_create(&image, NULL), QSV_OK);
    assert_int_equal(qsv_h5_set_u64(qsv_h5_image_file(image), "answer", 42, NULL), QSV_OK);
    assert_int_equal(qsv_seal_commit(image, path, NULL), QSV_OK);
}

static void a_sealed_file_opens_by_seal_and_by_any_reader(void **state)
{
    (void)state;
    hid_t file;
    uint64_t answer = 0;
    write_good();
    assert_int_equal(qsv_seal_open(&file, path, NULL), QSV_OK);
    assert_int_equal(qsv_h5_get_u64(file, "answer", &answer, NULL), QSV_OK);
    assert_int_equal(answer, 42);
    H5Fclose(file);
    file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    H5Fclose(file);
}

static void refuse(enum qsv_status code, const char *message)
{
    struct qsv_error err;
    hid_t file;
    assert_int_equal(qsv_seal_open(&file, path, &err), code);
    assert_true(file < 0);
    if (message && !strstr(err.text, message))
        fail_msg("'%s' does not say '%s'", err.text, message);
}

static void what_is_no_sealed_file_is_refused_by_what_it_is(void **state)
{
    (void)state;
    hid_t file;
    unlink(path);
    refuse(QSV_EINPUT, "No such file");
    assert_int_equal(qsv_file_write(path, "", 0, NULL), QSV_OK);
    refuse(QSV_EINPUT, "no seal");
    assert_int_equal(qsv_h5_create(&file, path, NULL), QSV_OK);
    assert_int_equal(qsv_h5_close(file, path, NULL), QSV_OK);
    refuse(QSV_EINPUT, "no seal");
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    refuse(QSV_EINPUT, "not a regular file");
    rmdir(path);
    assert_int_equal(mkfifo(path, 0600), 0); /* must not hang */
    refuse(QSV_EINPUT, "not a regular file");
    unlink(path);
}

static void every_truncation_is_found(void **state)
{
    (void)state;
    uint8_t *good;
    size_t bytes;
    write_good();
    assert_int_equal(qsv_file_read(&good, &bytes, path, 1 << 20, NULL), QSV_OK);
    for (size_t n = bytes; n-- > 0;) {
        assert_int_equal(truncate(path, (off_t)n), 0);
        refuse(QSV_EINPUT, n < 512 ? "no seal" : "torn");
    }
    free(good);
}

static void every_changed_byte_is_found(void **state)
{
    (void)state;
    uint8_t *bytes;
    size_t n;
    struct qsv_rng rng;
    write_good();
    assert_int_equal(qsv_file_read(&bytes, &n, path, 1 << 20, NULL), QSV_OK);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    setvbuf(f, NULL, _IONBF, 0);
    qsv_rng_seed(&rng, 3);
    for (int i = 0; i < 10000; i++) {
        size_t at = i < (int)n ? (size_t)i : (size_t)qsv_rng_below(&rng, n);
        uint8_t changed = (uint8_t)(bytes[at] ^ (1 + qsv_rng_below(&rng, 255)));
        fseek(f, (long)at, SEEK_SET);
        fputc(changed, f);
        refuse(QSV_EINPUT, NULL);
        fseek(f, (long)at, SEEK_SET);
        fputc(bytes[at], f);
    }
    fclose(f);
    free(bytes);
    hid_t file;
    assert_int_equal(qsv_seal_open(&file, path, NULL), QSV_OK);
    H5Fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_file_opens_by_seal_and_by_any_reader),
        cmocka_unit_test(what_is_no_sealed_file_is_refused_by_what_it_is),
        cmocka_unit_test(every_truncation_is_found),
        cmocka_unit_test(every_changed_byte_is_found),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
