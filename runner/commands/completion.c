#include <string.h>

#include "runner/program/commands.h"
#include "runner/program/completion.h"

struct values {
    const char *shell;
};

static const struct qsv_option options[] = {
    {.type = QSV_OPTION_OPERAND,
     .name = "bash|zsh",
     .target = offsetof(struct values, shell),
     .required = true,
     .help = "the shell"},
    {.type = QSV_OPTION_END},
};

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_strbuf text = {0};
    if (!strcmp(v->shell, "bash"))
        qsv_completion_bash(&text);
    else if (!strcmp(v->shell, "zsh"))
        qsv_completion_zsh(&text);
    else
        return qsv_fail(err, QSV_EUSAGE, "found the shell '%s', expected bash or zsh", v->shell);
    return qsv_print(in->out, &text, err);
}

const struct qsv_command qsv_cmd_completion = {
    .name = "completion",
    .summary = "Prints a script by which a shell completes commands and options",
    .synopsis = "bash|zsh",
    .details = "make install puts both where the shells find them. For one session of bash:\n"
               "\n"
               "    source <(qsvit completion bash)\n"
               "\n"
               "and for zsh, into a folder that stands in fpath:\n"
               "\n"
               "    qsvit completion zsh >~/.zfunc/_qsvit",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
