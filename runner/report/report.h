/* Runs as a report: one HTML file that needs nothing but a browser, or its figures as SVG files.
 *
 * Everything shown comes from one JSON value (results/report.h, docs/report.md) that lies in the
 * file. The figures are Vega specifications; Vega itself is a file that comes with the program.
 */
#ifndef QSV_REPORT_PAGE_H
#define QSV_REPORT_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/base/strbuf.h"

struct qsv_report_query {
    const char *const *runs; /* [n] folders, or results.h5 */
    size_t n;
    const char *model;           /* where the runs' source model is now; NULL: where it was */
    bool live;                   /* a run goes on: the page loads itself again */
    struct qsv_strbuf *warnings; /* what could not be read */
};

/* Appends the data as JSON text without any '<'. */
enum qsv_status qsv_report_data(struct qsv_strbuf *out, const struct qsv_report_query *q,
                                struct qsv_error *err);

/* Writes the page, atomically. QSV_EFAILED where Vega is not there. */
enum qsv_status qsv_report_write(const char *path, const struct qsv_report_query *q,
                                 const struct qsv_strbuf *data, struct qsv_error *err);

/* Writes the figures as DIR/NAME.svg, by node; makes the folder. QSV_EFAILED where node or Vega is
 * not there. */
enum qsv_status qsv_report_draw(const char *folder, const struct qsv_strbuf *data,
                                struct qsv_error *err);

#endif
