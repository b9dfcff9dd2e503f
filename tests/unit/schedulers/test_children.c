/* Whose children live: a process's own, a zombie, one that is gone. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "schedulers/children.h"

static void test_children(void **state)
{
    (void)state;
    int pipes[2];
    siginfo_t info;
    assert_false(qsv_children_live(getpid()));
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(pipes[1]);
        _exit(read(pipes[0], &byte, 1) < 0);
    }
    assert_true(child > 0);
    assert_true(qsv_children_live(getpid()));
    assert_false(qsv_children_live(child));
    close(pipes[1]);
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_false(qsv_children_live(getpid())); /* a zombie by now */
    waitpid(child, NULL, 0);
    close(pipes[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_children)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
