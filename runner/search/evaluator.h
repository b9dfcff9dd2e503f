/* The evaluator of a run: answers from the store where it can, from the coordinator's workers where
 * not. The baseline is evaluated on every shard that a trial is, asked for or not.
 */
#ifndef QSV_RUN_EVALUATOR_H
#define QSV_RUN_EVALUATOR_H

#include "core/bank.h"
#include "jobs/evaluator.h"
#include "jobs/spec.h"
#include "results/ledger.h"
#include "results/store.h"
#include "runner/coordinator/coordinator.h"
#include "runner/status/live.h"
#include "runner/status/progress.h"

struct qsv_run_evaluator;

struct qsv_run_evaluator_setup { /* the pointers outlive the evaluator */
    struct qsv_store *store;
    struct qsv_coordinator *coordinator;
    const struct qsv_run *run;
    const struct qsv_spec *spec;   /* whose bound says what is the best so far */
    struct qsv_progress *progress; /* may be NULL */
    struct qsv_live_writer *live;  /* may be NULL */
    struct qsv_bank *bank;         /* whose losses strategies may ask for; may be NULL */
};

enum qsv_status qsv_run_evaluator_create(struct qsv_run_evaluator **out,
                                         const struct qsv_run_evaluator_setup *setup,
                                         struct qsv_error *err);
void qsv_run_evaluator_destroy(struct qsv_run_evaluator *e);

/* As strategies see it. */
struct qsv_evaluator qsv_run_evaluator_face(struct qsv_run_evaluator *e);

/* What its questions have cost so far. */
const struct qsv_search_cost *qsv_run_evaluator_cost(const struct qsv_run_evaluator *e);

/* Runs the exported file of a trial on the first n_images judging images (0: all) and compares with
 * the trial's records: QSV_EFAILED names the first shard and figure that differs. */
enum qsv_status qsv_run_evaluator_verify(struct qsv_run_evaluator *e, uint64_t trial_id,
                                         const uint8_t *formats, uint64_t n_images,
                                         struct qsv_error *err);

#endif
