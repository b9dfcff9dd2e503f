#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "runner/program/commands.h"
#include "runner/status/submission.h"

struct values {
    const char *run;
    uint64_t lines;
    bool follow;
};

static const struct qsv_option options[] = {
    {QSV_OPTION_OPERAND, "RUN|JOB", 0, NULL, offsetof(struct values, run), true, NULL, 0,
     "a run's folder, or the number of its job"},
    {QSV_OPTION_FLAG, "follow", 'f', NULL, offsetof(struct values, follow), false, NULL, 0,
     "go on with what is added, until the job is over"},
    {QSV_OPTION_COUNT, "lines", 'n', "N", offsetof(struct values, lines), false, NULL, 0,
     "only the last N lines"},
    {.type = QSV_OPTION_END},
};

static const double look_s = 0.3, ask_s = 10; /* at the file; Slurm */

struct following {
    const char *folder;
    char *path;
    int fd; /* -1: the file is not there yet */
    FILE *out;
};

/* Everything that is there now; *some: there was something. */
static enum qsv_status copy(struct following *f, bool *some, struct qsv_error *err)
{
    char bytes[1 << 14];
    ssize_t n;
    *some = false;
    while ((n = read(f->fd, bytes, sizeof bytes)) > 0) {
        *some = true;
        if (fwrite(bytes, 1, (size_t)n, f->out) != (size_t)n)
            return qsv_fail(err, QSV_EIO, "standard output: cannot write: %s", strerror(errno));
    }
    if (n < 0)
        return qsv_fail(err, QSV_EIO, "%s: cannot read: %s", f->path, strerror(errno));
    if (fflush(f->out))
        return qsv_fail(err, QSV_EIO, "standard output: cannot write: %s", strerror(errno));
    return QSV_OK;
}

/* To where the last n lines begin. */
static void seek_lines(int fd, uint64_t n)
{
    char bytes[1 << 14];
    off_t at = lseek(fd, 0, SEEK_END);
    bool last = true; /* the newline at the very end ends a line that counts */
    while (at > 0) {
        size_t want = at < (off_t)sizeof bytes ? (size_t)at : sizeof bytes;
        if (pread(fd, bytes, want, at - (off_t)want) != (ssize_t)want)
            break;
        for (size_t i = want; i-- > 0; last = false)
            if (bytes[i] == '\n' && !last && n-- == 1) {
                lseek(fd, at - (off_t)want + (off_t)i + 1, SEEK_SET);
                return;
            }
        at -= (off_t)want;
    }
    lseek(fd, 0, SEEK_SET);
}

/* A run that no job holds any more has nothing to add. */
static bool is_over(const struct following *f)
{
    struct qsv_slurm_job job;
    return qsv_job_find(&job, f->folder, NULL) == QSV_OK && (!job.known || job.over);
}

/* A log that was made anew, as by a job that does not append, is read from its beginning. */
static void look_again(struct following *f)
{
    struct stat s;
    if (f->fd >= 0 && fstat(f->fd, &s) == 0 && s.st_size < lseek(f->fd, 0, SEEK_CUR))
        lseek(f->fd, 0, SEEK_SET);
    if (f->fd < 0)
        f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
}

static enum qsv_status follow(struct following *f, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    bool over = false, some = true;
    double asked_s = qsv_clock_monotonic_s();
    while (!st && (!over || some)) {
        some = false;
        look_again(f);
        if (f->fd >= 0)
            st = copy(f, &some, err);
        if (!over && !some && qsv_clock_monotonic_s() - asked_s >= ask_s) {
            over = is_over(f);
            asked_s = qsv_clock_monotonic_s();
            some = over; /* once more: it may have written in between */
        }
        if (!st && !some)
            qsv_clock_nap_s(look_s);
    }
    return st;
}

static enum qsv_status fail_missing(const struct following *f, struct qsv_error *err)
{
    struct qsv_slurm_job job = {0};
    if (!qsv_job_find(&job, f->folder, NULL) && job.known && !job.over)
        return qsv_fail(err, QSV_EINPUT, "%s: is not there yet: job %s is %s (%s)", f->path, job.id,
                        job.state, job.reason);
    return qsv_fail(err, QSV_EINPUT, "%s: cannot open: %s; only jobs of qsvit submit have one",
                    f->path, strerror(ENOENT));
}

static enum qsv_status print(struct following *f, const struct values *v, struct qsv_error *err)
{
    bool some;
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0 && errno != ENOENT)
        return qsv_fail(err, QSV_EIO, "%s: cannot open: %s", f->path, strerror(errno));
    if (f->fd < 0 && !v->follow)
        return fail_missing(f, err);
    if (f->fd >= 0 && v->lines)
        seek_lines(f->fd, v->lines);
    return v->follow ? follow(f, err) : copy(f, &some, err);
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    char *folder;
    struct following f = {.fd = -1, .out = in->out};
    enum qsv_status st = qsv_run_find(&folder, v->run, err);
    if (st)
        return st;
    f.folder = folder;
    f.path = qsv_file_join(folder, "job.log");
    st = f.path ? print(&f, v, err) : qsv_fail_memory(err, "paths");
    if (f.fd >= 0)
        close(f.fd);
    free(f.path);
    free(folder);
    return st;
}

const struct qsv_command qsv_cmd_logs = {
    .name = "logs",
    .summary = "Shows what a run's job has printed",
    .synopsis = "RUN|JOB [-f] [-n N]",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
