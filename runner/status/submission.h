/* A run as a batch job: the files beside its results, and which job it is.
 *
 *     RUN/job.sh     the script      RUN/job.id    its jobs' numbers, a line each, oldest first
 *     RUN/job.yaml   the spec        RUN/job.end   "STATUS JOB": how the sweep ended, if it did
 *     RUN/job.log    what it prints
 */
#ifndef QSV_SUBMISSION_H
#define QSV_SUBMISSION_H

#include <stdbool.h>

#include "schedulers/slurm.h"

/* The jobs that a run was given to: the last of those in job.id, and the one that holds the run. */
enum { QSV_MOST_JOBS = 4 };
struct qsv_job_ids {
    char v[QSV_MOST_JOBS][QSV_JOB_ID];
    size_t n;
};
void qsv_job_ids_read(struct qsv_job_ids *out, const char *run_folder);

/* Of those the one that counts: that runs, else that waits, else that has ended the sweep, else the
 * last that Slurm remembers. !known where it remembers none. */
enum qsv_status qsv_job_find(struct qsv_slurm_job *out, const char *run_folder,
                             struct qsv_error *err);

/* What a person calls a run by: its folder, or the number of its job. *folder is the caller's to
 * free. */
enum qsv_status qsv_run_find(char **folder, const char *run_or_job, struct qsv_error *err);

struct qsv_job_end {
    int status;
    char id[QSV_JOB_ID];
};
/* False where job.end is not there. */
bool qsv_job_end_read(struct qsv_job_end *out, const char *run_folder);

/* Whether a script is as qsv_script_seal has made it, or was edited since. */
bool qsv_script_is_sealed(const char *text);
/* Puts a line with a checksum of all that follows it behind the first line. */
void qsv_script_seal(struct qsv_strbuf *script);

/* The last thing that went wrong since the log's last start, appended; nothing where nothing did.
 */
void qsv_log_error(struct qsv_strbuf *out, const char *log, size_t bytes);

#endif
