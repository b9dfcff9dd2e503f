/* Weights in the layout that the kernels read, one set a (layer, format), made when first needed
 * and kept.
 */
#ifndef QSV_WEIGHTS_H
#define QSV_WEIGHTS_H

#include "core/bank.h"
#include "core/graph.h"
#include "core/kernels/kernels.h"

struct qsv_weights {
    /* One of the two. Which layout, core/kernels/kernels.h says: */
    int8_t *codes; /* integer weights on spikes: qsv_code_conv's, depthwise [channel][taps] */
    float *values; /* f32 and f16 on spikes: qsv_row_conv's rows; on real inputs, values or codes as
                      floats: qsv_dense's; depthwise: [channel][taps] */
    uint32_t width; /* of rows */
    int code_max;   /* largest magnitude of a code */
    bool made;
};

enum qsv_status qsv_weights_init(struct qsv_weights *w, const struct qsv_layer *layer,
                                 const struct qsv_bank_entry *entry, uint32_t index_bits,
                                 struct qsv_error *err);
void qsv_weights_fini(struct qsv_weights *w);

#endif
