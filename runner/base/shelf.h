/* Records of trials that were evaluated ahead, until somebody asks for them. They are in memory
 * only: what nobody asks for leaves no trace, so that runs of different numbers of ranks record the
 * same.
 */
#ifndef QSV_SHELF_H
#define QSV_SHELF_H

#include <stdbool.h>

#include "jobs/record.h"
#include "results/index.h"

struct qsv_shelf { /* zeroed: empty */
    struct qsv_record *records;
    size_t n, capacity;
    struct qsv_index index; /* (trial, shard) */
};

void qsv_shelf_fini(struct qsv_shelf *s);

/* Takes a record over (out of *r), unless it is or was there. */
enum qsv_status qsv_shelf_put(struct qsv_shelf *s, struct qsv_record *r, struct qsv_error *err);
/* No more should be evaluated ahead. */
bool qsv_shelf_is_full(const struct qsv_shelf *s);
bool qsv_shelf_has(const struct qsv_shelf *s, uint64_t trial_id, uint32_t shard);
/* Moves it out; false where it is not there, or was taken before. */
bool qsv_shelf_take(struct qsv_shelf *s, uint64_t trial_id, uint32_t shard, struct qsv_record *out);

#endif
