#define _GNU_SOURCE
#include "runner/status/submission.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "results/lock.h"

static void add_id(struct qsv_job_ids *ids, const char *id)
{
    if (!qsv_slurm_is_id(id))
        return;
    for (size_t i = 0; i < ids->n; i++)
        if (!strcmp(ids->v[i], id))
            return;
    if (ids->n == QSV_MOST_JOBS) /* the oldest goes */
        memmove(ids->v[0], ids->v[1], --ids->n * sizeof ids->v[0]);
    snprintf(ids->v[ids->n++], QSV_JOB_ID, "%s", id);
}

static char *read_text(const char *run_folder, const char *name)
{
    uint8_t *text = NULL;
    size_t bytes;
    char *path = qsv_file_join(run_folder, name);
    if (path)
        qsv_file_read(&text, &bytes, path, 4096, NULL);
    free(path);
    return (char *)text;
}

void qsv_job_ids_read(struct qsv_job_ids *out, const char *run_folder)
{
    struct qsv_lock_holder holder;
    char *text = read_text(run_folder, "job.id"), *rest = text;
    *out = (struct qsv_job_ids){.n = 0};
    for (char *line; text && (line = strsep(&rest, "\n"));)
        add_id(out, line);
    free(text);
    qsv_lock_look(run_folder, &holder);
    if (holder.state != QSV_LOCK_FREE)
        add_id(out, holder.job);
}

static int weight_of(const struct qsv_slurm_job *job, const struct qsv_job_end *end)
{
    if (!job->known)
        return 0;
    if (job->over)
        return strcmp(job->id, end->id) ? 1 : 2;
    return job->running ? 4 : 3;
}

enum qsv_status qsv_job_find(struct qsv_slurm_job *out, const char *run_folder,
                             struct qsv_error *err)
{
    struct qsv_job_ids ids;
    struct qsv_job_end end;
    *out = (struct qsv_slurm_job){0};
    qsv_job_ids_read(&ids, run_folder);
    qsv_job_end_read(&end, run_folder);
    for (size_t i = 0; i < ids.n; i++) {
        struct qsv_slurm_job job;
        enum qsv_status st = qsv_slurm_look(&job, ids.v[i], err);
        if (st)
            return st;
        if (weight_of(&job, &end) >= weight_of(out, &end))
            *out = job;
    }
    return QSV_OK;
}

static enum qsv_status find_of_job(char **folder, const char *id, struct qsv_error *err)
{
    static const char script[] = "/job.sh";
    struct qsv_slurm_job job;
    enum qsv_status st = qsv_slurm_look(&job, id, err);
    if (st)
        return qsv_fail_in(err, st,
                           "there is no folder '%s', and whether it is a job can't be asked", id);
    size_t n = strlen(job.command);
    if (!job.known)
        return qsv_fail(err, QSV_EUSAGE,
                        "there is no folder '%s', and Slurm knows no such job, or has forgotten "
                        "it: expected a run's folder or the number of its job",
                        id);
    if (n < sizeof script || strcmp(job.command + n - (sizeof script - 1), script) != 0)
        return qsv_fail(err, QSV_EUSAGE, "job %s is none of qsvit submit: its script is '%s'", id,
                        job.command);
    *folder = qsv_strndup(job.command, n - (sizeof script - 1));
    return *folder ? QSV_OK : qsv_fail_memory(err, id);
}

enum qsv_status qsv_run_find(char **folder, const char *run_or_job, struct qsv_error *err)
{
    struct stat s;
    *folder = NULL;
    if (qsv_slurm_is_id(run_or_job) && stat(run_or_job, &s) < 0)
        return find_of_job(folder, run_or_job, err);
    *folder = qsv_strdup(run_or_job);
    return *folder ? QSV_OK : qsv_fail_memory(err, run_or_job);
}

bool qsv_job_end_read(struct qsv_job_end *out, const char *run_folder)
{
    char *text = read_text(run_folder, "job.end");
    *out = (struct qsv_job_end){0};
    bool ok = text && sscanf(text, "%d %23s", &out->status, out->id) == 2;
    if (!ok)
        *out = (struct qsv_job_end){0};
    free(text);
    return ok;
}

static const char seal_format[] = "# qsvit-script %016" PRIx64 "\n";
enum { SEAL_BYTES = 32 }; /* of such a line */

static const char *behind_line(const char *text)
{
    return text + strcspn(text, "\n") + (strchr(text, '\n') != NULL);
}

static void format_seal(char line[SEAL_BYTES + 1], const char *rest)
{
    snprintf(line, SEAL_BYTES + 1, seal_format, qsv_hash_bytes(rest, strlen(rest)));
}

bool qsv_script_is_sealed(const char *text)
{
    char line[SEAL_BYTES + 1];
    const char *seal = behind_line(text), *rest = behind_line(seal);
    format_seal(line, rest);
    return !strncmp(seal, line, SEAL_BYTES);
}

void qsv_script_seal(struct qsv_strbuf *script)
{
    char line[SEAL_BYTES + 1];
    struct qsv_strbuf out = {0};
    const char *rest = behind_line(script->text);
    format_seal(line, rest);
    qsv_strbuf_add(&out, script->text, (size_t)(rest - script->text));
    qsv_strbuf_puts(&out, line);
    qsv_strbuf_puts(&out, rest);
    out.failed |= script->failed;
    qsv_strbuf_fini(script);
    *script = out;
}

static bool holds(const char *line, size_t n, const char *words)
{
    return memmem(line, n, words, strlen(words)) != NULL;
}

static bool begins(const char *line, size_t n, const char *words)
{
    return n >= strlen(words) && !memcmp(line, words, strlen(words));
}

void qsv_log_error(struct qsv_strbuf *out, const char *log, size_t bytes)
{
    const char *own = NULL, *slurm = NULL, *end = log + bytes;
    size_t own_n = 0, slurm_n = 0;
    for (const char *line = log, *next; line < end; line = next) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((newline ? newline : end) - line);
        next = newline ? newline + 1 : end;
        if (holds(line, n, " job ") && holds(line, n, ": restart ")) {
            own = slurm = NULL;
        } else if (begins(line, n, "qsvit: ") && !begins(line, n, "qsvit: warning: ") &&
                   !begins(line, n, "qsvit: stopped ")) {
            own = line, own_n = n;
        } else if (holds(line, n, " error: ") && !holds(line, n, "exit code 75")) {
            slurm = line, slurm_n = n;
        }
    }
    if (own)
        qsv_strbuf_add(out, own, own_n);
    else if (slurm)
        qsv_strbuf_add(out, slurm, slurm_n);
}
