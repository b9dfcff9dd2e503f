/* A lane: what one thread needs to run networks on its part of a batch. Lanes share the model, the
 * plan and the weights, which they only read, and add what the networks did to the caller's
 * outputs: integers, whose sums do not depend on the order.
 */
#ifndef QSV_LANE_H
#define QSV_LANE_H

#include <stdatomic.h>

#include "core/engine.h"
#include "core/engine/steps.h"

/* One call of qsv_engine_run. */
struct qsv_call {
    const struct qsv_weights *weights; /* [n_layers][QSV_N_FORMATS], made where a network is */
    const size_t *potential_offset;    /* [n_lifs] */
    const uint8_t *pixels;             /* of the whole batch */
    struct qsv_network *const *networks;
    uint32_t n_networks;
    struct qsv_engine_output *outputs;
    const struct qsv_engine_trace *trace;
    struct qsv_profile *profile; /* NULL, or added to by the thread that called the engine */
    const volatile sig_atomic_t *stop;
    bool (*asked)(void *context); /* see qsv_engine_watch */
    void *asked_context;
    atomic_bool over;    /* a lane has failed, or the call was stopped: no use in going on */
    atomic_uint running; /* lanes that have not ended */
};

/* Whether there is no use in going on. asks: by the thread that called the engine, which alone may
 * call `asked`. */
bool qsv_call_is_over(struct qsv_call *call, bool asks);

struct qsv_lane {
    struct qsv_step_context context;
    struct qsv_snapshot *snapshots; /* one a depth of the trie */
    size_t n_snapshots;
    int64_t *sums; /* [channels of the widest LIF] potentials of one step */
    /* Of a call. */
    uint32_t first; /* image; context.n of them are the lane's */
    bool asks;
    struct qsv_engine_work work;
    enum qsv_status status;
    struct qsv_error error;
};

/* For up to max_images at a time. To be finished on failure, too. */
enum qsv_status qsv_lane_init(struct qsv_lane *lane, const struct qsv_model *model,
                              const struct qsv_plan *plan, const struct qsv_kernels *kernels,
                              uint32_t max_images, struct qsv_error *err);
void qsv_lane_fini(struct qsv_lane *lane);

/* Runs all networks on n images from lane->first on. How it went is in the lane. */
void qsv_lane_run(struct qsv_lane *lane, struct qsv_call *call, uint32_t n);

#endif
