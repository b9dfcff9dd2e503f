#define _GNU_SOURCE /* memmem */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/import/zip.h"
#include "import_support.h"

static void open_zip(struct qsv_zip **z, const struct bytes *b)
{
    struct qsv_error err = {0};
    if (qsv_zip_open(z, b->data, b->n, &err))
        fail_msg("%s", err.text);
}

static void test_lists_and_unpacks(void **state)
{
    (void)state;
    static const struct zip_part parts[] = {
        {"x/c", "cc", 2}, {"x/a", "aaa", 3}, {"x/empty", "", 0}, {"x/b", "b", 1}};
    static const char *const methods[] = {"store", "deflate"};
    for (size_t m = 0; m < 2; m++) {
        struct bytes b = make_zip(parts, 4, methods[m]);
        struct qsv_zip *z = NULL;
        size_t n;
        uint8_t *data = NULL;
        open_zip(&z, &b);
        struct qsv_zip_entry *e = qsv_zip_entries(z, &n);
        assert_int_equal(n, 4);
        assert_string_equal(e[0].path, "x/a");
        assert_string_equal(e[3].path, "x/empty");
        assert_ptr_equal(qsv_zip_find(z, "x/b"), &e[1]);
        assert_null(qsv_zip_find(z, "x/"));
        assert_int_equal(qsv_zip_load(&data, z, &e[0], NULL), QSV_OK);
        assert_memory_equal(data, "aaa", 3);
        free(data);
        qsv_zip_close(z);
        free(b.data);
    }
}

/* In the archive's order, those with a tag; begins again after the end. */
static void test_next(void **state)
{
    (void)state;
    static const struct zip_part parts[] = {{"c", "cc", 2}, {"a", "aaa", 3}, {"b", "b", 1}};
    struct bytes b = make_zip(parts, 3, "store");
    struct qsv_zip *z = NULL;
    struct qsv_zip_entry *e = NULL;
    const uint8_t *data = NULL;
    open_zip(&z, &b);
    qsv_zip_find(z, "b")->tag = 7;
    qsv_zip_find(z, "c")->tag = 8;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(qsv_zip_next(&e, &data, z, NULL), QSV_OK);
        assert_string_equal(e->path, "c");
        assert_memory_equal(data, "cc", 2);
        assert_int_equal(qsv_zip_next(&e, &data, z, NULL), QSV_OK);
        assert_string_equal(e->path, "b");
        assert_int_equal(qsv_zip_next(&e, &data, z, NULL), QSV_OK);
        assert_null(e);
    }
    qsv_zip_close(z);
    free(b.data);
}

static void expect_unopened(const struct bytes *b, const char *says)
{
    struct qsv_zip *z = NULL;
    struct qsv_error err = {0};
    assert_int_equal(qsv_zip_open(&z, b->data, b->n, &err), QSV_EINPUT);
    if (!strstr(err.text, says))
        fail_msg("'%s', expected '%s'", err.text, says);
}

static void test_a_bomb_is_refused(void **state)
{
    (void)state;
    enum { BYTES = 1 << 20 };
    uint8_t *zeros = calloc(1, BYTES);
    assert_non_null(zeros);
    const struct zip_part part = {"x/data.pkl", zeros, BYTES};
    struct bytes b = make_zip(&part, 1, "deflate");
    assert_true(b.n < 4096);
    expect_unopened(&b, "'x/data.pkl': unpacks to 1048576 bytes, all entries together may have 64");
    free(b.data);
    free(zeros);
}

/* Sixty entries that each are small enough, but not together. */
static void test_a_bomb_in_pieces_is_refused(void **state)
{
    (void)state;
    enum { BYTES = 1 << 17, PARTS = 60 };
    uint8_t *zeros = calloc(1, BYTES);
    struct zip_part parts[PARTS];
    char paths[PARTS][8];
    assert_non_null(zeros);
    for (int i = 0; i < PARTS; i++) {
        snprintf(paths[i], sizeof paths[i], "%d", i);
        parts[i] = (struct zip_part){paths[i], zeros, BYTES};
    }
    struct bytes b = make_zip(parts, PARTS, "deflate");
    assert_true(BYTES < 64 * b.n && (size_t)BYTES * PARTS > 64 * b.n);
    expect_unopened(&b, "unpacks to 131072 bytes");
    free(b.data);
    free(zeros);
}

static void test_a_path_twice_is_refused(void **state)
{
    (void)state;
    static const struct zip_part parts[] = {{"x/a", "1", 1}, {"x/b", "2", 1}, {"x/a", "3", 1}};
    struct bytes b = make_zip(parts, 3, "store");
    expect_unopened(&b, "'x/a' is there twice");
    free(b.data);
}

static void test_a_changed_byte_is_found(void **state)
{
    (void)state;
    static const struct zip_part part = {"x/a", "a storage's bytes", 17};
    struct bytes b = make_zip(&part, 1, "store");
    struct qsv_zip *z = NULL;
    struct qsv_error err = {0};
    uint8_t *data = NULL, *at = memmem(b.data, b.n, "storage", 7);
    assert_non_null(at);
    *at ^= 1;
    open_zip(&z, &b);
    assert_int_equal(qsv_zip_load(&data, z, qsv_zip_find(z, "x/a"), &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "x/a can't be read: ZIP bad CRC"));
    qsv_zip_close(z);
    free(b.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_and_unpacks),
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_a_bomb_is_refused),
        cmocka_unit_test(test_a_bomb_in_pieces_is_refused),
        cmocka_unit_test(test_a_path_twice_is_refused),
        cmocka_unit_test(test_a_changed_byte_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
