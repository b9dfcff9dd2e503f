#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "schedulers/program.h"

static enum qsv_status run(struct qsv_output *o, const char *script, struct qsv_error *err)
{
    char *argv[] = {"sh", "-c", (char *)script, NULL};
    return qsv_program_run(o, argv, 30, err);
}

static void test_what_it_writes(void **state)
{
    (void)state;
    struct qsv_output o;
    assert_int_equal(run(&o, "echo out; echo err >&2; wc -c; exit 7", NULL), QSV_OK);
    assert_int_equal(o.status, 7);
    assert_string_equal(o.out.text, "out\n0\n"); /* its input is empty */
    assert_string_equal(o.err.text, "err\n");
    qsv_output_fini(&o);
    assert_int_equal(run(&o, ":", NULL), QSV_OK);
    assert_int_equal(o.status, 0);
    assert_int_equal(o.out.len + o.err.len, 0);
    qsv_output_fini(&o);
    assert_int_equal(run(&o, "kill -9 $$", NULL), QSV_OK);
    assert_int_equal(o.status, 137);
    qsv_output_fini(&o);
}

/* More than a pipe holds, on both at once; and no more than is kept. */
static void test_much(void **state)
{
    (void)state;
    struct qsv_output o;
    assert_int_equal(run(&o,
                         "head -c 300000 /dev/zero >&2 & head -c 300000 /dev/zero; wait; "
                         "head -c 5000000 /dev/zero",
                         NULL),
                     QSV_OK);
    assert_int_equal(o.status, 0);
    assert_int_equal(o.err.len, 300000);
    assert_in_range(o.out.len, 1000000, 1 << 20);
    qsv_output_fini(&o);
}

static void test_not_there(void **state)
{
    (void)state;
    char *argv[] = {"qsvit-no-such-program", NULL};
    struct qsv_output o;
    struct qsv_error err;
    assert_int_equal(qsv_program_run(&o, argv, 30, &err), QSV_EFAILED);
    assert_string_equal(err.text,
                        "cannot start qsvit-no-such-program: there is no such command here");
    qsv_output_fini(&o);
    argv[0] = "/";
    assert_int_equal(qsv_program_run(&o, argv, 30, &err), QSV_EFAILED);
    assert_string_equal(err.text, "cannot start /: Permission denied");
    qsv_output_fini(&o);
}

static void test_too_slow(void **state)
{
    (void)state;
    char *argv[] = {"sleep", "100", NULL};
    struct qsv_output o;
    struct qsv_error err;
    double began_s = qsv_clock_monotonic_s();
    assert_int_equal(qsv_program_run(&o, argv, 0.2, &err), QSV_EFAILED);
    assert_true(qsv_clock_monotonic_s() - began_s < 50);
    assert_string_equal(err.text, "sleep has not answered within 0.2 s");
    qsv_output_fini(&o);
}

/* A rank blocks signals and has handlers of its own; a program that it starts has not. */
static void test_signals(void **state)
{
    (void)state;
    struct qsv_output o;
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, &before);
    assert_int_equal(run(&o, "kill -TERM $$; exit 0", NULL), QSV_OK);
    assert_int_equal(o.status, 143);
    qsv_output_fini(&o);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void test_words(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},
        {"echo", ""},
        {"echo a", "a"},
        {"printf 'a\\n\\n b\\r\\nc'", "a; b; c"},
        {"echo out; echo 'error: no' >&2", "error: no"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_output o;
        struct qsv_strbuf line = {0};
        assert_int_equal(run(&o, rows[i][0], NULL), QSV_OK);
        qsv_output_words(&o, &line);
        assert_string_equal(line.len ? line.text : "", rows[i][1]);
        qsv_strbuf_fini(&line);
        qsv_output_fini(&o);
    }
}

static void test_own_path(void **state)
{
    (void)state;
    char *path;
    assert_int_equal(qsv_program_path(&path, NULL), QSV_OK);
    assert_int_equal(*path, '/');
    assert_string_equal(strrchr(path, '/'), "/test_program");
    assert_int_equal(access(path, X_OK), 0);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_writes), cmocka_unit_test(test_much),
        cmocka_unit_test(test_not_there),      cmocka_unit_test(test_too_slow),
        cmocka_unit_test(test_signals),        cmocka_unit_test(test_words),
        cmocka_unit_test(test_own_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
