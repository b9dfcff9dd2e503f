#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "results/lock.h"
#include "runner/program/commands.h"
#include "runner/status/submission.h"

struct values {
    const char *run;
};

static const struct qsv_option options[] = {
    {QSV_OPTION_OPERAND, "RUN|JOB", 0, NULL, offsetof(struct values, run), true, NULL, 0,
     "a run's folder, or the number of its job"},
    {.type = QSV_OPTION_END},
};

/* All of them: a job and the successor that waits for it. The last first, which must not begin when
 * the first one ends. */
static enum qsv_status cancel_jobs(const char *folder, struct qsv_strbuf *text,
                                   struct qsv_error *err)
{
    struct qsv_job_ids ids;
    enum qsv_status st = QSV_OK;
    qsv_job_ids_read(&ids, folder);
    for (size_t i = ids.n; i-- > 0 && !st;) {
        struct qsv_slurm_job job;
        st = qsv_slurm_look(&job, ids.v[i], err);
        if (st || !job.known || job.over)
            continue;
        st = qsv_slurm_cancel(job.id, err);
        if (!st)
            qsv_strbuf_printf(text, "job %s, which was %s, is cancelled\n", job.id, job.state);
    }
    return st;
}

/* A run that no batch job holds, on this machine. */
static enum qsv_status stop_process(const char *folder, struct qsv_strbuf *text,
                                    struct qsv_error *err)
{
    struct qsv_lock_holder holder;
    qsv_lock_look(folder, &holder);
    if (holder.state == QSV_LOCK_REMOTE && holder.pid)
        return qsv_fail(err, QSV_EFAILED,
                        "%s: process %ld on host %s holds this run, in no job: end it there",
                        folder, holder.pid, holder.host);
    if (holder.state != QSV_LOCK_ALIVE) {
        qsv_strbuf_printf(text, "nothing is running or waiting for %s\n", folder);
        return QSV_OK;
    }
    if (kill((pid_t)holder.pid, SIGTERM) < 0)
        return qsv_fail(err, QSV_EFAILED, "%s: cannot stop process %ld: %s", folder, holder.pid,
                        strerror(errno));
    qsv_strbuf_printf(text, "process %ld is asked to stop\n", holder.pid);
    return QSV_OK;
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_strbuf text = {0};
    char *folder;
    enum qsv_status st = qsv_run_find(&folder, v->run, err);
    if (!st)
        st = cancel_jobs(folder, &text, err);
    if (!st && !text.len)
        st = stop_process(folder, &text, err);
    if (!st)
        st = qsv_print(in->out, &text, err);
    qsv_strbuf_fini(&text);
    free(folder);
    return st;
}

const struct qsv_command qsv_cmd_cancel = {
    .name = "cancel",
    .summary = "Ends a run, or takes its job out of the queue",
    .synopsis = "RUN|JOB",
    .details = "What is recorded stays: qsvit submit, or qsvit run, goes on from there.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
