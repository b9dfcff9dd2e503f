/* The plan: a graph lowered to steps over values in one arena, made once when an engine is made.
 *
 * A value is what a node gives, planar over the positions of a batch (core/kernels/kernels.h,
 * "Layouts"): real ones f32 [channel][stride], spikes [channel][positions / 64] words. Norms have
 * no value of their own: they are folded into the layer before. The addition and the neurons behind
 * a convolution of spikes are part of its step, so that a kernel may do them while it has the sums.
 * Values whose lives do not overlap share memory.
 */
#ifndef QSV_PLAN_H
#define QSV_PLAN_H

#include "core/engine/grid.h"
#include "core/graph.h"
#include "core/model.h"

struct qsv_value {
    struct qsv_shape shape;
    uint32_t steps; /* 1, or the model's time steps */
    bool spikes;
    size_t offset;               /* in the arena */
    uint32_t defined, last_used; /* steps; QSV_NEVER, 0: another step has taken it over */
};

#define QSV_NEVER UINT32_MAX

/* How a value lies for this many images. */
struct qsv_grid qsv_value_grid(const struct qsv_value *v, uint32_t images);
size_t
qsv_value_stride(const struct qsv_value *v,
                 uint32_t images); /* floats a channel of a real value; more than its positions */
size_t qsv_value_bytes(const struct qsv_value *v, uint32_t images);

struct qsv_plan_step {
    enum qsv_op op;
    uint32_t index;            /* layer, lif or attention product */
    uint32_t in[3], n_in, out; /* values */
    /* A convolution of spikes takes over the addition and the neurons that follow it. */
    bool adds;            /* residual to the sums; `out` is the result */
    bool fires;           /* `out` charges neurons */
    bool keeps;           /* `out` is read by other steps too */
    uint32_t residual;    /* value */
    uint32_t lif, spikes; /* LIF and its value */
};

struct qsv_plan {
    struct qsv_value *values;
    struct qsv_plan_step *steps;
    uint32_t n_values, n_steps;
    size_t arena_bytes;
};

enum qsv_status qsv_plan_init(struct qsv_plan *p, const struct qsv_model *model, uint32_t max_batch,
                              struct qsv_error *err);
void qsv_plan_fini(struct qsv_plan *p);

/* Must the value be kept when execution pauses before `step`? */
bool qsv_plan_is_live(const struct qsv_plan *p, uint32_t value, uint32_t step);

#endif
