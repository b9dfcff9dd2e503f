/* The bank of a run as a job of the coordinator, before the search begins. */
#ifndef QSV_CODES_JOB_H
#define QSV_CODES_JOB_H

#include "results/store.h"
#include "runner/inputs/codes.h"
#include "runner/coordinator/coordinator.h"
#include "runner/status/live.h"
#include "runner/status/progress.h"

struct qsv_codes_job { /* the pointers outlive it */
    const struct qsv_codes *codes;
    struct qsv_coordinator *coordinator;
    struct qsv_store *store;
    struct qsv_progress *progress;
    struct qsv_live_writer *live;
};

/* Loads what was made before, has the workers make what is missing, and notes the step. A damaged
 * RUN/bank.h5 is QSV_EINPUT: codes made anew might differ from those that records were made with.
 */
enum qsv_status qsv_codes_job_run(const struct qsv_codes_job *j, struct qsv_error *err);

#endif
