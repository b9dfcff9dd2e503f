/* Tables: arrays of structs in memory, one-dimensional HDF5 datasets of scalar fields in a file, so
 * that pandas.DataFrame(f["name"][:]) just works. Text is a char * in memory and a fixed-length
 * string, as long as the longest, in the file.
 */
#ifndef QSV_TABLE_H
#define QSV_TABLE_H

#include <stdbool.h>

#include "core/h5.h"

enum qsv_column_type {
    QSV_COLUMN_U8,
    QSV_COLUMN_U32,
    QSV_COLUMN_U64,
    QSV_COLUMN_F64,
    QSV_COLUMN_TEXT /* char *; NULL is written as "" */
};

struct qsv_column {
    const char *name;
    enum qsv_column_type type;
    size_t offset;    /* in the struct */
    const char *unit; /* NULL: none */
    bool optional;    /* a file may be without it: zeros, then; no text */
};

struct qsv_table {
    const char *name;
    const char *title; /* one line for people; an attribute of the dataset */
    size_t row_size;   /* sizeof the struct */
    const struct qsv_column *columns;
    size_t n_columns; /* at most QSV_MAX_COLUMNS */
    size_t n_stored;  /* of these, the first n_stored are read back; the others follow from them */
};

enum { QSV_MAX_COLUMNS = 48 };

/* rows [n] of t->row_size bytes each. `described`: with title and units as attributes: `units` in
 * one string, and unit.<column> each. */
enum qsv_status qsv_table_write(hid_t loc, const struct qsv_table *t, const void *rows, size_t n,
                                bool described, struct qsv_error *err);

/* *rows becomes newly allocated structs, zeroed but for the stored columns; QSV_EINPUT where the
 * dataset is not such a table, or larger than max_bytes. Columns that the table does not know are
 * skipped. Free with qsv_table_free. */
enum qsv_status qsv_table_read(hid_t loc, const struct qsv_table *t, size_t max_bytes, void *rows,
                               size_t *n, struct qsv_error *err);

/* Frees the stored text columns, and the rows. */
void qsv_table_free(const struct qsv_table *t, void *rows, size_t n);

#endif
