/* The bank: the one place that a trial's codes come from. One entry a (layer, format), computed
 * when first asked for, or installed. Entries do not depend on each other. What a layer's formats
 * share is prepared once while one format after the other is asked for: ask layer by layer. Not
 * thread-safe. The model outlives the bank.
 */
#ifndef QSV_BANK_H
#define QSV_BANK_H

#include <stdbool.h>

#include "core/model.h"
#include "core/quantizer.h"

struct qsv_bank;
struct qsv_statistics; /* core/statistics.h */

struct qsv_bank_entry {
    enum qsv_format format;
    const int8_t *codes; /* [out_ch][per_channel]; NULL for f32 and f16, and for none in a network
                            of a folded model */
    const float *scale;  /* [out_ch]; NULL for f32 and f16 */
    const float
        *values; /* [out_ch][per_channel], for f32 and f16 (rounded to half precision); else NULL */
    const float *correction; /* [out_ch], added to the layer's outputs: what they are less on
                                average for their codes, E[dW x]; NULL: none */
    double loss; /* what it adds to the mean squared error of the layer's outputs, summed over
                    channels: tr(dW H dW^T), where there is a correction with the covariance of x
                    for H; NaN where no statistics were given; 0 for f32 */
};

/* model must be a source model. */
enum qsv_status qsv_bank_create(struct qsv_bank **out, const struct qsv_model *model,
                                const struct qsv_quantizer *quantizer, struct qsv_error *err);
void qsv_bank_destroy(struct qsv_bank *b);

const struct qsv_quantizer *qsv_bank_quantizer(const struct qsv_bank *b);
/* What networks of its codes store multipliers and shifts as: what the quantizer says until then.
 */
void qsv_bank_set_affine(struct qsv_bank *b, enum qsv_format affine);

/* Gives it what "gptq" and "compensated" choose codes by, and losses are computed from; before the
 * first entry is asked for. They outlive the bank. QSV_EINPUT where they are of another model. */
enum qsv_status qsv_bank_use_statistics(struct qsv_bank *b, const struct qsv_statistics *statistics,
                                        struct qsv_error *err);

/* The same, and each layer's are forgotten once its first entry is being made, which saves a third
 * of the memory that takes: all entries of a layer are then asked for in a row. */
enum qsv_status qsv_bank_spend_statistics(struct qsv_bank *b, struct qsv_statistics *statistics,
                                          struct qsv_error *err);

/* Puts in an entry that was computed elsewhere: a copy of its codes, scale and correction.
 * QSV_EINPUT for a code that is not the format's, a scale or correction that can't be, or an entry
 * that is there. */
enum qsv_status qsv_bank_install(struct qsv_bank *b, uint32_t layer,
                                 const struct qsv_bank_entry *entry, struct qsv_error *err);
/* Is the entry there already? */
bool qsv_bank_has(const struct qsv_bank *b, uint32_t layer, enum qsv_format format);
/* Its loss; NaN where it isn't there: it is not made for this. */
double qsv_bank_loss(const struct qsv_bank *b, uint32_t layer, enum qsv_format format);

/* *out is valid until the bank is destroyed. */
enum qsv_status qsv_bank_get(const struct qsv_bank_entry **out, struct qsv_bank *b, uint32_t layer,
                             enum qsv_format format, struct qsv_error *err);

/* Bank files: docs/formats.md, "Banks". Saves every integer entry that is there; written aside and
 * renamed. */
enum qsv_status qsv_bank_save(const struct qsv_bank *b, const char *path, struct qsv_error *err);
/* A bank with the file's quantizer and entries, and no others but f32 and f16: to ask for one is
 * QSV_EINPUT. QSV_EINPUT also for a file of another model, or anything wrong with it. */
enum qsv_status qsv_bank_load(struct qsv_bank **out, const struct qsv_model *model,
                              const char *path, struct qsv_error *err);

#endif
