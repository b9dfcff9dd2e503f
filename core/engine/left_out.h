/* The step of a layer in format none: its output is the constant that it leaves behind. */
#ifndef QSV_LEFT_OUT_H
#define QSV_LEFT_OUT_H

#include "core/engine/steps.h"

/* With the addition and the neurons that the step takes over. shift [out_ch]; returns spikes fired;
 * potentials [out_ch] of those neurons are added to, or NULL. */
uint64_t qsv_step_left_out(struct qsv_step_context *c, const struct qsv_plan_step *s,
                           const float *shift, int64_t *potentials);

#endif
