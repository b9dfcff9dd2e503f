/* What each step of a plan does, over one batch. */
#ifndef QSV_STEPS_H
#define QSV_STEPS_H

#include "core/engine/plan.h"
#include "core/engine/weights.h"
#include "core/kernels/kernels.h"
#include "core/network.h"

/* Working memory of the steps, sized for the model's largest layer. */
struct qsv_scratch {
    uint8_t *index;    /* spikes of a layer's input as indices */
    uint8_t *gathered; /* indices of a layer's input, before planes are gathered from them */
    uint8_t *tables;   /* qsv_code_conv's */
    uint16_t *events;  /* qsv_row_conv's, of one block */
    uint32_t *first_event;
    uint32_t *list;
    float *tile;
    float *patches; /* real inputs of some output positions, [k][positions]; or one channel's spikes
                       as floats */
    float *ones, *zeros; /* [out_ch]: for a layer without multiplier or shift */
    uint64_t *heads;     /* attention: q, k and v of one head, [3][channels][words] */
    int32_t *counts;
};

struct qsv_step_context {
    const struct qsv_model *model;
    const struct qsv_kernels *kernels;
    const struct qsv_plan *plan;
    uint8_t *arena;
    struct qsv_scratch scratch;
    struct qsv_geometry *geometry; /* [n_layers], made for n images */
    uint32_t n;                    /* images */
};

enum qsv_status qsv_scratch_init(struct qsv_scratch *s, const struct qsv_model *model,
                                 const struct qsv_kernels *kernels, uint32_t max_batch,
                                 struct qsv_error *err);
void qsv_scratch_fini(struct qsv_scratch *s);
/* Bytes that qsv_scratch_init allocates. */
uint64_t qsv_scratch_bytes(const struct qsv_model *model, const struct qsv_kernels *kernels,
                           uint32_t max_batch);

/* Where value v begins. */
void *qsv_step_value(const struct qsv_step_context *c, uint32_t v);

/* Spikes of a LIF's value as bytes: [images][time_steps][c][h][w], 0 or 1. */
void qsv_step_spike_bytes(const struct qsv_step_context *c, uint32_t v, uint8_t *out);

/* Logits [classes] of one image from the readout's value. */
void qsv_step_logits(const struct qsv_step_context *c, uint32_t v, uint32_t image, float *out);

/* pixels u8 [n][h][w][c] */
void qsv_step_input(struct qsv_step_context *c, const struct qsv_plan_step *s,
                    const uint8_t *pixels);
struct qsv_conv_counts {
    uint64_t accumulates; /* on spikes, over all images; 0 where the input is real */
    uint64_t fired;       /* by the neurons that the step takes over */
};
/* potentials [out_ch] of those neurons are added to, or NULL. */
struct qsv_conv_counts qsv_step_conv(struct qsv_step_context *c, const struct qsv_plan_step *s,
                                     const struct qsv_weights *w,
                                     const struct qsv_network_layer *post, int64_t *potentials);
/* Values from -> to; returns spikes fired; potentials [channels] are added to, or NULL. */
uint64_t qsv_step_neurons(struct qsv_step_context *c, uint32_t lif, uint32_t from, uint32_t to,
                          int64_t *potentials);
/* Returns accumulates. */
uint64_t qsv_step_attention(struct qsv_step_context *c, const struct qsv_plan_step *s);
/* Value `to` = in0 + in1, which it may be one of. */
void qsv_step_add(struct qsv_step_context *c, uint32_t in0, uint32_t in1, uint32_t to);
void qsv_step_pool(struct qsv_step_context *c, const struct qsv_plan_step *s);
void qsv_step_readout(struct qsv_step_context *c, const struct qsv_plan_step *s);

#endif
