#include "results/query.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/setting.h"
#include "results/rows.h"
#include "results/sensitivity.h"
#include "results/sheet.h"

bool qsv_query_format_find(enum qsv_query_format *out, const char *name)
{
    static const char *const names[] = {"table", "csv", "json"};
    for (int i = 0; i < 3; i++)
        if (!strcmp(name, names[i])) {
            *out = (enum qsv_query_format)i;
            return true;
        }
    return false;
}

bool qsv_query_images_find(enum qsv_query_images *out, const char *name)
{
    static const char *const names[] = {"any", "judge", "decide"};
    for (int i = 0; i < 3; i++)
        if (!strcmp(name, names[i])) {
            *out = (enum qsv_query_images)i;
            return true;
        }
    return false;
}

enum { MAX_COLUMNS = 256 };

struct column_list {
    size_t n, column[MAX_COLUMNS];
};

static void take_columns(struct column_list *list, bool all)
{
    for (size_t i = 0; i < qsv_n_query_columns; i++)
        if (all || qsv_query_columns[i].usual)
            list->column[list->n++] = i;
}

static enum qsv_status parse_columns(struct column_list *list, const char *names,
                                     struct qsv_error *err)
{
    list->n = 0;
    if (!names || !strcmp(names, "all")) {
        take_columns(list, names != NULL);
        return QSV_OK;
    }
    for (const char *at = names; at;) {
        size_t length = strcspn(at, ",");
        if (list->n == MAX_COLUMNS)
            return qsv_fail(err, QSV_EINPUT, "--columns: more than %d columns", MAX_COLUMNS);
        enum qsv_status st =
            qsv_query_column_find(&list->column[list->n++], at, length, "--columns", err);
        if (st)
            return st;
        at = at[length] ? at + length + 1 : NULL;
    }
    return QSV_OK;
}

static enum qsv_status print_rows(struct qsv_strbuf *out, const struct qsv_rows *rows,
                                  const struct column_list *list, enum qsv_query_format format,
                                  struct qsv_error *err)
{
    struct qsv_sheet_column columns[MAX_COLUMNS];
    struct qsv_cell *cells = qsv_alloc(rows->n, list->n * sizeof *cells);
    if (!cells)
        return qsv_fail_memory(err, "the answer");
    for (size_t c = 0; c < list->n; c++) {
        const struct qsv_query_column *column = &qsv_query_columns[list->column[c]];
        bool is_text = column->type == QSV_COLUMN_TEXT;
        columns[c] = (struct qsv_sheet_column){column->name, column->unit, is_text, column->digits};
        for (size_t i = 0; i < rows->n; i++)
            if (is_text)
                cells[i * list->n + c].text = qsv_query_text(rows->rows[i], list->column[c]);
            else
                cells[i * list->n + c].number = qsv_query_number(rows->rows[i], list->column[c]);
    }
    struct qsv_sheet sheet = {columns, cells, list->n, rows->n};
    enum qsv_status st = qsv_sheet_print(out, &sheet, format, err);
    free(cells);
    return st;
}

static enum qsv_status list_trials(struct qsv_strbuf *out, const struct qsv_reader *r,
                                   const struct qsv_query *q, struct qsv_error *err)
{
    struct column_list list;
    struct qsv_rows rows;
    enum qsv_status st = parse_columns(&list, q->columns, err);
    if (!st)
        st = qsv_rows_select(&rows, r, q, err);
    if (st)
        return st;
    st = print_rows(out, &rows, &list, q->format, err);
    qsv_rows_fini(&rows);
    return st;
}

static void describe_set(struct qsv_strbuf *out, const char *what, const struct qsv_figures *f,
                         uint64_t all)
{
    double low, high;
    const struct qsv_metrics *m = &f->metrics;
    if (!m->n_images)
        return;
    qsv_metrics_drop_interval(m, &low, &high);
    qsv_strbuf_printf(out,
                      "on %" PRIu64 " of %" PRIu64 " %s images: top-1 %.2f %%, drop %.2f points "
                      "(95 %%: %.2f to %.2f)\n",
                      m->n_images, all, what, qsv_metrics_top1(m), qsv_metrics_top1_drop(m), low,
                      high);
}

static enum qsv_status print_setting(struct qsv_strbuf *out, const struct qsv_reader *r,
                                     const char *key, struct qsv_error *err)
{
    const struct qsv_partition *partition = &qsv_reader_ledger(r)->partition;
    const struct qsv_reader_trial *t;
    struct qsv_strbuf comment = {0};
    enum qsv_status st = qsv_reader_find(r, key, &t, err);
    if (st)
        return st;
    qsv_strbuf_printf(&comment, "trial %016" PRIx64 " of %s\n", t->id, qsv_reader_path(r));
    qsv_strbuf_printf(&comment,
                      "%.2f bits a weight; %" PRIu64 " bytes of weights (%.1f %% saved), %" PRIu64
                      " of the model (%.1f %% saved)\n",
                      t->bytes.avg_bits, t->bytes.weights_bytes, t->weights_saved,
                      t->bytes.model_bytes, t->model_saved);
    describe_set(&comment, "judging", &t->figures[QSV_JUDGE], partition->n_judge);
    describe_set(&comment, "deciding", &t->figures[QSV_DECIDE], partition->n_decide);
    if (comment.len)
        comment.text[comment.len - 1] = '\0';
    if (comment.failed)
        st = qsv_fail_memory(err, "a setting");
    else
        qsv_setting_print(out, t->formats, qsv_reader_graph(r), comment.text);
    qsv_strbuf_fini(&comment);
    return st;
}

static enum qsv_status check(const struct qsv_query *q, struct qsv_error *err)
{
    const char *answer = q->setting ? "--setting" : q->sensitivity ? "--sensitivity" : NULL;
    if (q->setting && q->sensitivity)
        return qsv_fail(err, QSV_EUSAGE, "--setting and --sensitivity ask for different answers");
    const char *other = q->where     ? "--where"
                        : q->sort    ? "--sort"
                        : q->columns ? "--columns"
                        : q->pareto  ? "--pareto"
                        : q->limit   ? "--limit"
                                     : NULL;
    if (answer && other)
        return qsv_fail(err, QSV_EUSAGE, "%s lists trials, %s does not: they don't go together",
                        other, answer);
    return QSV_OK;
}

static enum qsv_status answer(const struct qsv_query *q, const struct qsv_reader *r,
                              struct qsv_strbuf *out, struct qsv_error *err)
{
    enum qsv_status st;
    if (q->setting)
        st = print_setting(out, r, q->setting, err);
    else if (q->sensitivity)
        st = qsv_sensitivity_print(out, r, q->images, q->format, err);
    else
        st = list_trials(out, r, q, err);
    return !st && out->failed ? qsv_fail_memory(err, "the answer") : st;
}

enum qsv_status qsv_query_read(const struct qsv_query *q, const struct qsv_reader *r,
                               struct qsv_strbuf *out, struct qsv_error *err)
{
    enum qsv_status st = check(q, err);
    return st ? st : answer(q, r, out, err);
}

enum qsv_status qsv_query_run(const struct qsv_query *q, struct qsv_strbuf *out,
                              struct qsv_error *err)
{
    struct qsv_reader *r;
    enum qsv_status st = check(q, err);
    if (st)
        return st;
    if (q->columns && !strcmp(q->columns, "help")) {
        qsv_query_columns_describe(out);
        return out->failed ? qsv_fail_memory(err, "the answer") : QSV_OK;
    }
    st = qsv_reader_open(&r, q->path, false, q->warnings, err);
    if (st)
        return st;
    st = answer(q, r, out, err);
    qsv_reader_close(r);
    return st;
}
