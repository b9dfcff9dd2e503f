#include "results/holder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"

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

/* A word of the environment, as short and plain as a batch system's ids are. */
static void copy_word(char *out, size_t room, const char *name)
{
    static const char plain[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-";
    const char *text = getenv(name);
    bool fits = text && *text && strlen(text) < room && text[strspn(text, plain)] == '\0';
    snprintf(out, room, "%s", fits ? text : "-");
}

void qsv_holder_of_self(struct qsv_holder *h)
{
    const char *restarts = getenv("SLURM_RESTART_COUNT");
    *h = (struct qsv_holder){.pid = (long)getpid(), .since_unix_s = qsv_clock_unix_s()};
    if (gethostname(h->host, sizeof h->host - 1) < 0 || !h->host[0])
        snprintf(h->host, sizeof h->host, "unknown");
    ssize_t n = readlink("/proc/self/ns/pid", h->space, sizeof h->space - 1);
    if (n <= 0)
        snprintf(h->space, sizeof h->space, "unknown");
    read_start(h->pid, &h->start_ticks);
    copy_word(h->job, sizeof h->job, "SLURM_JOB_ID");
    h->restarts = restarts ? strtol(restarts, NULL, 10) : 0;
}

void qsv_holder_format(char line[QSV_HOLDER_LINE], const struct qsv_holder *h)
{
    snprintf(line, QSV_HOLDER_LINE,
             "qsvit host %s pid %ld start %llu space %s since %.3f job %s restarts %ld\n", h->host,
             h->pid, h->start_ticks, h->space, h->since_unix_s, h->job, h->restarts);
}

bool qsv_holder_parse(struct qsv_holder *h, const char *line)
{
    *h = (struct qsv_holder){0};
    int n = sscanf(
        line, "qsvit host %64s pid %ld start %llu space %32s since %lf job %32s restarts %ld",
        h->host, &h->pid, &h->start_ticks, h->space, &h->since_unix_s, h->job, &h->restarts);
    if (n == 7)
        return true;
    *h = (struct qsv_holder){0};
    return false;
}

enum qsv_holder_fate qsv_holder_fate(const struct qsv_holder *h)
{
    struct qsv_holder self;
    unsigned long long start;
    qsv_holder_of_self(&self);
    /* A job's processes are gone before the batch system starts it again. */
    if (strcmp(h->job, "-") != 0 && !strcmp(h->job, self.job) && h->restarts < self.restarts)
        return QSV_HOLDER_DEAD;
    if (strcmp(h->host, self.host) != 0 || strcmp(h->space, self.space) != 0 ||
        access("/proc/self/stat", R_OK) < 0)
        return QSV_HOLDER_UNKNOWN;
    bool alive = read_start(h->pid, &start) && start == h->start_ticks;
    return alive ? QSV_HOLDER_ALIVE : QSV_HOLDER_DEAD;
}
