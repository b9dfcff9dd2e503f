/* Convolution steps: which kernel a layer's weights and input ask for, and the inputs it reads. */
#ifndef QSV_CONV_STEP_H
#define QSV_CONV_STEP_H

#include "core/engine/steps.h"

/* Working memory, in elements of struct qsv_scratch's arrays. */
struct qsv_conv_needs {
    size_t index, gathered, tables, events, first_event, list, tile, patches, outputs;
};

/* Raises each need to what the layer needs at max_batch images and that many time steps. */
void qsv_conv_need(struct qsv_conv_needs *need, const struct qsv_layer *l,
                   const struct qsv_kernels *kernels, uint32_t max_batch, uint32_t steps);

#endif
