/* Two-dimensional datasets of numbers: one row a trial or a record.
 */
#ifndef QSV_MATRIX_H
#define QSV_MATRIX_H

#include "core/h5.h"

struct qsv_matrix {
    const char *name, *title, *units; /* title and units NULL: no attributes */
    hid_t file_type, memory_type;
};

/* Deflated, with Fletcher32. */
enum qsv_status qsv_matrix_write(hid_t loc, const struct qsv_matrix *m, size_t rows, size_t columns,
                                 const void *data, struct qsv_error *err);

/* *data becomes newly allocated [rows][columns]; QSV_EINPUT where the dataset has another shape or
 * is larger than max_bytes. */
enum qsv_status qsv_matrix_read(hid_t loc, const char *name, hid_t memory_type, size_t rows,
                                size_t columns, size_t max_bytes, void *data,
                                struct qsv_error *err);

#endif
