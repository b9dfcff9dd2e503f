/* Integer codes laid out for look-ups, once a (layer, format), so that a pass over the images only
 * reads. */
#ifndef QSV_CODE_WEIGHTS_H
#define QSV_CODE_WEIGHTS_H

#include "core/base/error.h"
#include "core/format.h"
#include "core/kernels/kernels.h"

/* codes [out_ch][in_ch][taps], as a bank entry holds them. `name` is for messages. */
enum qsv_status qsv_code_weights_init(struct qsv_code_weights *w, const struct qsv_kernels *k,
                                      const int8_t *codes, uint32_t out_ch, uint32_t in_ch,
                                      uint32_t taps, const char *name, struct qsv_error *err);
/* Bytes that they take at most, of a layer's codes in a format. */
uint64_t qsv_code_weights_bytes(const struct qsv_kernels *k, enum qsv_format format,
                                uint32_t out_ch, uint32_t in_ch, uint32_t taps);
void qsv_code_weights_fini(struct qsv_code_weights *w);

#endif
