/* The option --quantizer, and where codes come from. */
#ifndef QSV_RUNNER_QUANTIZERS_H
#define QSV_RUNNER_QUANTIZERS_H

#include "core/quantizer.h"

/* "max" and "mse" (rounding, by scale rule) or a quantizer's name; QSV_EUSAGE for others. */
enum qsv_status qsv_quantizers_choose(struct qsv_quantizer *out, const char *name,
                                      struct qsv_error *err);

#endif
