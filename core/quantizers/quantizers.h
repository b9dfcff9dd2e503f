/* The table of quantizers, and what they share. A new one is a file here that defines its row, and
 * a line in quantizers.inc; docs/extending.md says more.
 */
#ifndef QSV_QUANTIZERS_H
#define QSV_QUANTIZERS_H

#include "core/curvature.h"
#include "core/quantizer.h"

/* One group of output channels that read the same inputs. */
struct qsv_quantizer_task {
    enum qsv_scale_rule rule;
    const struct qsv_format_info *format;
    const float *weights; /* [rows][k] */
    size_t rows, k;
    const struct qsv_curvature *curvature; /* of these rows; NULL: none was given */
    int8_t *codes;                         /* [rows][k] */
    float *scale;                          /* [rows] */
};

struct qsv_quantizer_kind {
    const char *name;
    bool needs_curvature;
    bool corrects; /* the mean of the outputs is left to a correction */
    enum qsv_status (*quantize)(const struct qsv_quantizer_task *t, struct qsv_error *err);
};

#define QUANTIZER(name) extern const struct qsv_quantizer_kind qsv_quantizer_##name;
#include "core/quantizers/quantizers.inc"
#undef QUANTIZER

/* Sets a scale by the rule; importance [k]: what a squared error of each weight counts; NULL: 1. */
float qsv_scale_choose(enum qsv_scale_rule rule, const float *weights, const double *importance,
                       size_t k, const struct qsv_format_info *format);

/* A number as a scale may be: f32, finite, not 0. */
float qsv_scale_of(double s);

#endif
