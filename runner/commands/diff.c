#include "results/diff.h"
#include "runner/program/commands.h"

struct values {
    const char *a, *b;
};

static const struct qsv_option options[] = {
    {.type = QSV_OPTION_OPERAND,
     .name = "RUN",
     .target = offsetof(struct values, a),
     .required = true,
     .help = "a run's folder, or its results.h5"},
    {.type = QSV_OPTION_OPERAND,
     .name = "OTHER",
     .target = offsetof(struct values, b),
     .required = true,
     .help = "the run to compare it with"},
    {.type = QSV_OPTION_END},
};

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_diff diff = {0};
    struct qsv_strbuf text = {0}, warnings = {0};
    enum qsv_status st = qsv_diff_run(&diff, v->a, v->b, &text, &warnings, err);
    qsv_print_warnings(&warnings);
    if (!st)
        st = qsv_print(in->out, &text, err);
    qsv_strbuf_fini(&text);
    if (st || diff.equal)
        return st;
    if (err)
        err->text[0] = '\0'; /* the listing says it */
    return QSV_EFAILED;
}

const struct qsv_command qsv_cmd_diff = {
    .name = "diff",
    .summary = "Says in what two runs differ",
    .synopsis = "RUN OTHER",
    .details = "Identity, spec, selection, trials and records; not what may differ from one\n"
               "execution to the next (ranks, times, memory). The exit status is 0 where the\n"
               "runs are equal, else 1.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
