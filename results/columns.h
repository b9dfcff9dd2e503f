/* The columns of `qsvit query`: one table, which names, units, help and values come from.
 */
#ifndef QSV_COLUMNS_H
#define QSV_COLUMNS_H

#include "core/base/strbuf.h"
#include "results/ledger_file.h"
#include "results/reader.h"

/* A trial's row: what /trials has too, and texts. */
struct qsv_query_row {
    struct qsv_trial_file_row figures;
    char trial[17], parent[17];
    char formats[160];
    const char *trial_text, *parent_text, *formats_text, *images; /* as columns need them */
};

struct qsv_query_column {
    const char *name;
    enum qsv_column_type type;
    size_t offset; /* in struct qsv_query_row */
    bool usual;    /* shown where no columns are named */
    int digits;    /* behind the point in tables; negative: significant digits */
    const char *unit, *help;
};

extern const struct qsv_query_column qsv_query_columns[];
extern const size_t qsv_n_query_columns;

/* Fills a row, which must stay where it is, with the figures on a set. */
void qsv_query_row_fill(struct qsv_query_row *row, const struct qsv_reader *r, size_t trial,
                        enum qsv_image_set set);

/* The row's value; NaN for a missing number. Only one of the two has a meaning. */
double qsv_query_number(const struct qsv_query_row *row, size_t column);
const char *qsv_query_text(const struct qsv_query_row *row, size_t column);

/* Finds a column by its name [length]; QSV_EINPUT naming the nearest. `option` begins the message.
 */
enum qsv_status qsv_query_column_find(size_t *column, const char *name, size_t length,
                                      const char *option, struct qsv_error *err);

/* "name  unit  help", a line each. */
void qsv_query_columns_describe(struct qsv_strbuf *out);

#endif
