#define _GNU_SOURCE /* qsort_r */
#include "results/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "results/expression.h"

void qsv_rows_fini(struct qsv_rows *s)
{
    free(s->all);
    free(s->rows);
    *s = (struct qsv_rows){0};
}

static struct qsv_expression_value get(const void *row, size_t column)
{
    if (qsv_query_columns[column].type == QSV_COLUMN_TEXT)
        return (struct qsv_expression_value){.text = qsv_query_text(row, column)};
    return (struct qsv_expression_value){.number = qsv_query_number(row, column)};
}

static enum qsv_status parse_where(struct qsv_expression **out, const char *where,
                                   struct qsv_error *err)
{
    struct qsv_expression_column *columns = qsv_alloc(qsv_n_query_columns, sizeof *columns);
    if (!columns)
        return qsv_fail_memory(err, "a condition");
    for (size_t i = 0; i < qsv_n_query_columns; i++)
        columns[i] = (struct qsv_expression_column){qsv_query_columns[i].name,
                                                    qsv_query_columns[i].type == QSV_COLUMN_TEXT};
    enum qsv_status st = qsv_expression_parse(out, where, columns, qsv_n_query_columns, err);
    free(columns);
    return st ? qsv_fail_in(err, st, "--where") : QSV_OK;
}

/* Which images a query looks at; a Pareto front needs one set for all. */
static enum qsv_query_images images_of(const struct qsv_query *q)
{
    return q->pareto && q->images == QSV_QUERY_ANY ? QSV_QUERY_JUDGE : q->images;
}

static enum qsv_image_set set_of(const struct qsv_query *q, const struct qsv_reader_trial *t)
{
    switch (images_of(q)) {
    case QSV_QUERY_JUDGE:
        return QSV_JUDGE;
    case QSV_QUERY_DECIDE:
        return QSV_DECIDE;
    case QSV_QUERY_ANY:
        break;
    }
    return t->shown;
}

static bool is_measured(const struct qsv_query *q, const struct qsv_query_row *row)
{
    if (q->pareto)
        return row->figures.all_images;
    return images_of(q) == QSV_QUERY_ANY || row->figures.n_images;
}

static enum qsv_status fill(struct qsv_rows *s, const struct qsv_reader *r,
                            const struct qsv_query *q, struct qsv_error *err)
{
    struct qsv_expression *where = NULL;
    size_t n = qsv_reader_trial_count(r);
    enum qsv_status st = q->where ? parse_where(&where, q->where, err) : QSV_OK;
    if (st)
        return st;
    s->all = qsv_alloc(n, sizeof *s->all);
    s->rows = qsv_alloc(n, sizeof *s->rows);
    if (!s->all || !s->rows)
        st = qsv_fail_memory(err, "rows");
    for (size_t i = 0; i < n && !st; i++) {
        struct qsv_query_row *row = &s->all[i];
        qsv_query_row_fill(row, r, i, set_of(q, qsv_reader_trial(r, i)));
        if (is_measured(q, row) && (!where || qsv_expression_holds(where, get, row)))
            s->rows[s->n++] = row;
    }
    qsv_expression_destroy(where);
    return st;
}

static int by_bytes_and_drop(const void *a, const void *b)
{
    const struct qsv_trial_file_row *x = &(*(const struct qsv_query_row *const *)a)->figures;
    const struct qsv_trial_file_row *y = &(*(const struct qsv_query_row *const *)b)->figures;
    uint64_t m = x->trial.bytes.model_bytes, n = y->trial.bytes.model_bytes;
    if (m != n)
        return m < n ? -1 : 1;
    if (x->top1_drop != y->top1_drop)
        return x->top1_drop < y->top1_drop ? -1 : 1;
    return x->trial.number < y->trial.number ? -1 : x->trial.number > y->trial.number;
}

/* By rising bytes, a trial is on the front where its drop is below every smaller one's; equals of
 * one stay together. */
static void keep_pareto(struct qsv_rows *s)
{
    size_t kept = 0;
    double lowest = INFINITY;
    uint64_t bytes = 0;
    if (s->n)
        qsort(s->rows, s->n, sizeof *s->rows, by_bytes_and_drop);
    for (size_t i = 0; i < s->n; i++) {
        const struct qsv_trial_file_row *f = &s->rows[i]->figures;
        bool equal = f->top1_drop == lowest && f->trial.bytes.model_bytes == bytes;
        if (!(f->top1_drop < lowest) && !equal)
            continue;
        lowest = f->top1_drop;
        bytes = f->trial.bytes.model_bytes;
        s->rows[kept++] = s->rows[i];
    }
    s->n = kept;
}

enum { MAX_KEYS = 8 };

struct keys {
    size_t n, column[MAX_KEYS];
    bool falling[MAX_KEYS];
};

static enum qsv_status parse_sort(struct keys *keys, const char *sort, struct qsv_error *err)
{
    *keys = (struct keys){0};
    for (const char *at = sort; at;) {
        size_t length = strcspn(at, ",");
        if (keys->n == MAX_KEYS)
            return qsv_fail(err, QSV_EINPUT, "--sort: more than %d columns", MAX_KEYS);
        bool falling = *at == '-';
        keys->falling[keys->n] = falling;
        enum qsv_status st = qsv_query_column_find(&keys->column[keys->n], at + falling,
                                                   length - falling, "--sort", err);
        if (st)
            return st;
        keys->n++;
        at = at[length] ? at + length + 1 : NULL;
    }
    return QSV_OK;
}

/* Missing numbers come last, whichever the direction. */
static int compare_column(const struct qsv_query_row *x, const struct qsv_query_row *y,
                          size_t column, bool falling)
{
    int order;
    if (qsv_query_columns[column].type == QSV_COLUMN_TEXT) {
        order = strcmp(qsv_query_text(x, column), qsv_query_text(y, column));
    } else {
        double a = qsv_query_number(x, column), b = qsv_query_number(y, column);
        if (isnan(a) || isnan(b))
            return isnan(a) - isnan(b);
        order = (a > b) - (a < b);
    }
    return falling ? -order : order;
}

/* Rows lie in one array in the order of numbers, which decides between equals. */
static int by_keys(const void *a, const void *b, void *context)
{
    const struct qsv_query_row *x = *(const struct qsv_query_row *const *)a;
    const struct qsv_query_row *y = *(const struct qsv_query_row *const *)b;
    const struct keys *keys = context;
    for (size_t i = 0; i < keys->n; i++) {
        int order = compare_column(x, y, keys->column[i], keys->falling[i]);
        if (order)
            return order;
    }
    return x < y ? -1 : x > y;
}

enum qsv_status qsv_rows_select(struct qsv_rows *out, const struct qsv_reader *r,
                                const struct qsv_query *q, struct qsv_error *err)
{
    struct keys keys = {0};
    *out = (struct qsv_rows){0};
    enum qsv_status st = q->sort ? parse_sort(&keys, q->sort, err) : QSV_OK;
    if (!st)
        st = fill(out, r, q, err);
    if (st) {
        qsv_rows_fini(out);
        return st;
    }
    if (q->pareto)
        keep_pareto(out);
    if (out->n && (q->sort || !q->pareto))
        qsort_r(out->rows, out->n, sizeof *out->rows, by_keys, &keys);
    if (q->limit && out->n > q->limit)
        out->n = (size_t)q->limit;
    return QSV_OK;
}
