#include <string.h>

#include "core/base/clock.h"
#include "results/json.h"
#include "results/report.h"
#include "runner/search/predicted.h"
#include "runner/report/report.h"
#include "runner/base/version.h"

enum { CURVE_POINTS = 48 };

/* QSViT's own figures, for comparison: arXiv 2504.00948, on ImageNet. */
static json_t *make_paper(void)
{
    return json_pack("{s:s, s:s, s:s, s:f, s:f, s:f}", "name", "QSViT", "source",
                     "arXiv 2504.00948", "dataset", "ImageNet", "model_saved", 22.75,
                     "energy_saved", 21.33, "top1_drop", 2.1);
}

/* As `qsvit query --pareto --predicted`: the curve, and where it has no predicted points, why.
 * While a run goes on its search has not come far enough, and loading the model each time is dear.
 */
static enum qsv_status add_curve(json_t *run, const struct qsv_reader *r,
                                 const struct qsv_report_query *query, const char *path,
                                 struct qsv_error *err)
{
    struct qsv_strbuf text = {0}, notes = {0};
    json_t *curve = NULL;
    const struct qsv_predicted_query q = {.run = path,
                                          .model = query->model,
                                          .format = QSV_QUERY_JSON,
                                          .points = query->live ? 0 : CURVE_POINTS,
                                          .warnings = &notes};
    enum qsv_status st = qsv_predicted_curve_read(&q, r, &text, err);
    if (!st)
        st = qsv_json_parse(&curve, &text, err);
    if (query->live)
        qsv_strbuf_puts(&notes, "nothing is predicted while a run goes on\n");
    if (notes.len)
        notes.text[notes.len - 1] = '\0'; /* a line */
    if (!st && (notes.failed || json_object_set_new(run, "curve", curve) ||
                json_object_set_new(run, "curve_note", qsv_json_string(notes.text))))
        st = qsv_fail_memory(err, "a curve");
    qsv_strbuf_fini(&text);
    qsv_strbuf_fini(&notes);
    return st;
}

static enum qsv_status add_run(json_t *runs, const struct qsv_report_query *q, const char *path,
                               struct qsv_error *err)
{
    struct qsv_reader *r;
    json_t *run = NULL;
    enum qsv_status st = qsv_reader_open(&r, path, true, q->warnings, err);
    if (st)
        return st;
    st = qsv_report_run(&run, r, err);
    if (!st)
        st = add_curve(run, r, q, path, err);
    if (!st && json_array_append(runs, run))
        st = qsv_fail_memory(err, "a report");
    json_decref(run);
    qsv_reader_close(r);
    return st;
}

enum qsv_status qsv_report_data(struct qsv_strbuf *out, const struct qsv_report_query *q,
                                struct qsv_error *err)
{
    char now[24];
    json_t *runs = json_array();
    enum qsv_status st = runs ? QSV_OK : qsv_fail_memory(err, "a report");
    for (size_t i = 0; i < q->n && !st; i++)
        st = add_run(runs, q, q->runs[i], err);
    qsv_clock_utc(qsv_clock_unix_s(), now);
    if (st) {
        json_decref(runs);
        return st;
    }
    json_t *all = json_pack("{s:s, s:i, s:s, s:s, s:s, s:b, s:o, s:o, s:o}", "format",
                            "qsvit report", "version", 1, "qsvit", qsv_version(), "commit",
                            qsv_version_commit(), "written_utc", now, "live", (int)q->live, "paper",
                            make_paper(), "columns", qsv_report_columns(), "runs", runs);
    st = all ? qsv_json_print(out, all, err) : qsv_fail_memory(err, "a report");
    json_decref(all);
    return st;
}
