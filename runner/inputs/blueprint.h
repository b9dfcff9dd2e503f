/* A network that exists only in outline: the graph of an SDTv2 of given widths, with the depths of
 * the published ones, 224x224 images and 1000 classes, and no weights. For planning.
 */
#ifndef QSV_BLUEPRINT_H
#define QSV_BLUEPRINT_H

#include "core/model.h"

enum { QSV_N_WIDTHS = 4 };

/* "128,256,512,640" */
enum qsv_status qsv_widths_parse(uint32_t widths[QSV_N_WIDTHS], const char *text,
                                 struct qsv_error *err);

/* Its tensors have shapes and no data. Destroy with qsv_model_destroy. */
enum qsv_status qsv_blueprint_create(struct qsv_model **out, const uint32_t widths[QSV_N_WIDTHS],
                                     struct qsv_error *err);

#endif
