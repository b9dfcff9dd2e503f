#include "runner/search/predicted.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "jobs/setting.h"
#include "jobs/strategies/curve.h"
#include "results/rows.h"
#include "results/sheet.h"
#include "runner/search/replay.h"

static const struct qsv_sheet_column columns[] = {
    {"kind", NULL, true, 0},
    {"trial", NULL, true, 0},
    {"avg_bits", "bit/weight", false, 2},
    {"model_bytes", "B", false, 0},
    {"model_saved", "%", false, 1},
    {"images", NULL, true, 0},
    {"n_images", "images", false, 0},
    {"top1_drop", "points", false, 2},
    {"drop_low", "points", false, 2},
    {"drop_high", "points", false, 2},
    {"foretold_kl", "nats", false, 5},
};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

struct row {
    const char *kind, *images;
    char trial[17]; /* "": the run knows of none */
    struct qsv_bytes bytes;
    uint64_t n_images;
    double saved, drop, low, high, kl;
};

static struct row predicted_row(const struct qsv_reader *r, const struct qsv_curve_point *p)
{
    const struct qsv_ledger *l = qsv_reader_ledger(r);
    const uint64_t id = qsv_setting_id(p->formats, l->shape.n_layers);
    const bool measured = p->n_images > 0;
    struct row row = {.kind = measured ? "measured" : "predicted",
                      .images = !measured               ? "judge"
                                : l->partition.n_decide ? "decide"
                                                        : "judge",
                      .bytes = p->bytes,
                      .n_images = measured ? p->n_images : l->partition.n_judge,
                      .saved =
                          100 * (1 - (double)p->bytes.model_bytes / (double)l->f32.model_bytes),
                      .drop = p->drop,
                      .low = p->low,
                      .high = p->high,
                      .kl = p->kl};
    if (qsv_ledger_trial(l, id))
        snprintf(row.trial, sizeof row.trial, "%016" PRIx64, id);
    return row;
}

static struct row measured_row(const struct qsv_query_row *m)
{
    const struct qsv_trial_file_row *f = &m->figures;
    struct row row = {.kind = "measured",
                      .images = m->images,
                      .bytes = f->trial.bytes,
                      .n_images = f->n_images,
                      .saved = f->model_saved,
                      .drop = f->top1_drop,
                      .low = f->drop_low,
                      .high = f->drop_high,
                      .kl = NAN};
    snprintf(row.trial, sizeof row.trial, "%s", m->trial);
    return row;
}

static int by_bytes(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->bytes.model_bytes != y->bytes.model_bytes)
        return x->bytes.model_bytes < y->bytes.model_bytes ? -1 : 1;
    return strcmp(x->kind, y->kind);
}

static enum qsv_status print(struct qsv_strbuf *out, const struct row *rows, size_t n,
                             enum qsv_query_format format, struct qsv_error *err)
{
    struct qsv_cell *cells = qsv_alloc(n, N_COLUMNS * sizeof *cells);
    if (!cells)
        return qsv_fail_memory(err, "the answer");
    for (size_t i = 0; i < n; i++) {
        const struct row *r = &rows[i];
        const struct qsv_cell own[N_COLUMNS] = {
            {.text = r->kind},
            {.text = r->trial},
            {.number = r->bytes.avg_bits},
            {.number = (double)r->bytes.model_bytes},
            {.number = r->saved},
            {.text = r->images},
            {.number = (double)r->n_images},
            {.number = r->drop},
            {.number = r->low},
            {.number = r->high},
            {.number = r->kl},
        };
        memcpy(cells + i * N_COLUMNS, own, sizeof own);
    }
    const struct qsv_sheet sheet = {columns, cells, N_COLUMNS, n};
    enum qsv_status st = qsv_sheet_print(out, &sheet, format, err);
    free(cells);
    return st;
}

static enum qsv_status trace(struct qsv_curve *out, const struct qsv_predicted_query *q,
                             const struct qsv_reader *reader, struct qsv_error *err)
{
    struct qsv_replay r;
    *out = (struct qsv_curve){0};
    enum qsv_status st = qsv_replay_init(&r, reader, q->run, "frontier", q->model, err);
    if (st)
        return st;
    st = qsv_curve_trace(out, r.space, r.spec, &r.evaluator, q->points, err);
    qsv_replay_fini(&r);
    return st;
}

/* Without a prediction the measured points are an answer too. */
static enum qsv_status try_trace(struct qsv_curve *out, const struct qsv_predicted_query *q,
                                 const struct qsv_reader *reader, struct qsv_error *err)
{
    struct qsv_error why = {0};
    enum qsv_status st = trace(out, q, reader, &why);
    if (st == QSV_ENOMEM)
        return qsv_fail_memory(err, "the predicted curve");
    if (st)
        qsv_strbuf_printf(q->warnings, "nothing is predicted: %s\n", why.text);
    return QSV_OK;
}

static enum qsv_status print_both(struct qsv_strbuf *out, const struct qsv_predicted_query *q,
                                  const struct qsv_reader *reader, const struct qsv_rows *measured,
                                  const struct qsv_curve *curve, struct qsv_error *err)
{
    struct row *rows = qsv_alloc(measured->n + curve->n, sizeof *rows);
    size_t n = 0;
    if (!rows)
        return qsv_fail_memory(err, "the answer");
    for (size_t i = 0; i < measured->n; i++)
        rows[n++] = measured_row(measured->rows[i]);
    for (size_t i = 0; i < curve->n; i++)
        rows[n++] = predicted_row(reader, &curve->points[i]);
    if (n)
        qsort(rows, n, sizeof *rows, by_bytes);
    enum qsv_status st = print(out, rows, n, q->format, err);
    free(rows);
    return st;
}

enum qsv_status qsv_predicted_curve_read(const struct qsv_predicted_query *q,
                                         const struct qsv_reader *reader, struct qsv_strbuf *out,
                                         struct qsv_error *err)
{
    const struct qsv_query pareto = {.path = q->run, .pareto = true, .images = q->images};
    struct qsv_rows measured = {0};
    struct qsv_curve curve = {0};
    enum qsv_status st = qsv_rows_select(&measured, reader, &pareto, err);
    if (!st && q->points)
        st = try_trace(&curve, q, reader, err);
    if (!st)
        st = print_both(out, q, reader, &measured, &curve, err);
    qsv_curve_fini(&curve);
    qsv_rows_fini(&measured);
    return st;
}

enum qsv_status qsv_predicted_curve(const struct qsv_predicted_query *q, struct qsv_strbuf *out,
                                    struct qsv_error *err)
{
    struct qsv_reader *reader;
    enum qsv_status st = qsv_reader_open(&reader, q->run, false, q->warnings, err);
    if (st)
        return st;
    st = qsv_predicted_curve_read(q, reader, out, err);
    qsv_reader_close(reader);
    return st;
}

static void describe(struct qsv_strbuf *out, const struct qsv_predicted_query *q,
                     const struct row *row, const struct qsv_spec *spec)
{
    qsv_strbuf_printf(out, "the smallest setting to keep a drop of %g points, by %s\n", q->bound,
                      q->run);
    if (spec->has_calibration)
        qsv_strbuf_printf(out, "with a margin of %g standard errors and a reserve of %g\n",
                          spec->constraint.caution.margin, spec->constraint.caution.reserve);
    qsv_strbuf_printf(out,
                      "%.2f bits a weight; %" PRIu64 " bytes of weights, %" PRIu64
                      " of the model (%.1f %% saved)\n",
                      row->bytes.avg_bits, row->bytes.weights_bytes, row->bytes.model_bytes,
                      row->saved);
    qsv_strbuf_printf(out, "%s on %" PRIu64 " %s images: drop %.2f points", row->kind,
                      row->n_images, !strcmp(row->images, "judge") ? "judging" : "deciding",
                      row->drop);
    if (isfinite(row->low))
        qsv_strbuf_printf(out, " (95 %%: %.2f to %.2f)", row->low, row->high);
}

static enum qsv_status print_found(struct qsv_strbuf *out, const struct qsv_predicted_query *q,
                                   const struct qsv_reader *reader, const struct qsv_spec *spec,
                                   const struct qsv_curve_point *p, struct qsv_error *err)
{
    const struct row row = predicted_row(reader, p);
    struct qsv_strbuf comment = {0}, file = {0};
    enum qsv_status st = QSV_OK;
    describe(&comment, q, &row, spec);
    if (!comment.failed)
        qsv_setting_print(q->output ? &file : out, p->formats, qsv_reader_graph(reader),
                          comment.text);
    if (comment.failed || file.failed)
        st = qsv_fail_memory(err, "a setting");
    if (!st && q->output)
        st = qsv_file_write(q->output, file.text, file.len, err);
    if (!st && q->output)
        st = print(out, &row, 1, q->format, err);
    qsv_strbuf_fini(&comment);
    qsv_strbuf_fini(&file);
    return st;
}

enum qsv_status qsv_predicted_setting(const struct qsv_predicted_query *q, struct qsv_strbuf *out,
                                      struct qsv_error *err)
{
    struct qsv_reader *reader;
    struct qsv_replay r;
    struct qsv_curve_point p = {0};
    enum qsv_status st = qsv_reader_open(&reader, q->run, false, q->warnings, err);
    if (st)
        return st;
    st = qsv_replay_init(&r, reader, q->run, "frontier", q->model, err);
    if (!st) {
        st = qsv_curve_at(&p, r.space, r.spec, &r.evaluator, q->bound, err);
        if (!st)
            st = print_found(out, q, reader, r.spec, &p, err);
        else
            qsv_fail_in(err, st, "%s", q->run);
        qsv_replay_fini(&r);
    }
    qsv_curve_point_fini(&p);
    qsv_reader_close(reader);
    return st;
}
