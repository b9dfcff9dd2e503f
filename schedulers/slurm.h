/* Slurm, through its own commands: sbatch, squeue, scancel, srun. Nothing here needs its
 * accounting. What Slurm refuses comes back in its own words.
 */
#ifndef QSV_SLURM_H
#define QSV_SLURM_H

#include <stdbool.h>

#include "core/base/error.h"
#include "core/base/strbuf.h"

enum { QSV_JOB_ID = 24 };

/* A job's number as people type it: digits only. */
bool qsv_slurm_is_id(const char *text);

/* A job as the queue shows it. */
struct qsv_slurm_job {
    bool known;   /* Slurm remembers it; the rest is filled only then */
    bool over;    /* it has ended for good */
    bool running; /* its processes may be there: RUNNING, COMPLETING, SUSPENDED, ... */
    char id[QSV_JOB_ID], state[24], nodes[16];
    char used[24], left[24]; /* of its time limit, as Slurm writes them: "1-02:03:04" */
    char start[24];          /* or when it is expected to start: "2026-01-31T12:00:00", "N/A" */
    char node_list[128], reason[128];
    char command[1024]; /* the script it was submitted with; "" where too long */
};

/* A line of squeue's output in QSV_SQUEUE_FORMAT. QSV_EFAILED where it is none. */
#define QSV_SQUEUE_FORMAT "%i\x1f%T\x1f%D\x1f%M\x1f%L\x1f%S\x1f%N\x1f%r\x1f%o"
enum qsv_status qsv_slurm_parse_job(struct qsv_slurm_job *out, const char *line,
                                    struct qsv_error *err);

/* Asks the queue. A job that Slurm has forgotten, or never had, is no failure: !known. */
enum qsv_status qsv_slurm_look(struct qsv_slurm_job *out, const char *id, struct qsv_error *err);

/* Submits a script; QSV_EINPUT with Slurm's words where it is refused. */
enum qsv_status qsv_slurm_submit(char id[QSV_JOB_ID], const char *script, struct qsv_error *err);
/* Asks whether it would be taken, and when it would start (Slurm's words, appended). */
enum qsv_status qsv_slurm_try(const char *script, struct qsv_strbuf *words, struct qsv_error *err);

/* The number in sbatch --parsable's output: "123" or "123;cluster". */
enum qsv_status qsv_slurm_parse_id(char id[QSV_JOB_ID], const char *text, struct qsv_error *err);

/* Ends a job, running or waiting. */
enum qsv_status qsv_slurm_cancel(const char *id, struct qsv_error *err);

/* Whether `name` is among the types that srun --mpi=list prints (text). A version may stand
 * behind: pmix_v4. */
bool qsv_slurm_lists_mpi(const char *text, const char *name);
/* Whether srun --mpi=`mpi` can start this program: QSV_EINPUT says what this Slurm has instead, or
 * that Open MPI cannot use it. QSV_OK also where nothing can be found out. */
enum qsv_status qsv_slurm_check_mpi(const char *mpi, struct qsv_error *err);

#endif
