/* Weights in the layout that the kernels read, one set a (layer, format), made when first needed
 * and kept.
 */
#ifndef QSV_WEIGHTS_H
#define QSV_WEIGHTS_H

#include "core/bank.h"
#include "core/graph.h"
#include "core/kernels/code_weights.h"

struct qsv_weights {
    struct qsv_code_weights sums; /* integer weights on spikes, not depthwise: .taps is not 0 */
    int8_t *codes; /* integer weights on spikes, depthwise: [channel][taps]; else NULL */
    float *values; /* all others. f32 and f16 on spikes: qsv_row_conv's rows; on real inputs, values
                      or codes as floats: qsv_dense's; depthwise: [channel][taps] */
    uint32_t width; /* of rows */
    int code_max;   /* largest magnitude of `codes` */
    bool left_out;  /* format none: there are none of the above */
    bool made;
    uint64_t used; /* the engine's call that last ran with them */
};

enum qsv_status qsv_weights_init(struct qsv_weights *w, const struct qsv_layer *layer,
                                 const struct qsv_bank_entry *entry,
                                 const struct qsv_kernels *kernels, struct qsv_error *err);
void qsv_weights_fini(struct qsv_weights *w);
/* Bytes that they take. */
uint64_t qsv_weights_bytes(const struct qsv_layer *layer, enum qsv_format format,
                           const struct qsv_kernels *kernels);

#endif
