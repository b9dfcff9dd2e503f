#include "core/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum operation { OPEN, WRITE, FSYNC, RENAME, ANY, N_OPERATIONS };

static const char *const operation_names[N_OPERATIONS] = {"open", "write", "fsync", "rename",
                                                          "any"};

enum { KILL = -1 };

static const struct {
    const char *name;
    int error;
} outcomes[] = {
    {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EIO", EIO},
    {"EROFS", EROFS},   {"EACCES", EACCES}, {"kill", KILL},
};

static struct {
    bool set, onwards;
    enum operation operation;
    unsigned long from;
    int outcome;
    unsigned long counts[N_OPERATIONS];
} fault;

static enum qsv_status fail_fault(struct qsv_error *err, const char *text)
{
    fault.set = false;
    return qsv_fail(err, QSV_EUSAGE,
                    "fault '%s': expected OPERATION:N[+][:WHAT], OPERATION being open, write, "
                    "fsync, rename or any, WHAT being ENOSPC, EDQUOT, EIO, EROFS, EACCES or kill",
                    text);
}

static bool find_operation(const char *name, size_t n)
{
    for (int i = 0; i < N_OPERATIONS; i++) {
        fault.operation = (enum operation)i;
        if (strlen(operation_names[i]) == n && !strncmp(operation_names[i], name, n))
            return true;
    }
    return false;
}

static bool find_outcome(const char *name)
{
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        fault.outcome = outcomes[i].error;
        if (!strcmp(outcomes[i].name, name))
            return true;
    }
    return false;
}

enum qsv_status qsv_io_set_fault(const char *text, struct qsv_error *err)
{
    char *end;
    memset(&fault, 0, sizeof fault);
    if (!text || !*text)
        return QSV_OK;
    size_t n = strcspn(text, ":");
    if (!text[n] || !find_operation(text, n) || text[n + 1] < '0' || text[n + 1] > '9')
        return fail_fault(err, text);
    fault.from = strtoul(text + n + 1, &end, 10);
    fault.onwards = *end == '+';
    end += fault.onwards;
    if (!fault.from || (*end && *end != ':') || !find_outcome(*end ? end + 1 : "ENOSPC"))
        return fail_fault(err, text);
    fault.set = true;
    return QSV_OK;
}

unsigned long qsv_io_calls(void)
{
    return fault.counts[ANY];
}

static bool is_hit(unsigned long count)
{
    return fault.onwards ? count >= fault.from : count == fault.from;
}

/* 0: the call goes on; else what comes of it. */
static int next_call(enum operation o)
{
    if (!fault.set)
        return 0;
    fault.counts[o]++;
    fault.counts[ANY]++;
    if (fault.operation != o && fault.operation != ANY)
        return 0;
    return is_hit(fault.counts[fault.operation]) ? fault.outcome : 0;
}

/* Whether the call must not be made; then errno is set. */
static bool fails(enum operation o)
{
    int outcome = next_call(o);
    if (outcome == KILL)
        raise(SIGKILL);
    errno = outcome;
    return outcome != 0;
}

int qsv_io_open(const char *path, int flags)
{
    return fails(OPEN) ? -1 : open(path, flags | O_CLOEXEC, 0666);
}

static int write_all(int fd, const char *data, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        ssize_t n = write(fd, data + at, bytes - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        at += (size_t)n;
    }
    return 0;
}

int qsv_io_write(int fd, const void *data, size_t bytes)
{
    int outcome = next_call(WRITE);
    if (outcome == KILL) {
        write_all(fd, data, bytes / 2);
        raise(SIGKILL);
    }
    errno = outcome;
    return outcome ? -1 : write_all(fd, data, bytes);
}

int qsv_io_fsync(int fd)
{
    return fails(FSYNC) ? -1 : fsync(fd);
}

int qsv_io_rename(const char *from, const char *to)
{
    return fails(RENAME) ? -1 : rename(from, to);
}

int qsv_io_link(const char *from, const char *to)
{
    return fails(RENAME) ? -1 : link(from, to);
}

int qsv_io_mkdir(const char *path)
{
    return fails(OPEN) ? -1 : mkdir(path, 0777);
}

static const char *advice(int error)
{
    switch (error) {
    case ENOSPC:
        return "; make room, then the same command goes on";
    case EDQUOT:
        return "; make room within your quota, then the same command goes on";
    case EROFS:
        return "; choose a folder on a file system that can be written";
    case EACCES:
    case EPERM:
        return "; choose a folder that you may write, or have its permissions changed";
    case EIO:
    case ESTALE:
        return "; the disk or file server has trouble: when it is back, the same command goes on";
    default:
        return "";
    }
}

enum qsv_status qsv_io_fail(struct qsv_error *err, const char *path, const char *doing)
{
    int error = errno;
    return qsv_fail(err, QSV_EIO, "%s: %s: %s%s", path, doing, strerror(error), advice(error));
}
