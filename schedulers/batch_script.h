/* The batch script of a sweep: a bash script for sbatch that asks for what the spec's scheduler
 * section says, starts the ranks, asks them to stop ahead of the time limit or when it is told to,
 * and puts the job back into the queue. People read and edit it. schedulers/job.sh is its text.
 *
 * What the spec says is quoted, each thing in its place: only `setup` lines are shell.
 */
#ifndef QSV_BATCH_SCRIPT_H
#define QSV_BATCH_SCRIPT_H

#include "core/base/strbuf.h"
#include "jobs/spec.h"
#include "schedulers/launcher.h"

struct qsv_batch { /* paths are absolute */
    const struct qsv_spec *spec;
    const struct qsv_launcher *launcher;
    const char *program;
    const char *run; /* the run's folder: job.sh, job.yaml (the spec), job.log, job.id, job.end */
    const char *folder; /* that the spec's relative paths are taken from */
};

/* Appends it. QSV_EINPUT names the key of the spec that does not fit with another one, or a path
 * that a script can't hold. */
enum qsv_status qsv_batch_script(struct qsv_strbuf *out, const struct qsv_batch *b,
                                 struct qsv_error *err);

#endif
