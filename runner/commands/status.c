#include <stdlib.h>
#include <unistd.h>

#include "core/base/file.h"
#include "results/status.h"
#include "runner/program/commands.h"
#include "runner/status/situation.h"
#include "runner/status/submission.h"

enum style { STYLE_TABLE, STYLE_JSON };

struct values {
    const char *run;
    unsigned style;
};

static const struct qsv_option options[] = {
    {.type = QSV_OPTION_OPERAND,
     .name = "RUN|JOB",
     .target = offsetof(struct values, run),
     .required = true,
     .help = "a run's folder, its results.h5, or the number of its job"},
    {.type = QSV_OPTION_CHOICE,
     .name = "format",
     .argument = "table|json",
     .target = offsetof(struct values, style),
     .fallback = "table",
     .help = "how to print it"},
    {.type = QSV_OPTION_END},
};

/* A job that has not begun yet has a script and nothing recorded. */
static bool is_submitted_only(const char *folder)
{
    char *script = qsv_file_join(folder, "job.sh"), *results = qsv_file_join(folder, "results.h5");
    char *segments = qsv_file_join(folder, "segments");
    bool only = script && results && segments && access(script, F_OK) == 0 &&
                access(results, F_OK) < 0 && access(segments, F_OK) < 0;
    free(script);
    free(results);
    free(segments);
    return only;
}

static enum qsv_status report(const char *folder, bool json, struct qsv_strbuf *text,
                              struct qsv_error *err)
{
    struct qsv_strbuf warnings = {0};
    struct qsv_situation s;
    enum qsv_status st = QSV_OK;
    qsv_situation_find(&s, folder);
    if (!is_submitted_only(folder))
        st = qsv_status_report(folder, json, text, &warnings, err);
    else if (!json)
        qsv_strbuf_printf(text, "run        %s\nrecorded   nothing yet\n", folder);
    qsv_print_warnings(&warnings);
    if (!st && json)
        st = qsv_situation_add_json(&s, folder, text, err);
    else if (!st)
        qsv_situation_print(&s, text);
    qsv_situation_fini(&s);
    return st;
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_strbuf text = {0};
    char *folder;
    enum qsv_status st = qsv_run_find(&folder, v->run, err);
    if (!st)
        st = report(folder, v->style == STYLE_JSON, &text, err);
    if (!st)
        st = qsv_print(in->out, &text, err);
    qsv_strbuf_fini(&text);
    free(folder);
    return st;
}

const struct qsv_command qsv_cmd_status = {
    .name = "status",
    .summary = "Shows how far a run is, live or stopped, and its job",
    .synopsis = "RUN|JOB [--format table|json]",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
