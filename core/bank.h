/* The bank: the one place that a trial's codes come from. One entry a (layer, format), computed
 * when first asked for. Not thread-safe. The model outlives the bank.
 */
#ifndef QSV_BANK_H
#define QSV_BANK_H

#include "core/model.h"
#include "core/quantizer.h"

struct qsv_bank;

struct qsv_bank_entry {
    enum qsv_format format;
    const int8_t *codes; /* [out_ch][per_channel]; NULL for f32 and f16 */
    const float *scale;  /* [out_ch]; NULL for f32 and f16 */
    const float
        *values; /* [out_ch][per_channel], for f32 and f16 (rounded to half precision); else NULL */
};

/* model must be a source model. */
enum qsv_status qsv_bank_create(struct qsv_bank **out, const struct qsv_model *model,
                                const struct qsv_quantizer *quantizer, struct qsv_error *err);
void qsv_bank_destroy(struct qsv_bank *b);

/* *out is valid until the bank is destroyed. */
enum qsv_status qsv_bank_get(const struct qsv_bank_entry **out, struct qsv_bank *b, uint32_t layer,
                             enum qsv_format format, struct qsv_error *err);

#endif
