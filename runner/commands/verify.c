#include "results/verify.h"
#include "runner/program/commands.h"

struct values {
    const char *run;
};

static const struct qsv_option options[] = {
    {.type = QSV_OPTION_OPERAND,
     .name = "RUN",
     .target = offsetof(struct values, run),
     .required = true,
     .help = "a run's folder"},
    {.type = QSV_OPTION_END},
};

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_strbuf text = {0};
    size_t n_damaged = 0;
    enum qsv_status st = qsv_verify_run(&n_damaged, v->run, &text, err);
    if (!st)
        st = qsv_print(in->out, &text, err);
    qsv_strbuf_fini(&text);
    if (st || !n_damaged)
        return st;
    return qsv_fail(err, QSV_EFAILED,
                    "%s: %zu file%s damaged; `qsvit repair` sets %s aside, `qsvit run` does so by "
                    "itself",
                    v->run, n_damaged, n_damaged == 1 ? " is" : "s are",
                    n_damaged == 1 ? "it" : "them");
}

const struct qsv_command qsv_cmd_verify = {
    .name = "verify",
    .summary = "Checks every byte that a run has recorded",
    .synopsis = "RUN",
    .details = "Reads results.h5, all segments and the selected network: seals, checksums,\n"
               "whether records fit the run, whether selected.h5 is the file whose figures were\n"
               "compared with the records. Changes nothing, and may run while the run goes on.\n"
               "Names what is damaged and what was in it. The exit status is 0 where all is\n"
               "good, 1 where something is damaged.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
