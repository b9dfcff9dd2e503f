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

enum { LINE = 256, TRIES = 200 };

struct qsv_lock {
    char *path;
    char line[LINE]; /* what is in it */
};

/* Who may hold a lock: a process of a host, told from a later one of the same number by when it
 * started, and by its pid namespace from one of another container. */
struct process {
    char host[65], space[33];
    long pid;
    unsigned long long start_ticks;
    double since_unix_s;
    char job[24];      /* number of its Slurm job; "": none */
    unsigned restarts; /* of that job before this process */
};

/* False where there is no such process; a zombie is none. */
static bool read_start(long pid, unsigned long long *start_ticks)
{
    char path[64], text[1024], state;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    /* The second field is the command in parentheses and may hold anything. */
    const char *rest = strrchr(text, ')');
    return rest &&
           sscanf(rest + 1,
                  " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
                  "%*d %*d %llu",
                  &state, start_ticks) == 2 &&
           state != 'Z' && state != 'X';
}

static void describe_job(struct process *p)
{
    const char *job = getenv("SLURM_JOB_ID"), *restarts = getenv("SLURM_RESTART_COUNT");
    if (!job || !*job || strlen(job) >= sizeof p->job || job[strspn(job, "0123456789")])
        return;
    memcpy(p->job, job, strlen(job) + 1);
    p->restarts = restarts ? (unsigned)strtoul(restarts, NULL, 10) : 0;
}

static void describe_self(struct process *p)
{
    *p = (struct process){.pid = (long)getpid(), .since_unix_s = qsv_clock_unix_s()};
    if (gethostname(p->host, sizeof p->host - 1) < 0 || !p->host[0])
        snprintf(p->host, sizeof p->host, "unknown");
    ssize_t n = readlink("/proc/self/ns/pid", p->space, sizeof p->space - 1);
    if (n <= 0)
        snprintf(p->space, sizeof p->space, "unknown");
    read_start(p->pid, &p->start_ticks);
    describe_job(p);
}

static void format_line(char line[LINE], const struct process *p)
{
    int n = snprintf(line, LINE, "qsvit host %s pid %ld start %llu space %s since %.3f", p->host,
                     p->pid, p->start_ticks, p->space, p->since_unix_s);
    if (*p->job)
        n += snprintf(line + n, LINE - (size_t)n, " job %s restart %u", p->job, p->restarts);
    snprintf(line + n, LINE - (size_t)n, "\n");
}

static bool parse_line(const char *line, struct process *p)
{
    *p = (struct process){0};
    int n =
        sscanf(line, "qsvit host %64s pid %ld start %llu space %32s since %lf job %23s restart %u",
               p->host, &p->pid, &p->start_ticks, p->space, &p->since_unix_s, p->job, &p->restarts);
    if (n != 7)
        *p->job = '\0';
    return n >= 5;
}

static enum qsv_lock_state state_of(const struct process *holder)
{
    struct process self;
    unsigned long long start;
    describe_self(&self);
    if (*holder->job && !strcmp(holder->job, self.job) && holder->restarts < self.restarts)
        return QSV_LOCK_DEAD;
    if (strcmp(holder->host, self.host) || strcmp(holder->space, self.space) ||
        access("/proc/self/stat", R_OK) < 0)
        return QSV_LOCK_REMOTE;
    bool alive = read_start(holder->pid, &start) && start == holder->start_ticks;
    return alive ? QSV_LOCK_ALIVE : QSV_LOCK_DEAD;
}

static void read_fd(int fd, char line[LINE])
{
    ssize_t n = pread(fd, line, LINE - 1, 0);
    line[n > 0 ? n : 0] = '\0';
}

/* QSV_LOCK_FREE where the file is gone. *fd is open on it otherwise. */
static enum qsv_lock_state look(const char *path, int *fd, struct process *holder)
{
    char line[LINE];
    *holder = (struct process){0};
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return errno == ENOENT ? QSV_LOCK_FREE : QSV_LOCK_REMOTE;
    read_fd(*fd, line);
    return parse_line(line, holder) ? state_of(holder) : QSV_LOCK_REMOTE;
}

static bool same_file(int fd, const char *path)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static bool holds(const char *path, const char *line)
{
    char found[LINE] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    read_fd(fd, found);
    close(fd);
    return !strcmp(found, line);
}

/* Replaces a dead process's lock, open as fd. Several may try at once: who has the kernel's lock on
 * the dead file, while it still is the file of that name, puts its own in its place. All of them
 * are of this host, so flock(2) reaches them. File systems without it leave a look after a while.
 */
static enum qsv_status replace(const char *path, int fd, const char *temporary, const char *line,
                               bool *taken, struct qsv_error *err)
{
    bool guarded = flock(fd, LOCK_EX | LOCK_NB) == 0;
    *taken = false;
    if (!guarded && errno == EWOULDBLOCK)
        return QSV_OK;
    if (!same_file(fd, path))
        return QSV_OK;
    if (qsv_io_rename(temporary, path) < 0)
        return qsv_io_fail(err, path, "cannot take over the lock of a process that is gone");
    if (!guarded)
        qsv_clock_nap_s(0.2);
    *taken = holds(path, line);
    return QSV_OK;
}

static enum qsv_status fail_held(struct qsv_error *err, const char *path,
                                 const struct process *holder, enum qsv_lock_state state)
{
    char since[24];
    if (!holder->pid)
        return qsv_fail(err, QSV_EIDENTITY,
                        "%s: cannot be read: perhaps another process is just taking this run; "
                        "if none is, remove the file",
                        path);
    qsv_clock_utc(holder->since_unix_s, since);
    return qsv_fail(
        err, QSV_EIDENTITY, "%s: this run is held by process %ld on host %s%s%s since %s%s", path,
        holder->pid, holder->host, *holder->job ? " of Slurm job " : "", holder->job, since,
        state == QSV_LOCK_ALIVE ? ""
                                : ", which can't be looked at from here; if it is "
                                  "gone, remove the file");
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

/* One try: *taken, or an error where somebody else holds it, or neither: try again. */
static enum qsv_status try(const char *path, const char *temporary, const char *line, bool *taken,
                           struct qsv_error *err)
{
    struct process holder;
    int fd = -1;
    *taken = claim(path, temporary, line);
    if (*taken)
        return QSV_OK;
    if (errno != EEXIST)
        return qsv_io_fail(err, path, "cannot create");
    enum qsv_status st = QSV_OK;
    enum qsv_lock_state state = look(path, &fd, &holder);
    if (state == QSV_LOCK_DEAD)
        st = replace(path, fd, temporary, line, taken, err);
    else if (state != QSV_LOCK_FREE)
        st = fail_held(err, path, &holder, state);
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
    struct process self;
    struct qsv_strbuf own = {0};
    struct qsv_lock *lock = qsv_alloc(1, sizeof *lock);
    if (!lock)
        return NULL;
    describe_self(&self);
    format_line(lock->line, &self);
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

void qsv_lock_look(const char *run_folder, struct qsv_lock_holder *out)
{
    struct process holder = {0};
    int fd = -1;
    char *path = qsv_file_join(run_folder, "lock");
    *out = (struct qsv_lock_holder){.state = path ? look(path, &fd, &holder) : QSV_LOCK_REMOTE};
    memcpy(out->host, holder.host, sizeof out->host);
    memcpy(out->job, holder.job, sizeof out->job);
    out->pid = holder.pid;
    out->since_unix_s = holder.since_unix_s;
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
