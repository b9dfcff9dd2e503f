/* Rows of a query: which trials, in which order.
 */
#ifndef QSV_ROWS_H
#define QSV_ROWS_H

#include "results/columns.h"
#include "results/query.h"

struct qsv_rows {
    struct qsv_query_row *all;         /* [trials], by number */
    const struct qsv_query_row **rows; /* [n]: what the query asks for, in order */
    size_t n;
};

enum qsv_status qsv_rows_select(struct qsv_rows *out, const struct qsv_reader *r,
                                const struct qsv_query *q, struct qsv_error *err);
void qsv_rows_fini(struct qsv_rows *s);

#endif
