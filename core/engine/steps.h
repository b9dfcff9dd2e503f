/* What each step of a plan does, over one batch. */
#ifndef QSV_STEPS_H
#define QSV_STEPS_H

#include "core/engine/plan.h"
#include "core/engine/weights.h"
#include "core/kernels/kernels.h"
#include "core/network.h"

/* Working memory of the steps, sized for the model's largest layer. */
struct qsv_scratch {
    uint32_t *events;      /* channels that fired, pixel by pixel */
    uint32_t *first_event; /* [pixels + 1] */
    uint32_t *rows;        /* weight rows of one output pixel */
    int32_t *sums;         /* [width] */
    float *patches;        /* inputs of some output pixels, k innermost; or spikes as floats */
    int32_t *products;     /* attention: [channels][channels / heads] */
    int32_t *potentials;   /* [stride] of one image; attention: one token's spikes or sums */
};

struct qsv_step_context {
    const struct qsv_model *model;
    const struct qsv_kernels *kernels;
    const struct qsv_plan *plan;
    uint8_t *arena;
    struct qsv_scratch scratch;
    uint32_t n; /* images */
};

enum qsv_status qsv_scratch_init(struct qsv_scratch *s, const struct qsv_model *model,
                                 struct qsv_error *err);
void qsv_scratch_fini(struct qsv_scratch *s);

/* Value v of image i. */
void *qsv_step_value(const struct qsv_step_context *c, uint32_t v, uint32_t image);

/* pixels u8 [n][h][w][c] */
void qsv_step_input(struct qsv_step_context *c, const struct qsv_plan_step *s,
                    const uint8_t *pixels);
/* Returns accumulates on spikes over all images (0 where the input is real). */
uint64_t qsv_step_conv(struct qsv_step_context *c, const struct qsv_plan_step *s,
                       const struct qsv_weights *w, const struct qsv_network_layer *post);
/* Returns spikes fired; potentials [channels] are added to, or NULL. */
uint64_t qsv_step_lif(struct qsv_step_context *c, const struct qsv_plan_step *s,
                      int64_t *potentials);
/* Returns accumulates. */
uint64_t qsv_step_attention(struct qsv_step_context *c, const struct qsv_plan_step *s);
void qsv_step_add(struct qsv_step_context *c, const struct qsv_plan_step *s);
void qsv_step_pool(struct qsv_step_context *c, const struct qsv_plan_step *s);
void qsv_step_readout(struct qsv_step_context *c, const struct qsv_plan_step *s);

#endif
