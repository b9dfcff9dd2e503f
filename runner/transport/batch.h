/* Tasks that a worker has done and not recorded yet: they are recorded together, in one segment,
 * and reported then. */
#ifndef QSV_BATCH_H
#define QSV_BATCH_H

#include "runner/transport/message.h"

struct qsv_batch_entry {
    struct qsv_task task;
    struct qsv_done done; /* its segment "" */
};

struct qsv_batch {
    struct qsv_batch_entry *entries;
    size_t n, capacity;
    double since_s; /* when the first was done */
};

void qsv_batch_fini(struct qsv_batch *b);

/* Moves task and done in, also where it fails. */
enum qsv_status qsv_batch_add(struct qsv_batch *b, struct qsv_task *task, struct qsv_done *done,
                              double now_s, struct qsv_error *err);

/* Writes all as one segment, and enters its name with the last: the segment may be deleted when its
 * name is known and what it holds is in results.h5, so all that it holds must be known before. */
enum qsv_status qsv_batch_record(struct qsv_batch *b, const char *run_folder, const char *name,
                                 const struct qsv_run *run, struct qsv_error *err);

#endif
