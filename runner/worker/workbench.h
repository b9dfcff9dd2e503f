/* Evaluating trials on a shard: (formats of trials, shard) -> records. The same records on every
 * rank, in whatever company and order.
 *
 * Keeps what will be asked for again, within bounds: images (decoded and enlarged), networks, and
 * what the baseline did on a shard, which every trial is compared with. Not thread-safe.
 */
#ifndef QSV_WORKBENCH_H
#define QSV_WORKBENCH_H

#include "core/engine.h"
#include "jobs/partition.h"
#include "jobs/record.h"
#include "results/segment.h"
#include "runner/inputs/images.h"
#include "runner/base/stop.h"

struct qsv_workbench;

struct qsv_workbench_setup { /* the pointers outlive the workbench */
    const struct qsv_model *model;
    struct qsv_bank *bank;
    struct qsv_images *images[2]; /* [qsv_image_set]; [QSV_DECIDE] NULL where there is none */
    const struct qsv_partition *partition;
    struct qsv_record_shape shape;
    const struct qsv_stop *stop; /* NULL: none */
    uint32_t threads;            /* 0: one */
};

enum qsv_status qsv_workbench_create(struct qsv_workbench **out,
                                     const struct qsv_workbench_setup *setup,
                                     struct qsv_error *err);
void qsv_workbench_destroy(struct qsv_workbench *e);

/* Fills records [n] (the caller finishes them) of trials [n] on one shard. QSV_ESTOPPED when asked
 * to stop. On failure no record is left to finish. */
enum qsv_status qsv_workbench_evaluate(struct qsv_workbench *e,
                                       const struct qsv_trial_setting *trials, uint32_t n,
                                       uint32_t shard, struct qsv_record *records,
                                       struct qsv_error *err);

/* The same for a trial as it was exported: by the network that is read from a model file. */
enum qsv_status qsv_workbench_evaluate_exported(struct qsv_workbench *e, const char *path,
                                                uint64_t trial_id, uint32_t shard,
                                                struct qsv_record *record, struct qsv_error *err);

/* A shard will be evaluated, after those that were expected before it: its images are read ahead by
 * threads (runner/inputs/ahead.h). */
void qsv_workbench_expect(struct qsv_workbench *e, uint32_t shard);
/* Seconds that it has waited for images. */
double qsv_workbench_waited_s(const struct qsv_workbench *e);
/* Bytes of images and baseline answers that are kept at most, of so many images in all. */
uint64_t qsv_workbench_kept_bytes(const struct qsv_model *model, uint64_t n_images);

struct qsv_engine_work qsv_workbench_work(const struct qsv_workbench *e);
/* Of the engine, see core/engine.h. */
const char *qsv_workbench_isa(const struct qsv_workbench *e);

#endif
