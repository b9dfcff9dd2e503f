/* A question to the evaluator, made ready for the coordinator: the distinct settings among its
 * trials and the baseline, in an order in which neighbours share much, and which of their records
 * are missing.
 */
#ifndef QSV_QUESTION_H
#define QSV_QUESTION_H

#include "jobs/evaluator.h"
#include "results/store.h"

struct qsv_question {
    uint32_t first_shard, n_shards;
    uint32_t n_settings;
    struct qsv_trial_setting *settings; /* [n_settings] by rising formats, layer by layer: the
                                           baseline first */
    double *shared;      /* [n_settings] part of the multiply-accumulates before the first layer in
                            which a setting differs from the one before it */
    uint8_t *missing;    /* [n_settings][n_shards] */
    uint64_t *trial_ids; /* [n_trials] as asked */
    uint64_t n_images;   /* of the shards */
    uint64_t n_forwards, n_missing; /* images x settings: all, and not recorded */
};

/* Trials' formats are borrowed; baseline [n_layers] all f32. */
enum qsv_status qsv_question_init(struct qsv_question *q, const struct qsv_trial *trials,
                                  uint32_t n_trials, const uint8_t *baseline,
                                  const struct qsv_model *model,
                                  const struct qsv_partition *partition, enum qsv_image_set set,
                                  uint64_t n_images, struct qsv_error *err);
void qsv_question_fini(struct qsv_question *q);

/* Fills missing and the counts of forwards. */
void qsv_question_look_up(struct qsv_question *q, const struct qsv_store *store,
                          const struct qsv_partition *partition);

#endif
