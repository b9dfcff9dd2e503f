/* Step 1 of a search as a table: layer group x format.
 */
#ifndef QSV_SENSITIVITY_H
#define QSV_SENSITIVITY_H

#include "results/query.h"
#include "results/reader.h"

/* Mean KL divergence of each group at each format, all else f32, from the last search that measured
 * it; groups in the order asked, formats by falling bits. On the deciding images where the trial
 * was measured on them, else the judging ones; `images` can ask for one set. QSV_EINPUT where no
 * search of the run has a sensitivity step. */
enum qsv_status qsv_sensitivity_print(struct qsv_strbuf *out, const struct qsv_reader *r,
                                      enum qsv_query_images images, enum qsv_query_format format,
                                      struct qsv_error *err);

#endif
