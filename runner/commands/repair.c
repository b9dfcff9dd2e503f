#include "results/verify.h"
#include "runner/program/commands.h"

struct values {
    const char *run;
    bool unlock;
};

static const struct qsv_option options[] = {
    {.type = QSV_OPTION_OPERAND,
     .name = "RUN",
     .target = offsetof(struct values, run),
     .required = true,
     .help = "a run's folder"},
    {.type = QSV_OPTION_FLAG,
     .name = "unlock",
     .target = offsetof(struct values, unlock),
     .help = "also remove the lock of a process on another host; only where you know that it is "
             "gone"},
    {.type = QSV_OPTION_END},
};

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_strbuf text = {0};
    struct qsv_error own;
    enum qsv_status st = qsv_repair_run(v->run, v->unlock, &text, err);
    /* What was done before something failed is worth telling, too. */
    enum qsv_status printed = qsv_print(in->out, &text, st ? &own : err);
    return st ? st : printed;
}

const struct qsv_command qsv_cmd_repair = {
    .name = "repair",
    .summary = "Sets damaged files of a run aside and keeps the rest",
    .synopsis = "RUN [--unlock]",
    .details = "Renames damaged files to <name>.damaged, folds all good segments into\n"
               "results.h5, removes temporary files and the lock of a process that is gone, and\n"
               "says which trials will be evaluated again on which shards. Deletes no record.\n"
               "`qsvit run` does the same when it goes on; this is for when you want to know\n"
               "before, or to read the run without going on.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
