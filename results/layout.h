/* The tables of results.h5 and of segments: their columns, in one place. docs/results.md describes
 * them for people.
 */
#ifndef QSV_LAYOUT_H
#define QSV_LAYOUT_H

#include "results/ledger.h"
#include "results/table.h"

/* One row an image, judging ones first, each set in its order. */
struct qsv_baseline_row {
    uint8_t set;    /* enum qsv_image_set */
    uint32_t image; /* number in its data set */
    uint8_t measured;
    uint32_t label, answer; /* UINT32_MAX where not measured */
    double loss;            /* NaN where not measured */
};

struct qsv_shard_row {
    uint32_t shard;
    uint8_t set;
    uint64_t first; /* position in the set's order */
    uint32_t n_images;
};

/* A trial, and what follows from its records (not read back). */
struct qsv_trial_file_row {
    struct qsv_trial_row trial;
    uint8_t is_baseline, is_selected, set, all_images;
    uint64_t n_images, only_trial, only_baseline;
    double top1, top5, top1_drop, drop_low, drop_high, loss, kl, kl_error, drift;
    double ac_ops, mac_ops; /* an image */
    double weights_saved, model_saved, energy_saved;
    struct qsv_energy energy;
    double wall_s;
};

extern const struct qsv_table qsv_evaluation_table; /* struct qsv_evaluation */
extern const struct qsv_table qsv_trial_table;      /* struct qsv_trial_file_row */
extern const struct qsv_table qsv_baseline_table;
extern const struct qsv_table qsv_shard_table;
extern const struct qsv_table qsv_layer_table;
extern const struct qsv_table qsv_lif_table;
extern const struct qsv_table qsv_site_table;
extern const struct qsv_table qsv_step_table;
extern const struct qsv_table qsv_asked_table;
extern const struct qsv_table qsv_search_table; /* struct qsv_search_row */
extern const struct qsv_table qsv_attempt_table;

#endif
