/* The ledger: all that a run has recorded, in memory. The store keeps one while a run goes on and
 * writes it as results.h5; a reader fills one from files. results/layout.h has its tables, with
 * names and units of every column.
 */
#ifndef QSV_LEDGER_H
#define QSV_LEDGER_H

#include <stdbool.h>

#include "results/index.h"
#include "results/run.h"

/* Of the model, the images and the energy table: what rows refer to. */
struct qsv_layer_row {
    char *name, *block, *stage;
    uint32_t out_channels, in_channels, groups, kernel, stride;
    uint8_t spike_input;
    uint64_t n_weights, macs;
};

struct qsv_lif_row {
    char *name;
    uint32_t channels, height, width;
    double v_th, tau;
};

struct qsv_site_row {
    char *name, *kind; /* "layer", "attention" */
};

struct qsv_evaluation {
    struct qsv_record record; /* arrays NULL in a ledger without arrays */
    struct qsv_energy energy; /* pJ, of all its images together */
    uint8_t set;              /* enum qsv_image_set */
};

struct qsv_trial_row {
    uint64_t id, parent;
    uint32_t number;          /* order of asking, from 1; 0: not asked for yet, records only */
    char *step, *description; /* NULL: none */
    struct qsv_bytes bytes;
    uint8_t *formats; /* [n_layers] */
};

struct qsv_step_row {
    uint32_t search;
    char *name, *decision, *why;
    uint64_t trial_id;
};

/* A search asked for a trial in one of its steps. */
struct qsv_asked_row {
    uint32_t search;
    uint64_t trial_id;
    char *step, *description;
};

/* What a search asked for, whether it was recorded already or not. */
struct qsv_search_cost {
    uint64_t image_forwards; /* images x networks; 0: not known */
    double trie_forwards;    /* the same in whole networks, where what the trials of a question
                                share counts once */
    double worker_s;         /* computing, of all ranks: of its (trial, shard) pairs, each once */
};

struct qsv_search_row {
    uint32_t number; /* from 1 */
    uint64_t id;
    char *strategy, *spec;
    uint64_t selected; /* 0: none yet */
    uint8_t meets;
    uint32_t attempt; /* in which it was last begun */
    struct qsv_search_cost cost;
};

struct qsv_recorded_search {
    struct qsv_search_row row;
    struct qsv_step_row *steps;
    struct qsv_asked_row *asked;
    size_t n_steps, cap_steps, n_asked, cap_asked;
    size_t replayed;        /* steps noted since it was last begun */
    struct qsv_index index; /* (trial, step) -> asked */
};

struct qsv_attempt_row {
    uint32_t number, pid, ranks;
    char *version, *commit, *host, *cpu, *isa, *libraries, *command_line, *why;
    double start_unix_s, end_unix_s; /* end NaN: going on, or killed (why says so) */
    uint64_t layer_forwards_asked, layer_forwards_done; /* known when it has ended, as these: */
    double worked_s, waited_s; /* of all workers, in evaluating; of these, for images */
};

struct qsv_ledger {
    struct qsv_identity identity;
    uint64_t run_id;
    double created_unix_s;
    bool complete;
    bool with_arrays;

    struct qsv_record_shape shape;
    struct qsv_partition partition;
    bool owns_order;     /* of the partition */
    uint64_t skipped[2]; /* [qsv_image_set]: images left out of it */
    struct qsv_energy_constants constants;
    char *model_path, *architecture;
    uint32_t time_steps, classes;
    struct qsv_bytes f32;         /* what the model takes unquantized */
    struct qsv_layer_row *layers; /* [shape.n_layers] */
    struct qsv_lif_row *lifs;     /* [shape.n_lifs] */
    struct qsv_site_row *sites;   /* [shape.n_sites] */

    uint64_t baseline; /* its trial id */
    struct qsv_trial_row *trials;
    struct qsv_evaluation **evaluations; /* in no order; each allocated by itself and never moved */
    struct qsv_recorded_search *searches;
    struct qsv_attempt_row *attempts;
    size_t n_trials, cap_trials, n_evaluations, cap_evaluations;
    size_t n_searches, cap_searches, n_attempts, cap_attempts;
    uint32_t current_search; /* number of the one last begun; 0: none */
    struct qsv_index trial_index, evaluation_index;
};

void qsv_ledger_fini(struct qsv_ledger *l);

/* Fills a zeroed ledger's description from a run, whose partition it borrows. */
enum qsv_status qsv_ledger_describe(struct qsv_ledger *l, const struct qsv_run *run,
                                    struct qsv_error *err);

/* NULL where it is not there. Trials are valid until one is added. */
struct qsv_trial_row *qsv_ledger_trial(const struct qsv_ledger *l, uint64_t trial_id);
struct qsv_evaluation *qsv_ledger_evaluation(const struct qsv_ledger *l, uint64_t trial_id,
                                             uint32_t shard);
struct qsv_recorded_search *qsv_ledger_search(const struct qsv_ledger *l); /* the current one */

/* Makes a setting known: its trial, or the one that is there. QSV_EINPUT where trial_id is not the
 * id of formats [n_layers], or one of them is no format. */
enum qsv_status qsv_ledger_add_trial(struct qsv_ledger *l, uint64_t trial_id,
                                     const uint8_t *formats, struct qsv_trial_row **out,
                                     struct qsv_error *err);

/* Takes over a record (moved out of *r) of a known trial. *out is NULL where (trial, shard) is
 * there already; *r is then finished too. QSV_EINPUT, *r untouched, where it does not fit the run.
 */
enum qsv_status qsv_ledger_add_record(struct qsv_ledger *l, struct qsv_record *r,
                                      struct qsv_evaluation **out, struct qsv_error *err);

/* Moves the records of rows [n] (freshly read: record and energy) in; all of them or, where one
 * does not fit (QSV_EINPUT), none. */
enum qsv_status qsv_ledger_take(struct qsv_ledger *l, struct qsv_evaluation *rows, size_t n,
                                struct qsv_error *err);

/* Makes the search with this id the current one, the one that is there or a new one. */
enum qsv_status qsv_ledger_begin_search(struct qsv_ledger *l, uint64_t id, const char *strategy,
                                        const char *spec, uint32_t attempt, struct qsv_error *err);
/* Of the current search; nothing happens before the first. A search that is begun again notes the
 * same steps again: they replace those that are there one by one. */
enum qsv_status qsv_ledger_add_step(struct qsv_ledger *l, const char *name, uint64_t trial_id,
                                    const char *decision, const char *why, struct qsv_error *err);
/* The same question twice counts once. */
enum qsv_status qsv_ledger_add_asked(struct qsv_ledger *l, uint64_t trial_id, const char *step,
                                     const char *description, struct qsv_error *err);
/* Forgets steps of the current search that it did not note again. */
void qsv_ledger_end_search(struct qsv_ledger *l);

/* Bit of image i of the shard in a bit string over all images, judging ones first. */
uint64_t qsv_ledger_image(const struct qsv_ledger *l, uint32_t shard, uint32_t i);
uint64_t qsv_ledger_image_count(const struct qsv_ledger *l);

#endif
