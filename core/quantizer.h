/* Post-training quantizers: weights of one layer -> codes and scales. One row of a table each.
 *
 * Symmetric, one scale an output channel: weight ~ code x scale.
 */
#ifndef QSV_QUANTIZER_H
#define QSV_QUANTIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/format.h"

enum qsv_scale_rule {
    QSV_SCALE_MAX, /* the largest magnitude of the channel becomes the largest code */
    QSV_SCALE_MSE  /* least squared error over a grid of scales */
};

struct qsv_quantizer {
    const char *name;          /* as qsv_quantizer_find gives it: "round", "searched" ... */
    enum qsv_scale_rule scale; /* "compensated": where the search for scales begins */
    enum qsv_format affine;    /* QSV_F32, QSV_F16 or QSV_INT8: what multipliers and shifts are
                                  stored as (qsv_affine_of); codes do not depend on it */
};

/* weights [out_ch][per_channel] finite f32, row-major; codes like weights; scale [out_ch], never 0,
 * NaN or infinite. An integer format. The same bits on every machine.
 *
 * "round": the rule gives each channel its scale, then each weight the nearest code, the lower of
 * two equally near ones. By QSV_SCALE_MAX the scale is largest magnitude / largest code; by
 * QSV_SCALE_MSE it is that times 0.10, 0.11 ... 1.05, where the codes are lopsided also times their
 * negatives: the first of those with the least squared error. A channel of zeros counts as one
 * whose largest magnitude is 1e-30. To none every quantizer gives scales of 1.
 */
void qsv_quantize(const struct qsv_quantizer *q, enum qsv_format format, const float *weights,
                  size_t out_ch, size_t per_channel, int8_t *codes, float *scale);

struct qsv_curvature; /* core/curvature.h */

/* The same for any quantizer; curvature of these weights, may be NULL where none is needed.
 *
 * "gptq": inputs by falling diagonal of H, each rounded to make up for the errors of those before
 * it; the scale by the rule, squared errors weighted by the diagonal. "compensated": then four
 * sweeps of coordinate descent on the codes, the scale in closed form before each and at the end.
 * "searched": that from 4 to 32 scales to begin with, for each row what loses least, its scale
 * times what the outputs spread less. Formulas: docs/quantizers.md. The last bits of what they
 * stand on may differ between kinds of CPU (core/linear.h), so their codes are to be recorded. */
enum qsv_status qsv_quantize_group(const struct qsv_quantizer *q, enum qsv_format format,
                                   const float *weights, size_t out_ch, size_t per_channel,
                                   const struct qsv_curvature *curvature, int8_t *codes,
                                   float *scale, struct qsv_error *err);

bool qsv_quantizer_needs_statistics(const struct qsv_quantizer *q);
/* Does it leave the mean of the outputs to a correction, and work on the covariance of inputs? */
bool qsv_quantizer_corrects(const struct qsv_quantizer *q);

/* The name as the table holds it, to keep in a struct qsv_quantizer; NULL where there is none of
 * that name. */
const char *qsv_quantizer_find(const char *name);
/* All names, NULL-terminated, and as text for messages: "searched, compensated, gptq, round". */
extern const char *const qsv_quantizers[];
const char *qsv_quantizer_names(void);

/* "max" or "mse". */
const char *qsv_scale_rule_name(enum qsv_scale_rule r);
int qsv_scale_rule_find(enum qsv_scale_rule *out, const char *name); /* 1 when found, else 0 */

/* Adds everything that decides codes, multipliers and shifts: part of a run's identity. */
void qsv_quantizer_hash(const struct qsv_quantizer *q, struct qsv_hash *h);

#endif
