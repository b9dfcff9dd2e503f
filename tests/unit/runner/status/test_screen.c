/* `qsvit watch` under a terminal of our own: what it draws there, and how it leaves it. */
#define _GNU_SOURCE /* posix_openpt */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

#include "core/base/clock.h"
#include "runner/program/commands.h"
#include "tests/unit/results/fixture.h"

static const double longest_s = 30;

struct watched {
    struct fixture f;
    struct qsv_store *store; /* open: its run goes on, held by this process */
    int master, slave;
    struct termios before;
    pid_t child;
    struct qsv_strbuf seen; /* all that was written to the terminal */
};

static void resize(const struct watched *w, unsigned short columns, unsigned short rows)
{
    struct winsize size = {.ws_col = columns, .ws_row = rows};
    assert_int_equal(ioctl(w->master, TIOCSWINSZ, &size), 0);
}

static void open_terminal(struct watched *w)
{
    w->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(w->master >= 0);
    assert_int_equal(grantpt(w->master), 0);
    assert_int_equal(unlockpt(w->master), 0);
    w->slave = open(ptsname(w->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(w->slave >= 0);
    resize(w, 80, 24);
    assert_int_equal(tcgetattr(w->slave, &w->before), 0);
}

static _Noreturn void be_watch(const struct watched *w)
{
    char *argv[] = {"qsvit", "watch", (char *)w->f.folder, "--interval", "0.05", NULL};
    setsid();
    ioctl(w->slave, TIOCSCTTY, 0);
    for (int fd = 0; fd <= 2; fd++)
        dup2(w->slave, fd);
    setenv("TERM", "xterm", 1);
    for (int number = 1; number < NSIG; number++) /* those of cmocka */
        signal(number, SIG_DFL);
    exit(qsv_commands_main(5, argv, stdout));
}

static void setup(struct watched *w)
{
    *w = (struct watched){.master = -1};
    fixture_init(&w->f, 15);
    w->store = open_store(&w->f, NULL);
    assert_int_equal(qsv_store_begin_search(w->store, 7, "qsvit", "x", NULL), QSV_OK);
    ask(w->store, 0, "baseline", "all f32");
    ask(w->store, 3, "guided", "three");
    record(w->store, &w->f, "1-1-1", 0, 0, 9);
    record(w->store, &w->f, "1-1-2", 3, 7, 2);
    assert_int_equal(qsv_store_fold(w->store, NULL), QSV_OK);
    open_terminal(w);
    fflush(NULL);
    w->child = fork();
    assert_true(w->child >= 0);
    if (!w->child)
        be_watch(w);
}

/* Reads for at most so long; false where nothing came. */
static bool read_some(struct watched *w, int wait_ms)
{
    char bytes[4096];
    struct pollfd p = {.fd = w->master, .events = POLLIN};
    if (poll(&p, 1, wait_ms) <= 0)
        return false;
    ssize_t n = read(w->master, bytes, sizeof bytes);
    if (n > 0)
        qsv_strbuf_add(&w->seen, bytes, (size_t)n);
    return n > 0;
}

static const char *since(const struct watched *w, size_t from)
{
    return w->seen.len > from ? w->seen.text + from : "";
}

/* Until text stands behind `from`; where its end is. */
static size_t wait_for(struct watched *w, size_t from, const char *text)
{
    double end_s = qsv_clock_monotonic_s() + longest_s;
    const char *found;
    while (!(found = strstr(since(w, from), text))) {
        if (qsv_clock_monotonic_s() > end_s)
            fail_msg("'%s' did not come, but: %s", text, since(w, from));
        read_some(w, 100);
    }
    return (size_t)(found - w->seen.text) + strlen(text);
}

/* Of the child; what it still wrote is in seen. */
static int wait_end(struct watched *w, int options)
{
    int status = 0;
    double end_s = qsv_clock_monotonic_s() + longest_s;
    while (waitpid(w->child, &status, WNOHANG | options) == 0) {
        if (qsv_clock_monotonic_s() > end_s)
            fail_msg("it does not end: %s", w->seen.text);
        read_some(w, 20);
    }
    while (read_some(w, 0))
        ;
    return status;
}

static void assert_terminal_as_before(const struct watched *w)
{
    struct termios now;
    assert_int_equal(tcgetattr(w->slave, &now), 0);
    assert_int_equal(now.c_lflag, w->before.c_lflag);
    assert_int_equal(now.c_iflag, w->before.c_iflag);
    assert_int_equal(now.c_oflag, w->before.c_oflag);
    assert_memory_equal(now.c_cc, w->before.c_cc, sizeof now.c_cc);
}

/* Behind the last time that the alternate screen was entered it was left, cursor shown. */
static const char *assert_left(const struct watched *w)
{
    const char *at = w->seen.text, *entered = NULL;
    while ((at = strstr(at, "\033[?1049h")))
        entered = at++;
    assert_non_null(entered);
    const char *left = strstr(entered, "\033[?25h\033[?1049l");
    if (!left)
        fail_msg("the screen was not left: %s", entered);
    return left;
}

static void teardown(struct watched *w)
{
    close(w->master);
    close(w->slave);
    qsv_strbuf_fini(&w->seen);
    qsv_store_close(w->store, false, "asked to stop", NULL);
    fixture_fini(&w->f);
}

static void it_draws_and_quits_on_q(void **state)
{
    (void)state;
    struct watched w;
    struct termios during;
    setup(&w);
    size_t at = wait_for(&w, 0, "\033[?1049h");
    at = wait_for(&w, at, ": running");
    at = wait_for(&w, at, "(qsvit)");
    at = wait_for(&w, at, "recorded   2 trials, 11 records, 93 images evaluated");
    wait_for(&w, at, "q quits");
    assert_int_equal(tcgetattr(w.slave, &during), 0);
    assert_int_equal(during.c_lflag & (ICANON | ECHO), 0);
    assert_true(during.c_lflag & ISIG);
    assert_int_equal(write(w.master, "xq", 2), 2);
    int status = wait_end(&w, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_terminal_as_before(&w);
    assert_non_null(strstr(assert_left(&w), ": running")); /* what stays on the terminal */
    teardown(&w);
}

/* How many lines the first whole frame behind `from` has, and how long the longest is. */
static void measure_frame(struct watched *w, size_t from, unsigned *columns, unsigned *rows)
{
    size_t begin = wait_for(w, from, "\033[H"), end = wait_for(w, begin, "\033[J");
    unsigned column = 0;
    *columns = *rows = 0;
    for (const char *c = w->seen.text + begin; c < w->seen.text + end; c++) {
        if (*c == '\033')
            c += 2; /* only [K and [J stand in it */
        else if (*c == '\n')
            *rows += 1, column = 0;
        else if (*c != '\r')
            *columns = ++column > *columns ? column : *columns;
    }
    *rows += 1;
}

static void it_follows_the_size(void **state)
{
    (void)state;
    struct watched w;
    static const unsigned short sizes[][2] = {{80, 24}, {44, 11}, {200, 50}, {10, 3}, {1, 1}};
    setup(&w);
    wait_for(&w, 0, "q quits");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned columns, rows;
        resize(&w, sizes[i][0], sizes[i][1]);
        /* One frame may be under way still. */
        size_t from = w.seen.len;
        from = wait_for(&w, from, "\033[J");
        from = wait_for(&w, from, "\033[J");
        measure_frame(&w, from, &columns, &rows);
        assert_in_range(columns, 1, sizes[i][0]);
        assert_in_range(rows, 1, sizes[i][1]);
    }
    assert_int_equal(write(w.master, "q", 1), 1);
    assert_int_equal(wait_end(&w, 0), 0);
    teardown(&w);
}

static void signals_leave_the_terminal_as_it_was(void **state)
{
    (void)state;
    static const int numbers[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGSEGV, SIGABRT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct watched w;
        setup(&w);
        wait_for(&w, 0, "q quits");
        if (numbers[i] == SIGINT)
            assert_int_equal(write(w.master, "\003", 1), 1); /* Ctrl-C */
        else
            assert_int_equal(kill(w.child, numbers[i]), 0);
        int status = wait_end(&w, 0);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), numbers[i]);
        assert_terminal_as_before(&w);
        assert_left(&w);
        teardown(&w);
    }
}

static void it_stops_and_goes_on(void **state)
{
    (void)state;
    struct watched w;
    setup(&w);
    wait_for(&w, 0, "q quits");
    assert_int_equal(write(w.master, "\032", 1), 1); /* Ctrl-Z */
    assert_true(WIFSTOPPED(wait_end(&w, WUNTRACED)));
    assert_terminal_as_before(&w);
    assert_left(&w);
    size_t from = w.seen.len;
    assert_int_equal(kill(w.child, SIGCONT), 0);
    wait_for(&w, wait_for(&w, from, "\033[?1049h"), "q quits");
    /* Stopped from outside it can do nothing before, but all the same afterwards. */
    assert_int_equal(kill(w.child, SIGSTOP), 0);
    assert_true(WIFSTOPPED(wait_end(&w, WUNTRACED)));
    assert_int_equal(tcsetattr(w.slave, TCSANOW, &w.before), 0);
    from = w.seen.len;
    assert_int_equal(kill(w.child, SIGCONT), 0);
    wait_for(&w, wait_for(&w, from, "\033[?1049h"), "q quits");
    assert_int_equal(write(w.master, "q", 1), 1);
    assert_int_equal(wait_end(&w, 0), 0);
    assert_terminal_as_before(&w);
    teardown(&w);
}

static void it_ends_with_the_run(void **state)
{
    (void)state;
    struct watched w;
    setup(&w);
    wait_for(&w, 0, "q quits");
    assert_int_equal(qsv_store_close(w.store, true, "complete", NULL), QSV_OK);
    assert_int_equal(wait_end(&w, 0), 0);
    assert_terminal_as_before(&w);
    assert_non_null(strstr(assert_left(&w), ": complete"));
    w.store = open_store(&w.f, NULL);
    teardown(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_draws_and_quits_on_q),
        cmocka_unit_test(it_follows_the_size),
        cmocka_unit_test(signals_leave_the_terminal_as_it_was),
        cmocka_unit_test(it_stops_and_goes_on),
        cmocka_unit_test(it_ends_with_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
