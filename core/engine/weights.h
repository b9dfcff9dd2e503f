/* Weights in the layout that the kernels read, one set a (layer, format), made when first needed
 * and kept. */
#ifndef QSV_WEIGHTS_H
#define QSV_WEIGHTS_H

#include "core/bank.h"
#include "core/graph.h"

struct qsv_weights {
    /* One of the two, [tap x in_ch + channel][width] with outputs innermost, or for a depthwise
     * layer [tap][width]. */
    int8_t *codes;  /* integer weights of a layer on spikes that is not depthwise */
    float *values;  /* everything else: values, or codes as floats */
    uint32_t width; /* outputs, padded with zeros */
    int code_max;   /* largest magnitude of a code */
};

enum qsv_status qsv_weights_init(struct qsv_weights *w, const struct qsv_layer *layer,
                                 const struct qsv_bank_entry *entry, struct qsv_error *err);
void qsv_weights_fini(struct qsv_weights *w);

#endif
