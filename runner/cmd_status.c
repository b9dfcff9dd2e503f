#include "results/status.h"
#include "runner/commands.h"

enum style { STYLE_TABLE, STYLE_JSON };

struct values {
    const char *run;
    unsigned style;
};

static const struct qsv_option options[] = {
    {.type = QSV_OPTION_OPERAND,
     .name = "RUN",
     .target = offsetof(struct values, run),
     .required = true,
     .help = "a run's folder, or its results.h5"},
    {.type = QSV_OPTION_CHOICE,
     .name = "format",
     .argument = "table|json",
     .target = offsetof(struct values, style),
     .fallback = "table",
     .help = "how to print it"},
    {.type = QSV_OPTION_END},
};

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_strbuf text = {0}, warnings = {0};
    enum qsv_status st = qsv_status_report(v->run, v->style == STYLE_JSON, &text, &warnings, err);
    qsv_print_warnings(&warnings);
    if (!st)
        st = qsv_print(in->out, &text, err);
    qsv_strbuf_fini(&text);
    return st;
}

const struct qsv_command qsv_cmd_status = {
    .name = "status",
    .summary = "Shows how far a run is, live or stopped",
    .synopsis = "RUN [--format table|json]",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
