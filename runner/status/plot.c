#include "runner/status/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

enum { LABEL = 8, AROUND = 3 }; /* columns of the y axis' numbers; rows that are no picture */

struct box {
    const struct qsv_plot *plot;
    double x[2], y[2]; /* least, most */
    unsigned width, height;
    char *cells; /* [height][width] */
};

static void find_bounds(struct box *b)
{
    const struct qsv_plot *p = b->plot;
    b->x[0] = b->x[1] = log(p->points[0].x);
    b->y[0] = 0;
    for (size_t i = 0; i < p->n; i++) {
        b->x[0] = fmin(b->x[0], log(p->points[i].x));
        b->x[1] = fmax(b->x[1], log(p->points[i].x));
        b->y[0] = fmin(b->y[0], p->points[i].y);
    }
    b->y[1] = p->y_most > b->y[0] ? p->y_most : b->y[0] + 1;
}

/* Of n cells between the bounds. */
static unsigned cell_of(double v, const double bounds[2], unsigned n)
{
    double part = bounds[1] > bounds[0] ? (v - bounds[0]) / (bounds[1] - bounds[0]) : 0;
    part = fmin(fmax(part, 0), 1);
    return (unsigned)(part * (n - 1) + 0.5);
}

static unsigned row_of(const struct box *b, double y)
{
    return b->height - 1 - cell_of(y, b->y, b->height);
}

static void fill(struct box *b)
{
    const struct qsv_plot *p = b->plot;
    memset(b->cells, ' ', (size_t)b->width * b->height);
    if (!isnan(p->y_line) && p->y_line >= b->y[0] && p->y_line <= b->y[1])
        memset(b->cells + (size_t)row_of(b, p->y_line) * b->width, '-', b->width);
    for (size_t i = 0; i < p->n; i++)
        b->cells[(size_t)row_of(b, p->points[i].y) * b->width +
                 cell_of(log(p->points[i].x), b->x, b->width)] = p->points[i].mark;
}

static void add_row(struct qsv_strbuf *out, const struct box *b, unsigned row)
{
    const char *cells = b->cells + (size_t)row * b->width;
    unsigned n = b->width;
    while (n && cells[n - 1] == ' ')
        n--;
    if (row == 0)
        qsv_strbuf_printf(out, "%*.2f |", LABEL - 2, b->y[1]);
    else if (row == b->height - 1)
        qsv_strbuf_printf(out, "%*.2f |", LABEL - 2, b->y[0]);
    else
        qsv_strbuf_printf(out, "%*s |", LABEL - 2, "");
    qsv_strbuf_add(out, cells, n);
    qsv_strbuf_puts(out, "\n");
}

static void add_axis(struct qsv_strbuf *out, const struct box *b)
{
    char low[32], high[32];
    qsv_strbuf_printf(out, "%*s +", LABEL - 2, "");
    for (unsigned i = 0; i < b->width; i++)
        qsv_strbuf_puts(out, "-");
    snprintf(low, sizeof low, "%.0f", exp(b->x[0]));
    snprintf(high, sizeof high, "%.0f", exp(b->x[1]));
    qsv_strbuf_printf(out, "\n%*s%s%*s\n", LABEL, "", low, (int)(b->width - strlen(low)), high);
}

void qsv_plot_draw(struct qsv_strbuf *out, const struct qsv_plot *p)
{
    struct box b = {.plot = p, .width = p->columns - LABEL, .height = p->rows - AROUND};
    if (!p->n || p->columns < QSV_PLOT_LEAST_COLUMNS || p->rows < QSV_PLOT_LEAST_ROWS)
        return;
    b.cells = qsv_alloc(b.width, b.height);
    if (!b.cells) {
        out->failed = true;
        return;
    }
    find_bounds(&b);
    fill(&b);
    qsv_strbuf_printf(out, "%.*s\n", (int)p->columns, p->title);
    for (unsigned row = 0; row < b.height; row++)
        add_row(out, &b, row);
    add_axis(out, &b);
    free(b.cells);
}
