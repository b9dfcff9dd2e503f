/* What simulations take from a run that was recorded: its answers, and how long its tasks took.
 */
#ifndef QSV_RECORDED_H
#define QSV_RECORDED_H

#include <stdbool.h>

#include "core/model.h"
#include "jobs/metrics.h"
#include "results/ledger.h"

/* A trial's records of shards first .. first + count - 1 added up; false where one is missing. */
bool qsv_recorded_answer(const struct qsv_ledger *l, uint64_t trial_id, uint32_t first,
                         uint32_t count, const struct qsv_model *model, const uint8_t *formats,
                         struct qsv_metrics *out);

/* Seconds that an image of a whole network took, a task each [n], free() them. Tasks are put
 * together again from who reported what when; those of `attempt` only, 0: all. QSV_EINPUT where
 * there is none. */
enum qsv_status qsv_recorded_seconds(double **out, size_t *n, const struct qsv_ledger *l,
                                     const struct qsv_model *model, uint32_t attempt,
                                     struct qsv_error *err);

#endif
