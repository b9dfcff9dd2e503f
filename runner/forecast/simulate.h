/* A sweep that is only planned: the real strategy and the real coordinator against simulated
 * workers, on a clock that jumps. What it says of time, efficiency and the coordinator's load is a
 * forecast; the coordinator's processor time is measured.
 *
 * The same plan gives the same forecast, but for the processor time.
 */
#ifndef QSV_SIMULATE_H
#define QSV_SIMULATE_H

#include "core/bank.h"
#include "jobs/spec.h"
#include "runner/coordinator/troop.h"

struct qsv_ledger;

struct qsv_plan { /* the pointers outlive the call */
    const struct qsv_spec *spec;
    const struct qsv_model *model;
    uint64_t n_judge, n_decide; /* images */
    uint32_t ranks;             /* 2 or more: one coordinates */
    bool look_ahead;            /* idle workers begin with what the strategy may ask next */
    struct qsv_troop_setup how; /* only seed and what follows it */
    /* A run whose answers are taken where it has them; NULL: none, or where it does not, a made-up
     * truth answers (runner/forecast/truth.h). */
    const struct qsv_ledger *recorded;
    struct qsv_bank *bank; /* what strategies may ask of a layer's loss is its; NULL: unknown */
};

enum { QSV_MAX_FORECAST_STEPS = 16 };

struct qsv_forecast_step {
    char name[32];
    uint32_t n_calls, n_trials;
    uint64_t n_forwards; /* images x trials of its records, and of verifying */
    double seconds;      /* that it lasts */
    double asked_s;      /* of its records, over all workers */
};

struct qsv_forecast {
    uint32_t ranks;
    double makespan_s; /* from the first task to the end */
    double asked_s;    /* seconds of the records that the strategy asked for */
    double efficiency; /* asked_s / (ranks x makespan_s) */
    double coordinator_cpu_s;
    struct qsv_troop_figures troop;
    uint64_t n_records, n_twice;  /* asked for; dealt again and done twice */
    uint64_t n_ahead, n_foreseen; /* evaluated ahead; asked for afterwards */
    uint64_t selected;
    bool meets;
    size_t n_steps;
    struct qsv_forecast_step steps[QSV_MAX_FORECAST_STEPS];
};

enum qsv_status qsv_simulate(struct qsv_forecast *out, const struct qsv_plan *plan,
                             struct qsv_error *err);

#endif
