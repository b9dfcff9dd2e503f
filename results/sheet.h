/* Rows and columns for people and programs: an aligned table, CSV (RFC 4180), or JSON (an array of
 * one object a row).
 *
 * In tables numbers have the digits that their column asks for; in CSV and JSON as many as tell
 * them from every other double. A missing number (NaN) is "-" in a table, empty in CSV, null in
 * JSON.
 */
#ifndef QSV_SHEET_H
#define QSV_SHEET_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/base/strbuf.h"
#include "results/query.h"

struct qsv_sheet_column {
    const char *name, *unit; /* unit NULL: none */
    bool is_text;
    int digits; /* behind the point in tables; negative: that many significant ones */
};

struct qsv_cell { /* one of the two, as the column says */
    double number;
    const char *text;
};

struct qsv_sheet {
    const struct qsv_sheet_column *columns;
    const struct qsv_cell *cells; /* [rows][n_columns] */
    size_t n_columns, n_rows;
};

/* Appends it to *out; QSV_ENOMEM. */
enum qsv_status qsv_sheet_print(struct qsv_strbuf *out, const struct qsv_sheet *sheet,
                                enum qsv_query_format format, struct qsv_error *err);

/* The shortest decimal that reads back as v, which is finite. */
void qsv_shortest(char buf[32], double v);

#endif
