/* What a worker was given and has not reported yet: its task in hand and the one queued behind it,
 * which spares it a round trip.
 */
#ifndef QSV_GIVEN_H
#define QSV_GIVEN_H

#include "jobs/record.h"
#include "runner/coordinator/deal.h"
#include "runner/base/task.h"

struct qsv_given {
    uint64_t number; /* of the task; 0: nothing */
    uint64_t call;   /* of the coordinator that it is part of */
    enum qsv_task_kind kind;
    uint32_t first_shard, n_shards, n_trials;
    uint32_t *trials; /* [n_trials] in the call */
    uint64_t *ids;    /* [n_trials] */
    double work;      /* images of a whole network */
    bool again;       /* it took too long, and was dealt to others as well */
};

enum qsv_status qsv_given_init(struct qsv_given *g, const struct qsv_task *t,
                               const struct qsv_hand *hand, uint64_t call, struct qsv_error *err);
void qsv_given_fini(struct qsv_given *g);

/* The trial, of the call, of the i-th record of the task's report; QSV_EFAILED for a record that
 * was not asked for. Fast where records come shard by shard, the trials in order. */
enum qsv_status qsv_given_find(const struct qsv_given *g, uint32_t i, const struct qsv_record *r,
                               uint32_t *trial, struct qsv_error *err);

#endif
