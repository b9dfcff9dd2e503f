/* Points in a box of characters: a curve where there is only text.
 */
#ifndef QSV_PLOT_H
#define QSV_PLOT_H

#include <stddef.h>

#include "core/base/strbuf.h"

struct qsv_plot_point {
    double x, y; /* finite, x above 0 */
    char mark;   /* of several in one place the last one given stays */
};

struct qsv_plot {
    const struct qsv_plot_point *points; /* [n] */
    size_t n;
    double y_most; /* what lies above it is drawn at the upper edge */
    double y_line; /* a dashed line; NaN: none */
    const char *title;
    unsigned columns, rows; /* of the whole, title and axes among them */
};

enum { QSV_PLOT_LEAST_COLUMNS = 40, QSV_PLOT_LEAST_ROWS = 7 };

/* Appends `rows` lines of at most `columns` characters, x by its logarithm; nothing where there is
 * no point or too little room. */
void qsv_plot_draw(struct qsv_strbuf *out, const struct qsv_plot *p);

#endif
