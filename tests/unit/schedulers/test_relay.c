/* Programs that are run in this one's place. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "schedulers/relay.h"

static struct qsv_error err;

static struct qsv_relay_end run(const char *script)
{
    char *argv[] = {"/bin/sh", "-c", (char *)script, NULL};
    struct qsv_relay_end end;
    if (qsv_relay_run(&end, argv, &err))
        fail_msg("%s", err.text);
    return end;
}

static void the_exit_status_comes_back(void **state)
{
    (void)state;
    const int statuses[] = {0, 3, 75};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        char script[16];
        snprintf(script, sizeof script, "exit %d", statuses[i]);
        struct qsv_relay_end end = run(script);
        assert_int_equal(end.status, statuses[i]);
        assert_false(end.asked_to_stop);
    }
    assert_int_equal(run("kill -KILL $$").status, 128 + SIGKILL);
}

/* The program asks this process to stop, and ends when it is asked itself. */
static void a_request_to_stop_is_passed_on(void **state)
{
    (void)state;
    const char *const names[] = {"INT", "TERM", "HUP", "USR1"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char script[128];
        snprintf(script, sizeof script,
                 "trap 'exit 75' %s; kill -%s $PPID; while :; do sleep 0.02; done", names[i],
                 names[i]);
        struct qsv_relay_end end = run(script);
        assert_int_equal(end.status, 75);
        assert_true(end.asked_to_stop);
    }
}

static void an_ignored_signal_stays_ignored(void **state)
{
    (void)state;
    signal(SIGHUP, SIG_IGN);
    struct qsv_relay_end end = run("kill -HUP $PPID; exit 4");
    signal(SIGHUP, SIG_DFL);
    assert_int_equal(end.status, 4);
    assert_false(end.asked_to_stop);
}

static void what_is_no_program_is_named(void **state)
{
    (void)state;
    char *argv[] = {"/nowhere/qsvit", "run", NULL};
    struct qsv_relay_end end;
    assert_int_equal(qsv_relay_run(&end, argv, &err), QSV_EFAILED);
    assert_non_null(strstr(err.text, "cannot start /nowhere/qsvit: No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exit_status_comes_back),
        cmocka_unit_test(a_request_to_stop_is_passed_on),
        cmocka_unit_test(an_ignored_signal_stays_ignored),
        cmocka_unit_test(what_is_no_program_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
