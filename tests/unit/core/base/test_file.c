#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"

static char folder[100];

static int make_test_folder(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.80s/qsv-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_test_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

/* Valid until four more were asked for. */
static const char *in_folder(const char *name)
{
    static char paths[4][200];
    static int next;
    char *p = paths[next++ % 4];
    snprintf(p, sizeof paths[0], "%s/%s", folder, name);
    return p;
}

static int count_entries(void)
{
    int n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    closedir(d);
    return n;
}

static void expect_contents(const char *name, const char *text)
{
    uint8_t *data = NULL;
    size_t n = 99;
    assert_int_equal(qsv_file_read(&data, &n, in_folder(name), 1000, NULL), QSV_OK);
    assert_int_equal(n, strlen(text));
    assert_string_equal((char *)data, text);
    free(data);
}

static void test_written_is_read(void **state)
{
    (void)state;
    assert_int_equal(qsv_file_write(in_folder("a"), "one", 3, NULL), QSV_OK);
    expect_contents("a", "one");
    assert_int_equal(qsv_file_write(in_folder("a"), "other text", 10, NULL), QSV_OK);
    expect_contents("a", "other text");
    assert_int_equal(qsv_file_write(in_folder("a"), NULL, 0, NULL), QSV_OK);
    expect_contents("a", "");
    assert_int_equal(count_entries(), 1);
    unlink(in_folder("a"));
}

static void expect_unreadable(const char *name, size_t max_bytes, const char *text)
{
    struct qsv_error err = {0};
    uint8_t *data = NULL;
    size_t n;
    char expected[300];
    assert_int_equal(qsv_file_read(&data, &n, in_folder(name), max_bytes, &err), QSV_EINPUT);
    snprintf(expected, sizeof expected, "%s: %s", in_folder(name), text);
    assert_string_equal(err.text, expected);
    assert_null(data);
}

static void test_what_is_not_read(void **state)
{
    (void)state;
    assert_int_equal(qsv_file_write(in_folder("a"), "12345", 5, NULL), QSV_OK);
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    expect_unreadable("a", 4, "has 5 bytes, at most 4 are allowed");
    expect_unreadable("missing", 4, "cannot open: No such file or directory");
    expect_unreadable("fifo", 4, "not a regular file");
    expect_unreadable(".", 4, "not a regular file");
    unlink(in_folder("a"));
    unlink(in_folder("fifo"));
}

/* The file that was there stays as it was, and nothing else is left behind. */
static void test_a_failed_write_leaves_the_old_file(void **state)
{
    (void)state;
    struct rlimit old;
    struct qsv_error err = {0};
    static char much[1 << 16];
    assert_int_equal(qsv_file_write(in_folder("a"), "old", 3, NULL), QSV_OK);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, old.rlim_max}), 0);
    enum qsv_status st = qsv_file_write(in_folder("a"), much, sizeof much, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(st, QSV_EIO);
    assert_non_null(strstr(err.text, "cannot write: File too large"));
    expect_contents("a", "old");
    assert_int_equal(count_entries(), 1);

    qsv_alloc_fail_at(1);
    assert_int_equal(qsv_file_write(in_folder("a"), "new", 3, NULL), QSV_ENOMEM);
    qsv_alloc_fail_at(0);
    expect_contents("a", "old");
    unlink(in_folder("a"));
}

static void test_writes_that_cannot_be(void **state)
{
    (void)state;
    struct qsv_error err = {0};
    assert_int_equal(qsv_file_write(in_folder("no/such"), "x", 1, &err), QSV_EIO);
    assert_non_null(strstr(err.text, "no/such: cannot create: No such file or directory"));
    assert_int_equal(mkdir(in_folder("taken"), 0700), 0);
    assert_int_equal(qsv_file_write(in_folder("taken"), "x", 1, &err), QSV_EIO);
    assert_non_null(strstr(err.text, "taken: cannot rename into place"));
    assert_int_equal(count_entries(), 1);
    rmdir(in_folder("taken"));
}

static void test_temporary_and_commit(void **state)
{
    (void)state;
    char *temporary = qsv_file_temporary(in_folder("x.h5")), suffix[40];
    snprintf(suffix, sizeof suffix, "x.h5.%ld.tmp", (long)getpid());
    assert_string_equal(temporary, in_folder(suffix));
    FILE *f = fopen(temporary, "w");
    assert_non_null(f);
    fputs("done", f);
    fclose(f);
    assert_int_equal(qsv_file_commit(temporary, in_folder("x.h5"), NULL), QSV_OK);
    expect_contents("x.h5", "done");
    assert_int_equal(qsv_file_commit(temporary, in_folder("x.h5"), NULL), QSV_EIO);
    expect_contents("x.h5", "done");
    assert_int_equal(count_entries(), 1);
    unlink(in_folder("x.h5"));
    free(temporary);
}

static void test_make_folder(void **state)
{
    (void)state;
    assert_int_equal(qsv_file_make_folder("", NULL), QSV_EIO);
    struct qsv_error err = {0};
    struct stat s;
    for (int i = 0; i < 2; i++)
        assert_int_equal(qsv_file_make_folder(in_folder("a/b//c/"), NULL), QSV_OK);
    assert_int_equal(stat(in_folder("a/b/c"), &s), 0);
    assert_true(S_ISDIR(s.st_mode));
    assert_int_equal(qsv_file_make_folder(folder, NULL), QSV_OK);
    assert_int_equal(qsv_file_make_folder("/", NULL), QSV_OK);
    assert_int_equal(qsv_file_make_folder(".", NULL), QSV_OK);
    assert_int_equal(qsv_file_write(in_folder("a/file"), "x", 1, NULL), QSV_OK);
    assert_int_equal(qsv_file_make_folder(in_folder("a/file/d"), &err), QSV_EIO);
    assert_non_null(strstr(err.text, "a/file: cannot create the folder"));
    unlink(in_folder("a/file"));
    rmdir(in_folder("a/b/c"));
    rmdir(in_folder("a/b"));
    rmdir(in_folder("a"));
}

static void test_sync_folder(void **state)
{
    (void)state;
    assert_int_equal(qsv_file_sync_folder(folder, NULL), QSV_OK);
    assert_int_equal(qsv_file_sync_folder(in_folder("missing"), NULL), QSV_EIO);
}

static void test_join(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"a/b", "c", "a/b/c"}, {NULL, "c", "c"},  {"", "c", "c"},         {".", "c/d", "c/d"},
        {"a", "/c", "/c"},     {"/", "c", "//c"}, {"a", "../c", "a/../c"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *p = qsv_file_join(rows[i][0], rows[i][1]);
        assert_string_equal(p, rows[i][2]);
        free(p);
    }
    qsv_alloc_fail_at(1);
    assert_null(qsv_file_join("a", "b"));
    qsv_alloc_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_is_read),
        cmocka_unit_test(test_what_is_not_read),
        cmocka_unit_test(test_a_failed_write_leaves_the_old_file),
        cmocka_unit_test(test_writes_that_cannot_be),
        cmocka_unit_test(test_temporary_and_commit),
        cmocka_unit_test(test_make_folder),
        cmocka_unit_test(test_sync_folder),
        cmocka_unit_test(test_join),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
