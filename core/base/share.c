#define _GNU_SOURCE
#include "core/base/share.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, NAME = 80 };

/* A process that fills a file takes tenths of a second; a rank that waits is not heard from. */
static const double longest_wait_s = 5, nap_s = 2e-3;

struct qsv_share {
    int turn, announcement; /* sockets that only hold names; -1: another process has them */
    int file;
    const uint8_t *base; /* mapped */
    size_t bytes;
};

static bool lay_out(size_t *bytes, const struct qsv_share_piece *pieces, size_t n)
{
    *bytes = 0;
    for (size_t i = 0; i < n; i++) {
        size_t end;
        if (__builtin_add_overflow(*bytes, pieces[i].bytes, &end) ||
            end > (SIZE_MAX >> 1) - QSV_ALIGN)
            return false;
        *bytes = (end + QSV_ALIGN - 1) / QSV_ALIGN * QSV_ALIGN;
    }
    return *bytes > 0;
}

/* A socket of that name, for which nobody else has one; -1: somebody has. */
static int take_name(const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(a.sun_path + 1, name, n);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, length) < 0) {
        int why = errno;
        close(fd);
        errno = why;
        fd = -1;
    }
    return fd;
}

static bool write_all(int fd, const uint8_t *data, size_t bytes, size_t at)
{
    while (bytes) {
        ssize_t n = pwrite(fd, data, bytes, (off_t)at);
        if (n <= 0)
            return false;
        data += n;
        at += (size_t)n;
        bytes -= (size_t)n;
    }
    return true;
}

static bool map(struct qsv_share *s)
{
    s->base = mmap(NULL, s->bytes, PROT_READ, MAP_SHARED, s->file, 0);
    if (s->base == MAP_FAILED)
        s->base = NULL;
    return s->base != NULL;
}

/* By write(2), which fails where there is no room; a store through a mapping would end us. */
static enum qsv_status publish(struct qsv_share *s, const char *name,
                               const struct qsv_share_piece *pieces, size_t n,
                               struct qsv_error *err)
{
    char announced[NAME + 40];
    size_t at = 0;
    s->file = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool ok = s->file >= 0 && ftruncate(s->file, (off_t)s->bytes) == 0;
    for (size_t i = 0; ok && i < n; i++) {
        ok = write_all(s->file, pieces[i].data, pieces[i].bytes, at);
        at += (pieces[i].bytes + QSV_ALIGN - 1) / QSV_ALIGN * QSV_ALIGN;
    }
    if (!ok || fcntl(s->file, F_ADD_SEALS, SEALS) < 0 || !map(s))
        return qsv_fail(err, QSV_EFAILED, "a memory file of %zu bytes cannot be made: %s", s->bytes,
                        strerror(errno));
    snprintf(announced, sizeof announced, "%s-%ld-%d", name, (long)getpid(), s->file);
    s->announcement = take_name(announced);
    return s->announcement >= 0
               ? QSV_OK
               : qsv_fail(err, QSV_EFAILED, "a memory file cannot be announced: %s",
                          strerror(errno));
}

/* The process and descriptor of the one who has published. */
static bool find_announcement(const char *name, long *pid, int *fd)
{
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    FILE *f = fopen("/proc/net/unix", "re");
    while (f && !found && getline(&line, &room, f) > 0) {
        const char *at = strchr(line, '@');
        if (at && !strncmp(at + 1, name, strlen(name)))
            found = sscanf(at + 1 + strlen(name), "-%ld-%d", pid, fd) == 2;
    }
    free(line);
    if (f)
        fclose(f);
    return found;
}

static bool is_equal(const struct qsv_share *s, const struct qsv_share_piece *pieces, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (pieces[i].bytes && memcmp(s->base + at, pieces[i].data, pieces[i].bytes))
            return false;
        at += (pieces[i].bytes + QSV_ALIGN - 1) / QSV_ALIGN * QSV_ALIGN;
    }
    return true;
}

static enum qsv_status adopt(struct qsv_share *s, long pid, int fd,
                             const struct qsv_share_piece *pieces, size_t n, struct qsv_error *err)
{
    char path[64];
    struct stat info;
    snprintf(path, sizeof path, "/proc/%ld/fd/%d", pid, fd);
    s->file = open(path, O_RDONLY | O_CLOEXEC);
    if (s->file < 0)
        return qsv_fail(err, QSV_EFAILED, "%s, which another process has published: %s", path,
                        strerror(errno));
    int seals = fcntl(s->file, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(s->file, &info) < 0 ||
        (uint64_t)info.st_size != s->bytes || !map(s) || !is_equal(s, pieces, n))
        return qsv_fail(err, QSV_EFAILED,
                        "%s, which another process has published, is not the same", path);
    return QSV_OK;
}

/* Whoever gets the name publishes; the others wait for that. */
static enum qsv_status find_or_publish(struct qsv_share *s, const char *name,
                                       const struct qsv_share_piece *pieces, size_t n,
                                       struct qsv_error *err)
{
    const double until_s = qsv_clock_monotonic_s() + longest_wait_s;
    do {
        long pid;
        int fd;
        if (find_announcement(name, &pid, &fd))
            return adopt(s, pid, fd, pieces, n, err);
        s->turn = take_name(name);
        if (s->turn >= 0)
            return publish(s, name, pieces, n, err);
        if (errno != EADDRINUSE)
            return qsv_fail(err, QSV_EFAILED, "no socket can be named: %s", strerror(errno));
        qsv_clock_nap_s(nap_s);
    } while (qsv_clock_monotonic_s() < until_s);
    return qsv_fail(err, QSV_EFAILED, "another process has begun to publish it and not ended");
}

enum qsv_status qsv_share_create(struct qsv_share **out, uint64_t key,
                                 const struct qsv_share_piece *pieces, size_t n,
                                 const void **shared, struct qsv_error *err)
{
    char name[NAME];
    struct qsv_share *s = *out = qsv_alloc(1, sizeof *s);
    if (!s)
        return qsv_fail_memory(err, "shared memory");
    *s = (struct qsv_share){.turn = -1, .announcement = -1, .file = -1};
    enum qsv_status st = QSV_OK;
    if (!lay_out(&s->bytes, pieces, n))
        st = qsv_fail(err, QSV_EFAILED, "there is nothing to share, or too much");
    snprintf(name, sizeof name, "qsvit-%ld-%016" PRIx64 "-%zx", (long)geteuid(), key, s->bytes);
    if (!st)
        st = find_or_publish(s, name, pieces, n, err);
    if (st) {
        qsv_share_destroy(s);
        *out = NULL;
        return st;
    }
    const uint8_t *at = s->base;
    for (size_t i = 0; i < n; i++) {
        shared[i] = at;
        at += (pieces[i].bytes + QSV_ALIGN - 1) / QSV_ALIGN * QSV_ALIGN;
    }
    return QSV_OK;
}

void qsv_share_destroy(struct qsv_share *s)
{
    if (!s)
        return;
    if (s->base)
        munmap((void *)(uintptr_t)s->base, s->bytes);
    const int fds[] = {s->announcement, s->turn, s->file};
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(s);
}
