#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "schedulers/handover.h"

/* In a child, as rank 0 would: takes what the socket offers, and writes to 1 and 2. */
static pid_t start_taker(const char *name)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (!qsv_handover_take(name))
            _exit(1);
        _exit(write(1, "out", 3) == 3 && write(2, "err", 3) == 3 ? 0 : 2);
    }
    return pid;
}

static int wait_status(pid_t pid)
{
    int status = -1;
    waitpid(pid, &status, 0);
    return status;
}

static void test_hands_both_over(void **state)
{
    (void)state;
    struct qsv_handover h;
    int out[2], err[2];
    char text[16] = "";
    assert_int_equal(pipe(out), 0);
    assert_int_equal(pipe(err), 0);
    qsv_handover_open(&h);
    assert_true(h.fd >= 0 && *h.name && !h.taken);
    pid_t pid = start_taker(h.name);
    struct pollfd p = {.fd = h.fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 10000), 1);
    qsv_handover_serve(&h, out[1], err[1]);
    assert_true(h.taken);
    assert_int_equal(h.fd, -1);
    assert_int_equal(wait_status(pid), 0);
    assert_int_equal(read(out[0], text, sizeof text), 3);
    assert_memory_equal(text, "out", 3);
    assert_int_equal(read(err[0], text, sizeof text), 3);
    assert_memory_equal(text, "err", 3);
    for (int i = 0; i < 2; i++) {
        close(out[i]);
        close(err[i]);
    }
    qsv_handover_close(&h);
}

static void test_serve_without_a_caller_returns(void **state)
{
    (void)state;
    struct qsv_handover h;
    qsv_handover_open(&h);
    qsv_handover_serve(&h, 1, 2);
    assert_false(h.taken);
    qsv_handover_close(&h);
    assert_int_equal(h.fd, -1);
}

static void test_names_that_cannot_be(void **state)
{
    (void)state;
    char longest[200];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    struct stat before, after;
    assert_int_equal(fstat(1, &before), 0);
    assert_false(qsv_handover_take(""));
    assert_false(qsv_handover_take("nobody"));
    assert_false(qsv_handover_take(longest));
    assert_int_equal(fstat(1, &after), 0);
    assert_true(before.st_ino == after.st_ino && before.st_dev == after.st_dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hands_both_over),
        cmocka_unit_test(test_serve_without_a_caller_returns),
        cmocka_unit_test(test_names_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
