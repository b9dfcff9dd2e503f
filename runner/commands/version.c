#include "runner/program/commands.h"
#include "runner/base/version.h"

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    (void)err;
    const char *commit = qsv_version_commit();
    fprintf(in->out, "qsvit %s%s%s%s\n", qsv_version(), *commit ? " (" : "", commit,
            *commit ? ")" : "");
    return QSV_OK;
}

const struct qsv_command qsv_cmd_version = {
    .name = "version",
    .summary = "Prints the version",
    .synopsis = "",
    .run = run,
};
