#include <stdint.h>
#include <stdlib.h>

#include "runner/program/commands.h"
#include "runner/status/headway.h"

struct values {
    const char *run, *restarts;
};

static const struct qsv_option options[] = {
    {QSV_OPTION_OPERAND, "RUN", 0, NULL, offsetof(struct values, run), true, NULL, 0,
     "a run's folder"},
    {QSV_OPTION_OPERAND, "RESTARTS", 0, NULL, offsetof(struct values, restarts), true, NULL, 0,
     "how often its job was started before"},
    {.type = QSV_OPTION_END},
};

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    char *end;
    unsigned long restarts = strtoul(v->restarts, &end, 10);
    if (*v->restarts < '0' || *v->restarts > '9' || *end || restarts > UINT32_MAX)
        return qsv_fail(err, QSV_EUSAGE, "'%s' is not a number of restarts", v->restarts);
    return qsv_headway_check(v->run, (uint32_t)restarts, err);
}

const struct qsv_command qsv_cmd_headway = {
    .name = "headway",
    .summary = "For job scripts: status 4 where a job starts again in vain",
    .synopsis = "RUN RESTARTS",
    .details = "Notes how much is recorded at this start. Where the two starts before it have\n"
               "added nothing, a third one would not either: then it says so.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
