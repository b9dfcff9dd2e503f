#include <stdlib.h>

#include "core/base/clock.h"
#include "runner/program/commands.h"
#include "runner/report/report.h"
#include "runner/status/situation.h"
#include "runner/base/stop.h"

struct values {
    struct qsv_operands runs;
    const char *output, *svg, *model;
    double every_s;
    bool live;
};

static const struct qsv_option options[] = {
    {.type = QSV_OPTION_OPERANDS,
     .name = "RUN...",
     .target = offsetof(struct values, runs),
     .required = true,
     .help = "runs' folders, or their results.h5; they may be going on"},
    {.type = QSV_OPTION_TEXT,
     .name = "output",
     .letter = 'o',
     .argument = "FILE",
     .target = offsetof(struct values, output),
     .help = "where the page goes (default report.html, unless --svg is given)"},
    {.type = QSV_OPTION_TEXT,
     .name = "svg",
     .argument = "DIR",
     .target = offsetof(struct values, svg),
     .help = "the figures as SVG files into this folder, for papers; node draws them"},
    {.type = QSV_OPTION_FLAG,
     .name = "live",
     .target = offsetof(struct values, live),
     .help = "writes it again and again until no run goes on any more"},
    {.type = QSV_OPTION_NUMBER,
     .name = "every",
     .argument = "SECONDS",
     .target = offsetof(struct values, every_s),
     .fallback = "5",
     .help = "with --live: how long to wait in between"},
    {.type = QSV_OPTION_TEXT,
     .name = "model",
     .letter = 'm',
     .argument = "MODEL",
     .target = offsetof(struct values, model),
     .help = "where the runs' source model is now, for predictions (default: where it was)"},
    {.type = QSV_OPTION_END},
};

static bool any_goes_on(const struct qsv_operands *runs)
{
    bool any = false;
    for (size_t i = 0; i < runs->n && !any; i++) {
        struct qsv_situation s;
        qsv_situation_find(&s, runs->v[i]);
        any = s.goes_on;
        qsv_situation_fini(&s);
    }
    return any;
}

static enum qsv_status write_out(const struct values *v, const struct qsv_report_query *q,
                                 const struct qsv_strbuf *data, struct qsv_error *err)
{
    const char *output = v->output ? v->output : v->svg ? NULL : "report.html";
    enum qsv_status st = output ? qsv_report_write(output, q, data, err) : QSV_OK;
    if (!st && v->svg)
        st = qsv_report_draw(v->svg, data, err);
    return st;
}

/* What a run has recorded may be missing, or changing, while it goes on: the next round sees more.
 */
static bool may_pass(const struct qsv_report_query *q, enum qsv_status st)
{
    return q->live && (st == QSV_EINPUT || st == QSV_EIO);
}

static enum qsv_status write_once(const struct values *v, bool live, struct qsv_error *err)
{
    struct qsv_strbuf data = {0}, warnings = {0};
    const struct qsv_report_query q = {
        .runs = v->runs.v, .n = v->runs.n, .model = v->model, .live = live, .warnings = &warnings};
    enum qsv_status st = qsv_report_data(&data, &q, err);
    if (!st)
        st = write_out(v, &q, &data, err);
    else if (may_pass(&q, st))
        st = QSV_OK;
    qsv_strbuf_fini(&data);
    if (live)
        qsv_strbuf_fini(&warnings);
    else
        qsv_print_warnings(&warnings);
    return st;
}

static void nap(const struct qsv_stop *stop, double seconds)
{
    for (double end = qsv_clock_monotonic_s() + seconds;
         qsv_clock_monotonic_s() < end && !qsv_stop_asked(stop);)
        qsv_clock_nap_s(0.05);
}

/* The last round comes after the end. */
static enum qsv_status write_on(const struct values *v, struct qsv_error *err)
{
    const struct qsv_stop stop = {.flag = qsv_stop_on_signals()};
    for (;;) {
        const bool live = any_goes_on(&v->runs);
        enum qsv_status st = write_once(v, live, err);
        if (st || !live)
            return st;
        nap(&stop, v->every_s);
        if (qsv_stop_asked(&stop))
            return qsv_fail(err, QSV_ESTOPPED,
                            "stopped while a run goes on; what is written stays");
    }
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    if (v->every_s < 0.1 || v->every_s > 86400)
        return qsv_fail(err, QSV_EUSAGE, "--every %g: expected 0.1 to 86400 seconds", v->every_s);
    return v->live ? write_on(v, err) : write_once(v, false, err);
}

const struct qsv_command qsv_cmd_report = {
    .name = "report",
    .summary = "Writes what runs found as an HTML page, or its figures as SVG files",
    .synopsis = "RUN... [-o FILE] [--live [--every SECONDS]] [-m MODEL]\n"
                "RUN... --svg DIR [-o FILE] [-m MODEL]",
    .details = "The page needs nothing but a browser: it can be mailed, and read without a\n"
               "network. The first run is shown in detail, all of them in the curve.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
