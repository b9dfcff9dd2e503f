#include "results/layout.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define COLUMN(kind, row, field, unit)                                                             \
    {                                                                                              \
#field, QSV_COLUMN_##kind, offsetof(struct row, field), unit, false                        \
    }
#define NAMED(name, kind, row, field, unit)                                                        \
    {                                                                                              \
        name, QSV_COLUMN_##kind, offsetof(struct row, field), unit, false                          \
    }

#define PER_CENT  "per cent"
#define POINTS    "percentage points"
#define PJ_IMAGE  "pJ an image"
#define SET_CODES "0 judging, 1 deciding"

/* Files that were written before there was such a column can be read. */
#define LATER(kind, row, field, unit)                                                              \
    {                                                                                              \
#field, QSV_COLUMN_##kind, offsetof(struct row, field), unit, true                         \
    }
#define RECORD(kind, field, unit) NAMED(#field, kind, qsv_evaluation, record.field, unit)

static const struct qsv_column evaluation_columns[] = {
    RECORD(U64, trial_id, NULL),
    RECORD(U32, shard, NULL),
    RECORD(U32, attempt, NULL),
    RECORD(U32, rank, NULL),
    RECORD(U32, n_images, "images"),
    RECORD(U32, n_top1, "images"),
    RECORD(U32, n_top5, "images"),
    RECORD(U32, n_only_trial, "images"),
    RECORD(U32, n_only_baseline, "images"),
    RECORD(F64, loss_sum, "nats"),
    RECORD(F64, loss_diff_sum, "nats"),
    RECORD(F64, loss_diff_square_sum, "nats^2"),
    RECORD(F64, kl_sum, "nats"),
    RECORD(F64, kl_square_sum, "nats^2"),
    RECORD(U64, ac_ops, "accumulates"),
    RECORD(U64, mac_ops, "multiply-accumulates"),
    RECORD(F64, drift, "firing thresholds"),
    RECORD(U64, peak_mem_bytes, "B"),
    RECORD(F64, wall_s, "s"),
    RECORD(F64, t_end_unix_s, "s since 1970-01-01 UTC"),
    NAMED("energy_compute_pj", F64, qsv_evaluation, energy.compute_pj, "pJ, all images"),
    NAMED("energy_sram_pj", F64, qsv_evaluation, energy.sram_pj, "pJ, all images"),
    NAMED("energy_dram_pj", F64, qsv_evaluation, energy.dram_pj, "pJ, all images"),
    NAMED("energy_pj", F64, qsv_evaluation, energy.total_pj, "pJ, all images"),
    COLUMN(U8, qsv_evaluation, set, SET_CODES),
};

const struct qsv_table qsv_evaluation_table = {
    .name = "evaluations",
    .title = "what each trial did on each shard; sums, so that rows add up",
    .row_size = sizeof(struct qsv_evaluation),
    .columns = evaluation_columns,
    .n_columns = COUNT(evaluation_columns),
    .n_stored = COUNT(evaluation_columns) - 1,
};

#define TRIAL(kind, field, unit)   NAMED(#field, kind, qsv_trial_file_row, trial.field, unit)
#define DERIVED(kind, field, unit) COLUMN(kind, qsv_trial_file_row, field, unit)

static const struct qsv_column trial_columns[] = {
    NAMED("trial_id", U64, qsv_trial_file_row, trial.id, NULL),
    TRIAL(U32, number, NULL),
    TRIAL(U64, parent, NULL),
    TRIAL(TEXT, step, NULL),
    TRIAL(TEXT, description, NULL),
    NAMED("weights_bytes", U64, qsv_trial_file_row, trial.bytes.weights_bytes, "B"),
    NAMED("model_bytes", U64, qsv_trial_file_row, trial.bytes.model_bytes, "B"),
    NAMED("avg_bits", F64, qsv_trial_file_row, trial.bytes.avg_bits, "bits a weight"),
    DERIVED(F64, weights_saved, PER_CENT),
    DERIVED(F64, model_saved, PER_CENT),
    DERIVED(U8, is_baseline, NULL),
    DERIVED(U8, is_selected, NULL),
    DERIVED(U8, set, SET_CODES),
    DERIVED(U8, all_images, NULL),
    DERIVED(U64, n_images, "images"),
    DERIVED(F64, top1, PER_CENT),
    DERIVED(F64, top5, PER_CENT),
    DERIVED(F64, top1_drop, POINTS),
    DERIVED(F64, drop_low, POINTS),
    DERIVED(F64, drop_high, POINTS),
    DERIVED(U64, only_trial, "images"),
    DERIVED(U64, only_baseline, "images"),
    DERIVED(F64, loss, "nats"),
    DERIVED(F64, kl, "nats"),
    DERIVED(F64, kl_error, "nats"),
    DERIVED(F64, drift, "firing thresholds"),
    DERIVED(F64, ac_ops, "accumulates an image"),
    DERIVED(F64, mac_ops, "multiply-accumulates an image"),
    NAMED("energy_compute_pj", F64, qsv_trial_file_row, energy.compute_pj, PJ_IMAGE),
    NAMED("energy_sram_pj", F64, qsv_trial_file_row, energy.sram_pj, PJ_IMAGE),
    NAMED("energy_dram_pj", F64, qsv_trial_file_row, energy.dram_pj, PJ_IMAGE),
    NAMED("energy_pj", F64, qsv_trial_file_row, energy.total_pj, PJ_IMAGE),
    DERIVED(F64, energy_saved, PER_CENT),
    DERIVED(F64, wall_s, "s"),
};

const struct qsv_table qsv_trial_table = {
    .name = "trials",
    .title = "settings and their figures on the images of `set`; a row of /settings each",
    .row_size = sizeof(struct qsv_trial_file_row),
    .columns = trial_columns,
    .n_columns = COUNT(trial_columns),
    .n_stored = 8,
};

#define BASELINE(kind, field, unit) COLUMN(kind, qsv_baseline_row, field, unit)

static const struct qsv_column baseline_columns[] = {
    BASELINE(U8, set, SET_CODES),   BASELINE(U32, image, "number in its data set"),
    BASELINE(U8, measured, NULL),   BASELINE(U32, label, "class"),
    BASELINE(U32, answer, "class"), BASELINE(F64, loss, "nats"),
};

const struct qsv_table qsv_baseline_table = {
    .name = "baseline",
    .title = "the f32 network's answer to each image, in the order of the bits of /correct_bits",
    .row_size = sizeof(struct qsv_baseline_row),
    .columns = baseline_columns,
    .n_columns = COUNT(baseline_columns),
    .n_stored = COUNT(baseline_columns),
};

static const struct qsv_column shard_columns[] = {
    COLUMN(U32, qsv_shard_row, shard, NULL),
    COLUMN(U8, qsv_shard_row, set, SET_CODES),
    COLUMN(U64, qsv_shard_row, first, "position in the set's order"),
    COLUMN(U32, qsv_shard_row, n_images, "images"),
};

const struct qsv_table qsv_shard_table = {
    .name = "shards",
    .title = "which images each shard holds: a run of the rows that /baseline has of its set",
    .row_size = sizeof(struct qsv_shard_row),
    .columns = shard_columns,
    .n_columns = COUNT(shard_columns),
    .n_stored = COUNT(shard_columns),
};

#define LAYER(kind, field, unit) COLUMN(kind, qsv_layer_row, field, unit)

static const struct qsv_column layer_columns[] = {
    LAYER(TEXT, name, NULL),
    LAYER(TEXT, block, NULL),
    LAYER(TEXT, stage, NULL),
    LAYER(U32, out_channels, NULL),
    LAYER(U32, in_channels, NULL),
    LAYER(U32, groups, NULL),
    LAYER(U32, kernel, "pixels"),
    LAYER(U32, stride, "pixels"),
    LAYER(U8, spike_input, NULL),
    LAYER(U64, n_weights, NULL),
    LAYER(U64, macs, "multiply-accumulates an image and time step, dense"),
};

const struct qsv_table qsv_layer_table = {
    .name = "layers",
    .title = "the model's layers, in network order",
    .row_size = sizeof(struct qsv_layer_row),
    .columns = layer_columns,
    .n_columns = COUNT(layer_columns),
    .n_stored = COUNT(layer_columns),
};

#define LIF(kind, field, unit) COLUMN(kind, qsv_lif_row, field, unit)

static const struct qsv_column lif_columns[] = {
    LIF(TEXT, name, NULL),     LIF(U32, channels, NULL), LIF(U32, height, "pixels"),
    LIF(U32, width, "pixels"), LIF(F64, v_th, NULL),     LIF(F64, tau, "time steps"),
};

const struct qsv_table qsv_lif_table = {
    .name = "lifs",
    .title = "the model's neurons (leaky integrate-and-fire), in network order",
    .row_size = sizeof(struct qsv_lif_row),
    .columns = lif_columns,
    .n_columns = COUNT(lif_columns),
    .n_stored = COUNT(lif_columns),
};

static const struct qsv_column site_columns[] = {
    COLUMN(TEXT, qsv_site_row, name, NULL),
    COLUMN(TEXT, qsv_site_row, kind, NULL),
};

const struct qsv_table qsv_site_table = {
    .name = "sites",
    .title = "where accumulates happen: the layers, then the attention products",
    .row_size = sizeof(struct qsv_site_row),
    .columns = site_columns,
    .n_columns = COUNT(site_columns),
    .n_stored = COUNT(site_columns),
};

#define STEP(kind, field) COLUMN(kind, qsv_step_row, field, NULL)

static const struct qsv_column step_columns[] = {
    STEP(U32, search), STEP(TEXT, name), STEP(U64, trial_id), STEP(TEXT, decision), STEP(TEXT, why),
};

const struct qsv_table qsv_step_table = {
    .name = "steps",
    .title = "what each search found and decided, in order",
    .row_size = sizeof(struct qsv_step_row),
    .columns = step_columns,
    .n_columns = COUNT(step_columns),
    .n_stored = COUNT(step_columns),
};

#define ASKED(kind, field) COLUMN(kind, qsv_asked_row, field, NULL)

static const struct qsv_column asked_columns[] = {
    ASKED(U32, search),
    ASKED(TEXT, step),
    ASKED(U64, trial_id),
    ASKED(TEXT, description),
};

const struct qsv_table qsv_asked_table = {
    .name = "asked",
    .title = "which trials each search asked for, in which of its steps, in order",
    .row_size = sizeof(struct qsv_asked_row),
    .columns = asked_columns,
    .n_columns = COUNT(asked_columns),
    .n_stored = COUNT(asked_columns),
};

#define COST(kind, field, unit)                                                                    \
    {                                                                                              \
#field, QSV_COLUMN_##kind, offsetof(struct qsv_search_row, cost.field), unit, true         \
    }

static const struct qsv_column search_columns[] = {
    NAMED("search", U32, qsv_search_row, number, NULL),
    NAMED("search_id", U64, qsv_search_row, id, NULL),
    COLUMN(TEXT, qsv_search_row, strategy, NULL),
    COLUMN(U64, qsv_search_row, selected, "trial_id; 0: none yet"),
    COLUMN(U8, qsv_search_row, meets, "1: the selected trial meets the constraint"),
    COLUMN(U32, qsv_search_row, attempt, NULL),
    COLUMN(TEXT, qsv_search_row, spec, NULL),
    COST(U64, image_forwards, "images x networks asked for; 0: not known"),
    COST(F64, trie_forwards, "in whole networks, what a question's trials share counted once"),
    COST(F64, worker_s, "s, of all ranks, for what it asked"),
};

const struct qsv_table qsv_search_table = {
    .name = "searches",
    .title = "searches that were run on these records, with their specs",
    .row_size = sizeof(struct qsv_search_row),
    .columns = search_columns,
    .n_columns = COUNT(search_columns),
    .n_stored = COUNT(search_columns),
};

#define ATTEMPT(kind, field, unit) COLUMN(kind, qsv_attempt_row, field, unit)

static const struct qsv_column attempt_columns[] = {
    NAMED("attempt", U32, qsv_attempt_row, number, NULL),
    ATTEMPT(TEXT, version, NULL),
    ATTEMPT(TEXT, commit, NULL),
    ATTEMPT(TEXT, host, NULL),
    ATTEMPT(U32, pid, NULL),
    ATTEMPT(U32, ranks, NULL),
    ATTEMPT(TEXT, cpu, NULL),
    ATTEMPT(TEXT, isa, NULL),
    ATTEMPT(TEXT, libraries, NULL),
    ATTEMPT(TEXT, command_line, NULL),
    ATTEMPT(F64, start_unix_s, "s since 1970-01-01 UTC"),
    ATTEMPT(F64, end_unix_s, "s since 1970-01-01 UTC; NaN: going on, or killed"),
    ATTEMPT(TEXT, why, "why it ended"),
    LATER(U64, qsv_attempt_row, layer_forwards_asked, "layers x networks x images; 0: not known"),
    LATER(U64, qsv_attempt_row, layer_forwards_done, "after what trials share"),
    LATER(F64, qsv_attempt_row, worked_s, "s of all workers, in evaluating; 0: not known"),
    LATER(F64, qsv_attempt_row, waited_s, "s of these, waiting for images"),
};

const struct qsv_table qsv_attempt_table = {
    .name = "attempts",
    .title = "each time the run was started, with what",
    .row_size = sizeof(struct qsv_attempt_row),
    .columns = attempt_columns,
    .n_columns = COUNT(attempt_columns),
    .n_stored = COUNT(attempt_columns),
};
