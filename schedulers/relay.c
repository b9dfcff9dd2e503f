#define _GNU_SOURCE
#include "schedulers/relay.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "schedulers/spawn.h"

static _Noreturn void exec_program(char *const *argv, const sigset_t *mask, pid_t parent)
{
    qsv_spawn_begin(parent);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execv(argv[0], argv);
    _exit(127);
}

static void pass_signal(struct qsv_relay_end *out, pid_t pid, int number)
{
    if (number == SIGTSTP) {
        kill(pid, SIGTSTP);
        raise(SIGSTOP);
        kill(pid, SIGCONT);
    } else if (number != SIGCHLD) {
        out->asked_to_stop = true;
        kill(pid, number);
    }
}

static void wait_for(struct qsv_relay_end *out, pid_t pid, const sigset_t *set)
{
    const struct timespec look = {.tv_sec = 1};
    int status = 0, number;
    while (waitpid(pid, &status, WNOHANG) == 0)
        if ((number = sigtimedwait(set, NULL, &look)) > 0)
            pass_signal(out, pid, number);
    out->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

enum qsv_status qsv_relay_run(struct qsv_relay_end *out, char *const *argv, struct qsv_error *err)
{
    sigset_t set, before;
    *out = (struct qsv_relay_end){0};
    if (access(argv[0], X_OK) < 0)
        return qsv_fail(err, QSV_EFAILED, "cannot start %s: %s", argv[0], strerror(errno));
    qsv_spawn_signals(&set);
    sigprocmask(SIG_BLOCK, &set, &before);
    pid_t self = getpid(), pid = fork();
    if (pid == 0)
        exec_program(argv, &before, self);
    int failure = errno;
    if (pid > 0)
        wait_for(out, pid, &set);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid > 0 ? QSV_OK
                   : qsv_fail(err, QSV_EFAILED, "cannot start %s: %s", argv[0], strerror(failure));
}
