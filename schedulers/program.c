#define _GNU_SOURCE
#include "schedulers/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"

enum { MOST_BYTES = 1 << 20, N_PIPES = 3 }; /* output, error, why it could not start */

struct child {
    pid_t pid;
    int fds[N_PIPES]; /* this end; -1: closed */
    int failure;      /* errno of what kept it from starting */
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* In the child. Signals that are ignored or blocked here are not its business. */
static _Noreturn void exec_program(char *const *argv, int ends[N_PIPES])
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    dup2(ends[0], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    execvp(argv[0], argv);
    int failure = errno;
    _exit(write(ends[2], &failure, sizeof failure) == sizeof failure ? 126 : 127);
}

static enum qsv_status start(struct child *c, char *const *argv, struct qsv_error *err)
{
    int ends[N_PIPES] = {-1, -1, -1};
    bool ok = true;
    for (int i = 0; i < N_PIPES && ok; i++) {
        int both[2];
        ok = pipe2(both, O_CLOEXEC) == 0;
        if (ok) {
            c->fds[i] = both[0];
            ends[i] = both[1];
        }
    }
    c->pid = ok ? fork() : -1;
    if (c->pid == 0)
        exec_program(argv, ends);
    int failure = errno;
    for (int i = 0; i < N_PIPES; i++)
        close_fd(&ends[i]);
    if (c->pid > 0)
        return QSV_OK;
    return qsv_fail(err, QSV_EFAILED, "cannot start %s: %s", argv[0], strerror(failure));
}

/* What came through pipe i; closes it at its end. */
static void take(struct child *c, int i, struct qsv_output *o)
{
    char bytes[4096];
    ssize_t n = read(c->fds[i], bytes, sizeof bytes);
    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0) {
        close_fd(&c->fds[i]);
        return;
    }
    struct qsv_strbuf *to = i == 0 ? &o->out : &o->err;
    if (i == 2)
        memcpy(&c->failure, bytes, sizeof c->failure);
    else if (to->len + (size_t)n <= MOST_BYTES)
        qsv_strbuf_add(to, bytes, (size_t)n);
}

/* Until all pipes are closed; false where that takes too long. */
static bool collect(struct child *c, struct qsv_output *o, double limit_s)
{
    double until_s = qsv_clock_monotonic_s() + limit_s;
    for (;;) {
        struct pollfd fds[N_PIPES];
        bool open = false;
        for (int i = 0; i < N_PIPES; i++) {
            fds[i] = (struct pollfd){.fd = c->fds[i], .events = POLLIN};
            open |= c->fds[i] >= 0;
        }
        double left_s = until_s - qsv_clock_monotonic_s();
        if (!open)
            return true;
        if (left_s <= 0)
            return false;
        if (poll(fds, N_PIPES, left_s < 3600 ? (int)(left_s * 1000) + 1 : 3600000) <= 0)
            continue;
        for (int i = 0; i < N_PIPES; i++)
            if (fds[i].fd >= 0 && fds[i].revents)
                take(c, i, o);
    }
}

static enum qsv_status wait_for(struct child *c, struct qsv_output *o, char *const *argv,
                                double limit_s, struct qsv_error *err)
{
    int status = 0;
    bool ended = collect(c, o, limit_s);
    if (!ended)
        kill(c->pid, SIGKILL);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    o->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (!ended)
        return qsv_fail(err, QSV_EFAILED, "%s has not answered within %g s", argv[0], limit_s);
    if (c->failure == ENOENT)
        return qsv_fail(err, QSV_EFAILED, "cannot start %s: there is no such command here",
                        argv[0]);
    if (c->failure)
        return qsv_fail(err, QSV_EFAILED, "cannot start %s: %s", argv[0], strerror(c->failure));
    if (o->out.failed || o->err.failed)
        return qsv_fail_memory(err, argv[0]);
    return QSV_OK;
}

enum qsv_status qsv_program_run(struct qsv_output *o, char *const *argv, double limit_s,
                                struct qsv_error *err)
{
    struct child c = {.fds = {-1, -1, -1}};
    *o = (struct qsv_output){.status = -1};
    enum qsv_status st = start(&c, argv, err);
    if (!st)
        st = wait_for(&c, o, argv, limit_s, err);
    for (int i = 0; i < N_PIPES; i++)
        close_fd(&c.fds[i]);
    return st;
}

void qsv_output_fini(struct qsv_output *o)
{
    qsv_strbuf_fini(&o->out);
    qsv_strbuf_fini(&o->err);
}

void qsv_output_words(const struct qsv_output *o, struct qsv_strbuf *line)
{
    const struct qsv_strbuf *from = o->err.len ? &o->err : &o->out;
    const char *text = from->len ? from->text : "";
    for (const char *more = ""; *text; text += strspn(text, " \t\r\n")) {
        size_t n = strcspn(text, "\r\n");
        if (n)
            qsv_strbuf_printf(line, "%s%.*s", more, (int)n, text);
        if (n)
            more = "; ";
        text += n;
    }
}

enum qsv_status qsv_program_path(char **out, struct qsv_error *err)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    *out = NULL;
    if (n < 0)
        return qsv_fail(err, QSV_EFAILED, "/proc/self/exe: cannot read: %s", strerror(errno));
    *out = qsv_strndup(path, (size_t)n);
    return *out ? QSV_OK : qsv_fail_memory(err, "this program's path");
}
