#include "results/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/io.h"
#include "core/base/strbuf.h"
#include "results/holder.h"

enum { TRIES = 200, REFRESH_S = 15 };

struct qsv_lock {
    char *path;
    char line[QSV_HOLDER_LINE]; /* what is in it */
    double refreshed_s;
};

static double touched_s(const struct stat *s)
{
    return (double)s->st_mtim.tv_sec + (double)s->st_mtim.tv_nsec * 1e-9;
}

static void read_fd(int fd, char line[QSV_HOLDER_LINE])
{
    ssize_t n = pread(fd, line, QSV_HOLDER_LINE - 1, 0);
    line[n > 0 ? n : 0] = '\0';
}

static enum qsv_lock_state state_of(const struct qsv_holder *holder, double age_s)
{
    enum qsv_holder_fate fate = holder->pid ? qsv_holder_fate(holder) : QSV_HOLDER_UNKNOWN;
    if (fate == QSV_HOLDER_ALIVE)
        return QSV_LOCK_ALIVE;
    if (fate == QSV_HOLDER_DEAD)
        return QSV_LOCK_DEAD;
    return age_s > QSV_LOCK_STALE_S ? QSV_LOCK_STALE : QSV_LOCK_REMOTE;
}

/* QSV_LOCK_FREE where the file is gone. *fd is open on it otherwise. now_s is by the clock of the
 * file system; *age_s: since its holder last touched it. */
static enum qsv_lock_state look(const char *path, double now_s, int *fd, struct qsv_holder *holder,
                                double *age_s)
{
    char line[QSV_HOLDER_LINE];
    struct stat s;
    *holder = (struct qsv_holder){0};
    *age_s = 0;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return errno == ENOENT ? QSV_LOCK_FREE : QSV_LOCK_REMOTE;
    if (fstat(*fd, &s) == 0)
        *age_s = now_s - touched_s(&s);
    read_fd(*fd, line);
    qsv_holder_parse(holder, line);
    return state_of(holder, *age_s);
}

static bool same_file(int fd, const char *path)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static bool holds(const char *path, const char *line)
{
    char found[QSV_HOLDER_LINE] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    read_fd(fd, found);
    close(fd);
    return !strcmp(found, line);
}

/* Replaces a lock that nobody holds any more, open as fd. Several may try at once: who has the
 * kernel's lock on the old file, while it still is the file of that name, puts its own in its
 * place. Where flock(2) does not reach, from another host or on a file system without it, it looks
 * after a while whether somebody else was as quick. */
static enum qsv_status replace(const char *path, int fd, enum qsv_lock_state state,
                               const char *temporary, const char *line, bool *taken,
                               struct qsv_error *err)
{
    bool guarded = flock(fd, LOCK_EX | LOCK_NB) == 0;
    *taken = false;
    if (!guarded && errno == EWOULDBLOCK)
        return QSV_OK;
    if (!same_file(fd, path))
        return QSV_OK;
    if (qsv_io_rename(temporary, path) < 0)
        return qsv_io_fail(err, path, "cannot take over the lock of a process that is gone");
    if (!guarded || state == QSV_LOCK_STALE)
        qsv_clock_nap_s(0.5);
    *taken = holds(path, line);
    return QSV_OK;
}

static enum qsv_status fail_held(struct qsv_error *err, const char *path,
                                 const struct qsv_holder *holder, enum qsv_lock_state state,
                                 double age_s)
{
    char since[24], job[64] = "", advice[192] = "";
    if (!holder->pid)
        return qsv_fail(err, QSV_EIDENTITY,
                        "%s: cannot be read: perhaps another process is just taking this run; "
                        "if none is, remove the file",
                        path);
    qsv_clock_utc(holder->since_unix_s, since);
    if (strcmp(holder->job, "-") != 0)
        snprintf(job, sizeof job, ", job %s,", holder->job);
    if (state != QSV_LOCK_ALIVE)
        snprintf(
            advice, sizeof advice,
            ", which can't be looked at from here; it gave a sign of life %.0f s ago and counts "
            "as gone after %d; if you know that it is gone, remove the file",
            age_s > 0 ? age_s : 0, QSV_LOCK_STALE_S);
    const char *slash = strrchr(path, '/');
    return qsv_fail(err, QSV_EIDENTITY,
                    "%s: this run is held by process %ld on host %s%s since %s%s; qsvit watch %.*s "
                    "shows it",
                    path, holder->pid, holder->host, job, since, advice,
                    slash ? (int)(slash - path) : 1, slash ? path : ".");
}

/* Puts the lock where there is none; by a link, so that it is never seen half written, where the
 * file system has links. False (see errno) where it can't be. */
static bool claim(const char *path, const char *temporary, const char *line)
{
    if (qsv_io_link(temporary, path) == 0)
        return true;
    if (errno != EPERM && errno != ENOSYS && errno != EOPNOTSUPP)
        return false;
    int fd = qsv_io_open(path, O_WRONLY | O_CREAT | O_EXCL);
    if (fd < 0)
        return false;
    bool ok = qsv_io_write(fd, line, strlen(line)) == 0;
    if (close(fd) < 0 || !ok) {
        unlink(path);
        return false;
    }
    return true;
}

/* One try: *taken, or an error where somebody else holds it, or neither: try again. The temporary
 * file was just written, which tells the time by the clock of the file system. */
static enum qsv_status try(const char *path, const char *temporary, const char *line, bool *taken,
                           struct qsv_error *err)
{
    struct qsv_holder holder;
    struct stat now;
    double age_s;
    int fd = -1;
    *taken = claim(path, temporary, line);
    if (*taken)
        return QSV_OK;
    if (errno != EEXIST)
        return qsv_io_fail(err, path, "cannot create");
    if (stat(temporary, &now) < 0)
        return qsv_io_fail(err, temporary, "cannot look at");
    enum qsv_status st = QSV_OK;
    enum qsv_lock_state state = look(path, touched_s(&now), &fd, &holder, &age_s);
    if (state == QSV_LOCK_DEAD || state == QSV_LOCK_STALE)
        st = replace(path, fd, state, temporary, line, taken, err);
    else if (state != QSV_LOCK_FREE)
        st = fail_held(err, path, &holder, state, age_s);
    if (fd >= 0)
        close(fd);
    return st;
}

static enum qsv_status take(struct qsv_lock *lock, const char *temporary, struct qsv_error *err)
{
    for (int i = 0; i < TRIES; i++) {
        bool taken;
        enum qsv_status st = try(lock->path, temporary, lock->line, &taken, err);
        if (st || taken)
            return st;
        qsv_clock_nap_s(0.01);
    }
    return qsv_fail(err, QSV_EIDENTITY, "%s: other processes keep taking this run", lock->path);
}

static enum qsv_status write_temporary(const char *temporary, const char *line,
                                       struct qsv_error *err)
{
    int fd = qsv_io_open(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0)
        return qsv_io_fail(err, temporary, "cannot create");
    enum qsv_status st = QSV_OK;
    if (qsv_io_write(fd, line, strlen(line)) < 0)
        st = qsv_io_fail(err, temporary, "cannot write");
    if (close(fd) < 0 && !st)
        st = qsv_io_fail(err, temporary, "cannot write");
    return st;
}

/* A lock that is not taken yet, and the path of a file of this process alone to take it with. */
static struct qsv_lock *create(const char *run_folder, char **temporary)
{
    struct qsv_holder self;
    struct qsv_strbuf own = {0};
    struct qsv_lock *lock = qsv_alloc(1, sizeof *lock);
    if (!lock)
        return NULL;
    qsv_holder_of_self(&self);
    qsv_holder_format(lock->line, &self);
    lock->path = qsv_file_join(run_folder, "lock");
    qsv_strbuf_printf(&own, "%s.%s", lock->path ? lock->path : "", self.host);
    if (lock->path && !own.failed)
        *temporary = qsv_file_temporary(own.text);
    qsv_strbuf_fini(&own);
    return lock;
}

enum qsv_status qsv_lock_take(struct qsv_lock **out, const char *run_folder, struct qsv_error *err)
{
    char *temporary = NULL;
    struct qsv_lock *lock = create(run_folder, &temporary);
    enum qsv_status st = QSV_OK;
    if (!temporary) {
        st = qsv_fail_memory(err, "a lock");
    } else {
        st = write_temporary(temporary, lock->line, err);
        if (!st)
            st = take(lock, temporary, err);
        unlink(temporary);
    }
    free(temporary);
    if (st && lock) {
        free(lock->path);
        free(lock);
    }
    *out = st ? NULL : lock;
    return st;
}

void qsv_lock_release(struct qsv_lock *lock)
{
    if (!lock)
        return;
    if (holds(lock->path, lock->line))
        unlink(lock->path);
    free(lock->path);
    free(lock);
}

enum qsv_status qsv_lock_check(struct qsv_lock *lock, struct qsv_error *err)
{
    if (!holds(lock->path, lock->line))
        return qsv_fail(
            err, QSV_EIDENTITY,
            "%s: is no longer this process's: the run was taken over or the file removed",
            lock->path);
    return QSV_OK;
}

enum qsv_status qsv_lock_refresh(struct qsv_lock *lock, struct qsv_error *err)
{
    double now_s = qsv_clock_monotonic_s();
    if (now_s < lock->refreshed_s + REFRESH_S)
        return QSV_OK;
    lock->refreshed_s = now_s;
    enum qsv_status st = qsv_lock_check(lock, err);
    /* Without times the file system's clock is taken. Where it fails the next write will, too. */
    if (!st)
        utimensat(AT_FDCWD, lock->path, NULL, 0);
    return st;
}

void qsv_lock_look(const char *run_folder, struct qsv_lock_holder *out)
{
    struct qsv_holder holder = {0};
    double age_s = 0;
    int fd = -1;
    char *path = qsv_file_join(run_folder, "lock");
    *out = (struct qsv_lock_holder){.state = QSV_LOCK_REMOTE};
    if (path)
        out->state = look(path, qsv_clock_unix_s(), &fd, &holder, &age_s);
    memcpy(out->host, holder.host, sizeof out->host);
    snprintf(out->job, sizeof out->job, "%s", strcmp(holder.job, "-") ? holder.job : "");
    out->pid = holder.pid;
    out->since_unix_s = holder.since_unix_s;
    out->age_s = age_s;
    if (fd >= 0)
        close(fd);
    free(path);
}

void qsv_lock_break(const char *run_folder, const struct qsv_lock_holder *holder)
{
    struct qsv_lock_holder now;
    qsv_lock_look(run_folder, &now);
    char *path = qsv_file_join(run_folder, "lock");
    if (path && now.pid == holder->pid && !strcmp(now.host, holder->host) &&
        now.since_unix_s == holder->since_unix_s)
        unlink(path);
    free(path);
}
