/* The network of a trial as it was exported, read from its file, with an engine of its own. */
#ifndef QSV_EXPORTED_H
#define QSV_EXPORTED_H

#include "core/engine.h"
#include "runner/inputs/loaded.h"

struct qsv_exported {
    uint64_t trial_id; /* 0: none yet */
    struct qsv_loaded loaded;
    struct qsv_engine *engine;
};

/* Reads the file unless it is this trial's that is there already. QSV_EFAILED for a file that is
 * not made from the model. */
enum qsv_status qsv_exported_load(struct qsv_exported *x, const char *path, uint64_t trial_id,
                                  const struct qsv_model *model, uint32_t max_batch,
                                  uint32_t threads, struct qsv_error *err);
void qsv_exported_fini(struct qsv_exported *x);

#endif
