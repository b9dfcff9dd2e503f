#include <string.h>

#include "jobs/spec.h"
#include "runner/program/commands.h"

struct values {
    const char *topic;
};

static const struct qsv_option options[] = {
    {.type = QSV_OPTION_OPERAND,
     .name = "TOPIC",
     .target = offsetof(struct values, topic),
     .help = "a command, or `spec`"},
    {.type = QSV_OPTION_END},
};

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    const struct qsv_command *c = NULL;
    struct qsv_strbuf text = {0};
    if (!v->topic) {
        qsv_commands_describe(&text);
    } else if (!strcmp(v->topic, "spec")) {
        qsv_strbuf_puts(&text,
                        "Keys of a sweep's spec (YAML; a dot stands for one level deeper):\n\n");
        qsv_spec_describe_keys(&text, QSV_KEYS_TEXT);
    } else {
        enum qsv_status st = qsv_command_find(&c, v->topic, err);
        if (st)
            return st;
        qsv_command_describe(c, &text);
    }
    return qsv_print(in->out, &text, err);
}

const struct qsv_command qsv_cmd_help = {
    .name = "help",
    .summary = "Explains a command, or lists them all",
    .synopsis = "[COMMAND|spec]",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
