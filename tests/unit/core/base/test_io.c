#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/io.h"

static char folder[64], path[96];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/qsvit_io_XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/a", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[100];
    qsv_io_set_fault(NULL, NULL);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void what_is_no_fault_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "x",         "write",           "write:",       "write:0",     "write:-1", "write:x",
        "read:1",    "write:1:",        "write:1:ENO",  "write:1EIO",  "writes:1", ":1",
        "write:1++", "write:1:ENOSPC ", "write: 1:EIO", "write:1+EIO", "WRITE:1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct qsv_error err;
        assert_int_equal(qsv_io_set_fault(bad[i], &err), QSV_EUSAGE);
        assert_non_null(strstr(err.text, "expected OPERATION:N"));
        assert_int_equal(qsv_file_write(path, "x", 1, NULL), QSV_OK);
    }
}

/* open, write, open, fsync, rename, open, fsync: writing one file. */
enum { CALLS = 7 };

static void every_call_of_a_file_can_fail(void **state)
{
    (void)state;
    static const struct {
        const char *what, *text;
    } cases[] = {
        {"ENOSPC", "No space left on device; make room"},
        {"EDQUOT", "within your quota"},
        {"EROFS", "on a file system that can be written"},
        {"EACCES", "Permission denied; choose a folder"},
        {"EIO", "has trouble"},
    };
    struct stat s;
    assert_int_equal(qsv_file_write(path, "old", 3, NULL), QSV_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int n = 1; n <= CALLS + 1; n++) {
            char text[40];
            struct qsv_error err;
            snprintf(text, sizeof text, "any:%d:%s", n, cases[i].what);
            assert_int_equal(qsv_io_set_fault(text, NULL), QSV_OK);
            enum qsv_status st = qsv_file_write(path, "newer", 5, &err);
            assert_int_equal(st, n <= CALLS ? QSV_EIO : QSV_OK);
            if (st) {
                assert_non_null(strstr(err.text, cases[i].text));
                assert_non_null(strstr(err.text, folder));
                assert_null(strstr(err.text, ".tmp")); /* the file that the user knows */
            }
            qsv_io_set_fault(NULL, NULL);
            assert_int_equal(stat(path, &s), 0);
            /* From the renaming on it is the new one. */
            assert_int_equal(s.st_size, n <= 5 ? 3 : 5);
            assert_int_equal(qsv_file_write(path, "old", 3, NULL), QSV_OK);
        }
    }
    char command[100];
    snprintf(command, sizeof command, "test $(ls '%s' | wc -l) = 1", folder);
    assert_int_equal(system(command), 0); /* no temporary file is left */
}

static void a_fault_is_of_one_operation_and_one_call(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(qsv_io_set_fault("write:2:EDQUOT", NULL), QSV_OK);
    assert_int_equal(qsv_io_rename(path, path), -1); /* not there */
    assert_int_equal(errno, ENOENT);
    assert_int_equal(qsv_io_write(fds[1], "a", 1), 0);
    assert_int_equal(qsv_io_write(fds[1], "b", 1), -1);
    assert_int_equal(errno, EDQUOT);
    assert_int_equal(qsv_io_write(fds[1], "c", 1), 0);
    assert_int_equal(qsv_io_calls(), 4);
    assert_int_equal(qsv_io_set_fault("write:2+", NULL), QSV_OK);
    assert_int_equal(qsv_io_write(fds[1], "a", 1), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(qsv_io_write(fds[1], "b", 1), -1);
        assert_int_equal(errno, ENOSPC);
    }
    close(fds[0]);
    close(fds[1]);
}

static void a_kill_leaves_a_write_half_done(void **state)
{
    (void)state;
    int status;
    struct stat s;
    pid_t child = fork();
    if (!child) {
        qsv_io_set_fault("write:1:kill", NULL);
        int fd = qsv_io_open(path, O_WRONLY | O_CREAT | O_TRUNC);
        qsv_io_write(fd, "0123456789", 10);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_size, 5);
}

static void folders_are_made_with_it(void **state)
{
    (void)state;
    struct qsv_error err;
    char deep[128];
    snprintf(deep, sizeof deep, "%s/x/y", folder);
    assert_int_equal(qsv_io_set_fault("open:1:EROFS", NULL), QSV_OK);
    assert_int_equal(qsv_file_make_folder(deep, &err), QSV_EIO);
    assert_non_null(strstr(err.text, "/x: cannot create the folder: Read-only file system; "));
    assert_int_equal(qsv_file_make_folder(deep, &err), QSV_OK);
    assert_int_equal(access(deep, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_no_fault_is_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(every_call_of_a_file_can_fail, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_fault_is_of_one_operation_and_one_call, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_kill_leaves_a_write_half_done, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(folders_are_made_with_it, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
