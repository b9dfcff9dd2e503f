#include "runner/commands.h"
#include "runner/manual.h"

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    struct qsv_strbuf text = {0};
    qsv_manual_print(&text);
    return qsv_print(in->out, &text, err);
}

const struct qsv_command qsv_cmd_man = {
    .name = "man",
    .summary = "Prints the man page, made of the same tables as the help",
    .synopsis = "",
    .details = "The page is qsvit(1) in man page source: qsvit man | man -l -",
    .run = run,
};
