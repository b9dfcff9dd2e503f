#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/stop.h"

static bool says_yes(void *context)
{
    return *(bool *)context;
}

static void a_flag_or_an_answer_stops(void **state)
{
    (void)state;
    volatile sig_atomic_t flag = 0;
    bool yes = false;
    struct qsv_stop s = {&flag, says_yes, &yes};
    assert_false(qsv_stop_asked(NULL));
    assert_false(qsv_stop_asked(&(struct qsv_stop){0}));
    assert_false(qsv_stop_asked(&s));
    yes = true;
    assert_true(qsv_stop_asked(&s));
    yes = false;
    flag = 1;
    assert_true(qsv_stop_asked(&s));
}

static void signals_set_the_flag(void **state)
{
    (void)state;
    const volatile sig_atomic_t *flag = qsv_stop_on_signals();
    assert_false(*flag);
    assert_null(qsv_stop_signal());
    raise(SIGUSR1);
    assert_true(*flag);
    assert_string_equal(qsv_stop_signal(), "SIGUSR1");
    raise(SIGTERM);
    assert_string_equal(qsv_stop_signal(), "SIGTERM");
    raise(SIGTERM); /* however often */
    raise(SIGINT);
    assert_string_equal(qsv_stop_signal(), "SIGINT");
}

/* A child that never looks at its flag. */
static void what_takes_too_long_ends(void **state)
{
    (void)state;
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        qsv_stop_on_signals();
        qsv_stop_within(1, 75, NULL);
        raise(SIGUSR1);
        for (;;)
            pause();
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 75);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flag_or_an_answer_stops),
        cmocka_unit_test(what_takes_too_long_ends),
        cmocka_unit_test(signals_set_the_flag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
