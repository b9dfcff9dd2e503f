/* What a strategy sees of the machinery: a function that answers with metrics, from records where
 * they exist, from workers where not. Blocks until all answers are there. The same questions give
 * the same answers in every run of one identity.
 */
#ifndef QSV_EVALUATOR_H
#define QSV_EVALUATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "jobs/metrics.h"
#include "jobs/partition.h"

struct qsv_trial {
    const uint8_t *formats; /* [n_layers], the caller's, for the time of the call */
    uint64_t parent;        /* id of the trial it was made from; 0: none */
    const char *what;       /* why it is evaluated, for people: "block3.0 at int3" */
};

/* What a step found and decided, for /steps and the log. */
struct qsv_step {
    const char *name;     /* "baseline", "sensitivity", "base", "guided", "gate", "network",
                             "stage", "block", "layer", "select", "verify" */
    uint64_t trial_id;    /* the trial it is about; 0: none */
    const char *decision; /* "base", "raise", "lower", "reject", "leave", "select" ... */
    const char *why;      /* one line with figures */
};

struct qsv_evaluator {
    void *context;
    /* Fills out [n] with the metrics of trials [n] on the first n_images (0: all) of the set.
     * `step` names the search's step for progress and records. */
    enum qsv_status (*evaluate)(void *context, const char *step, const struct qsv_trial *trials,
                                uint32_t n, enum qsv_image_set set, uint64_t n_images,
                                struct qsv_metrics *out, struct qsv_error *err);
    /* How many images the first n_images (0: all) of a set are. NULL: not known beforehand, and no
     * budget is kept. */
    uint64_t (*count)(void *context, enum qsv_image_set set, uint64_t n_images);
    /* Notes a decision; recorded with the run. */
    enum qsv_status (*note)(void *context, const struct qsv_step *step, struct qsv_error *err);
    /* Says before a question what may well be asked after it, so that workers who have nothing left
     * to do can begin with that. A hint: it changes no answer and no record. NULL: not wanted. */
    void (*suggest)(void *context, const struct qsv_trial *trials, uint32_t n,
                    enum qsv_image_set set, uint64_t n_images);
    /* Squared error that a layer's codes at an integer format add to its outputs (core/bank.h,
     * loss); NaN where it isn't known. NULL: it is known of no layer. */
    double (*loss)(void *context, uint32_t layer, uint8_t format);
};

#endif
