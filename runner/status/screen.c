#include "runner/status/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/io.h"

/* The alternate screen without a cursor, and back. */
static const char enter[] = "\033[?1049h\033[?25l\033[2J";
static const char leave[] = "\033[?25h\033[?1049l";

static const int deadly[] = {SIGHUP, SIGINT,  SIGQUIT, SIGTERM, SIGPIPE, SIGSEGV,
                             SIGBUS, SIGABRT, SIGILL,  SIGFPE,  SIGUSR1, SIGUSR2};
enum { N_DEADLY = sizeof deadly / sizeof *deadly };

static struct {
    bool ready; /* the handlers are in place */
    bool has_input;
    struct termios before, during;
    struct sigaction deadly[N_DEADLY], stop, resume, winch;
} terminal;

static volatile sig_atomic_t taken, suspended, resumed, changed;

/* By all means of a signal handler: nothing else may be called here. */
static void put_back(void)
{
    if (!taken)
        return;
    taken = 0;
    ssize_t ignored = write(STDOUT_FILENO, leave, sizeof leave - 1);
    (void)ignored;
    if (terminal.has_input)
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
}

static void take(void)
{
    if (terminal.has_input)
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal.during);
    taken = 1;
    qsv_io_write(STDOUT_FILENO, enter, sizeof enter - 1);
}

/* With the action from before in place, the signal comes again when the handler has returned. */
static void on_deadly(int number)
{
    int saved = errno;
    put_back();
    for (int i = 0; i < N_DEADLY; i++)
        if (deadly[i] == number)
            sigaction(number, &terminal.deadly[i], NULL);
    raise(number);
    errno = saved;
}

static void on_stop(int number)
{
    (void)number;
    suspended = 1;
}

static void on_resume(int number)
{
    (void)number;
    resumed = 1;
}

static void on_winch(int number)
{
    (void)number;
    changed = 1;
}

bool qsv_screen_is_possible(void)
{
    const char *kind = getenv("TERM");
    return isatty(STDOUT_FILENO) && kind && *kind && strcmp(kind, "dumb") != 0;
}

static void catch_signals(void)
{
    struct sigaction die = {.sa_handler = on_deadly}, stop = {.sa_handler = on_stop},
                     resume = {.sa_handler = on_resume}, winch = {.sa_handler = on_winch};
    for (int i = 0; i < N_DEADLY; i++) {
        sigaction(deadly[i], &die, &terminal.deadly[i]);
        /* As under nohup: what was ignored stays ignored. */
        if (terminal.deadly[i].sa_handler == SIG_IGN)
            sigaction(deadly[i], &terminal.deadly[i], NULL);
    }
    sigaction(SIGTSTP, &stop, &terminal.stop);
    sigaction(SIGCONT, &resume, &terminal.resume);
    sigaction(SIGWINCH, &winch, &terminal.winch);
    terminal.ready = true;
}

static void release_signals(void)
{
    for (int i = 0; i < N_DEADLY; i++)
        sigaction(deadly[i], &terminal.deadly[i], NULL);
    sigaction(SIGTSTP, &terminal.stop, NULL);
    sigaction(SIGCONT, &terminal.resume, NULL);
    sigaction(SIGWINCH, &terminal.winch, NULL);
    terminal.ready = false;
}

enum qsv_status qsv_screen_open(struct qsv_error *err)
{
    static bool registered;
    terminal.has_input = isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &terminal.before);
    if (!registered && atexit(qsv_screen_close))
        return qsv_fail_memory(err, "the screen");
    registered = true;
    terminal.during = terminal.before;
    /* Keys at once and unseen; Ctrl-C and Ctrl-Z stay signals. */
    terminal.during.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    terminal.during.c_cc[VMIN] = 1;
    terminal.during.c_cc[VTIME] = 0;
    catch_signals();
    take();
    return QSV_OK;
}

void qsv_screen_close(void)
{
    if (!terminal.ready)
        return;
    put_back();
    release_signals();
}

void qsv_screen_size(unsigned *columns, unsigned *rows)
{
    struct winsize size;
    *columns = 80;
    *rows = 24;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col || !size.ws_row)
        return;
    *columns = size.ws_col;
    *rows = size.ws_row;
}

enum qsv_status qsv_screen_draw(const struct qsv_strbuf *lines, struct qsv_error *err)
{
    struct qsv_strbuf all = {0};
    qsv_strbuf_puts(&all, "\033[H");
    for (const char *line = lines->text; line && *line;) {
        size_t n = strcspn(line, "\n");
        qsv_strbuf_add(&all, line, n);
        /* Without a line break behind the last line, which would scroll a full screen. */
        qsv_strbuf_puts(&all, line[n] && line[n + 1] ? "\033[K\r\n" : "\033[K");
        line += n + (line[n] == '\n');
    }
    qsv_strbuf_puts(&all, "\033[J");
    enum qsv_status st = QSV_OK;
    if (all.failed)
        st = qsv_fail_memory(err, "the screen");
    else if (qsv_io_write(STDOUT_FILENO, all.text, all.len) < 0)
        st = qsv_io_fail(err, "standard output", "cannot write");
    qsv_strbuf_fini(&all);
    return st;
}

/* Stops as Ctrl-Z asks, the terminal being as it was meanwhile. Whatever has stopped the process,
 * the terminal is taken again when it goes on: a shell has used it. */
static bool was_away(void)
{
    if (suspended) {
        suspended = 0;
        put_back();
        raise(SIGSTOP);
    }
    if (!resumed)
        return false;
    resumed = 0;
    take();
    return true;
}

static int read_key(void)
{
    char key;
    ssize_t n = read(STDIN_FILENO, &key, 1);
    if (n == 1)
        return (unsigned char)key;
    return n < 0 && errno == EINTR ? 0 : -1;
}

int qsv_screen_wait(double seconds)
{
    struct pollfd input = {.fd = terminal.has_input ? STDIN_FILENO : -1, .events = POLLIN};
    double end_s = qsv_clock_monotonic_s() + seconds;
    for (double left = seconds; left > 0 && !changed; left = end_s - qsv_clock_monotonic_s()) {
        int n = poll(&input, 1, (int)(left * 1000) + 1);
        if (was_away())
            break;
        if (n > 0)
            return read_key();
        if (n < 0 && errno != EINTR)
            return -1;
    }
    changed = 0;
    return 0;
}
