/* A task: some trials on some shards in a row, what one rank does at a time. Tasks are of a kind,
 * one row of a table.
 */
#ifndef QSV_TASK_H
#define QSV_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/cursor.h"
#include "core/base/error.h"
#include "core/base/strbuf.h"
#include "results/segment.h"

enum qsv_task_kind {                        /* numbers go over the wire */
                     QSV_TASK_EVALUATE = 1, /* trials, by networks made from the bank: recorded */
                     QSV_TASK_VERIFY = 2,   /* one trial, by the network that was exported */
                     QSV_TASK_AHEAD = 3,    /* trials that nobody asked for yet: not recorded */
                     QSV_TASK_CODES = 4,    /* shards are parts of the bank: not recorded */
                     QSV_N_TASK_KINDS
};

/* "evaluate", "verify", "ahead", "codes". */
const char *qsv_task_kind_name(enum qsv_task_kind kind);

struct qsv_task {
    uint64_t number; /* from 1, in the order in which a coordinator dealt them */
    enum qsv_task_kind kind;
    uint32_t attempt; /* of the run */
    uint32_t first_shard, n_shards;
    uint32_t n_trials;
    struct qsv_trial_setting *trials; /* [n_trials] in an order in which neighbours share much */
    uint8_t *formats;                 /* [n_trials][n_layers], where the trials' formats lie */
};

/* Room for n_trials trials, whose formats point into task->formats. */
enum qsv_status qsv_task_init(struct qsv_task *t, uint32_t n_trials, uint32_t n_layers,
                              struct qsv_error *err);
void qsv_task_fini(struct qsv_task *t);

/* True where (trial, shard) is one of the task's pairs. */
bool qsv_task_holds(const struct qsv_task *t, uint64_t trial_id, uint32_t shard);

/* n_shards: of the partition; for messages between ranks. Unpacking checks everything. */
void qsv_task_pack(const struct qsv_task *t, uint32_t n_layers, struct qsv_strbuf *out);
enum qsv_status qsv_task_unpack(struct qsv_task *t, uint32_t n_layers, uint32_t n_shards,
                                struct qsv_cursor *in, struct qsv_error *err);

#endif
