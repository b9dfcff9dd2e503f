#include "core/base/sandbox.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Shared by parent and child. */
struct answer {
    bool given;
    enum qsv_status status;
    struct qsv_error err;
    _Alignas(max_align_t) char result[QSV_SANDBOX_RESULT];
};

static void set_limit(int resource, rlim_t value)
{
    struct rlimit now;
    if (getrlimit(resource, &now) == 0 && value < now.rlim_max)
        setrlimit(resource, &(struct rlimit){value, value});
}

static void limit_memory(size_t more)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%lu", &pages) == 1)
        set_limit(RLIMIT_AS, pages * (rlim_t)sysconf(_SC_PAGESIZE) + more);
    if (f)
        fclose(f);
}

/* What a crash would otherwise set off in the parent's name: handlers, a core file, messages. */
static void go_quiet(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS,  SIGFPE,  SIGILL, SIGABRT,
                                  SIGINT,  SIGTERM, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], SIG_DFL);
    set_limit(RLIMIT_CORE, 0);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) {
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
    }
}

static void run_child(struct answer *a, qsv_sandbox_work *work, void *context,
                      const struct qsv_sandbox_limits *limits)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    go_quiet();
    limit_memory(limits->memory_bytes);
    set_limit(RLIMIT_CPU, limits->cpu_s);
    a->status = work(context, a->result, &a->err);
    a->given = true;
    _exit(0);
}

static enum qsv_status fail_ended(int how, const char *name, struct qsv_error *err)
{
    int s = WIFSIGNALED(how) ? WTERMSIG(how) : 0;
    if (s == SIGINT || s == SIGTERM || s == SIGUSR1 || s == SIGUSR2)
        return qsv_fail(err, QSV_ESTOPPED, "%s: stopped while reading it", name);
    if (s == SIGXCPU || s == SIGKILL)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: damaged: reading it was given up, it took too long or too much memory",
                        name);
    return qsv_fail(err, QSV_EINPUT, "%s: damaged: reading it crashed the library (%s)", name,
                    s ? strsignal(s) : "it ended the program");
}

static enum qsv_status wait_for(pid_t child, const struct answer *a, const char *name,
                                struct qsv_error *err)
{
    int how = 0;
    while (waitpid(child, &how, 0) < 0)
        if (errno != EINTR)
            return qsv_fail(err, QSV_EFAILED, "%s: cannot wait for the process that reads it: %s",
                            name, strerror(errno));
    if (!a->given)
        return fail_ended(how, name, err);
    /* A child that was led astray may have left no end to the text. */
    return a->status ? qsv_fail(err, a->status, "%.*s", QSV_ERROR_TEXT - 1, a->err.text) : QSV_OK;
}

enum qsv_status qsv_sandbox_run(qsv_sandbox_work *work, void *context, void *result, size_t bytes,
                                const struct qsv_sandbox_limits *limits, const char *name,
                                struct qsv_error *err)
{
    assert(bytes <= QSV_SANDBOX_RESULT);
    struct answer *a =
        mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (a == MAP_FAILED)
        return qsv_fail_memory(err, name);
    enum qsv_status st;
    pid_t child = fork();
    if (child == 0)
        run_child(a, work, context, limits);
    if (child < 0)
        st = qsv_fail(err, QSV_EFAILED, "%s: cannot start a process to read it: %s", name,
                      strerror(errno));
    else
        st = wait_for(child, a, name, err);
    if (bytes)
        memcpy(result, a->result, bytes);
    munmap(a, sizeof *a);
    return st;
}
