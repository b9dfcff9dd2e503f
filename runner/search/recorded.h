/* What simulations take from a run that was recorded: its answers, and how long its tasks took.
 */
#ifndef QSV_RECORDED_H
#define QSV_RECORDED_H

#include <stdbool.h>

#include "core/model.h"
#include "jobs/metrics.h"
#include "results/ledger.h"
#include "runner/coordinator/troop.h"

/* A trial's records of shards first .. first + count - 1 added up; false where one is missing. */
bool qsv_recorded_answer(const struct qsv_ledger *l, uint64_t trial_id, uint32_t first,
                         uint32_t count, const struct qsv_model *model, enum qsv_format affine,
                         const uint8_t *formats, struct qsv_metrics *out);

/* Seconds of an image with real and with integer weights are the least squares over tasks, whose
 * variances are taken to be in proportion to their work: so residuals add up to nothing. Where the
 * two can't be told apart they are the same. */
struct qsv_recorded_times {
    struct qsv_troop_times tasks;
    double record_s; /* between the end of a task and the beginning of its rank's next: writing the
                        segment, reporting it, and being sent the next task. The mean of gaps up to
                        ten times the median; longer ones are taken for waiting for other ranks */
    double span_s;   /* from the first task's beginning to the last one's end */
    uint32_t ranks;  /* of the attempt; 0: not known */
};

/* Tasks are put together again from who reported what when; those of `attempt` only, 0: the last
 * one. QSV_EINPUT where there is none. */
enum qsv_status qsv_recorded_times_init(struct qsv_recorded_times *t, const struct qsv_ledger *l,
                                        const struct qsv_model *model, uint32_t attempt,
                                        struct qsv_error *err);
void qsv_recorded_times_fini(struct qsv_recorded_times *t);

#endif
