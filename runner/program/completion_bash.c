#include "runner/program/commands.h"
#include "runner/program/completion.h"

/* The part of the script that is the same whatever the tables hold:
 * runner/program/completion_bash.sh. */
static const char script[] =
#include "runner/completion_bash_sh.h"
    ;

static void add_what(struct qsv_strbuf *out, const struct qsv_option *o)
{
    struct qsv_strbuf words = {0};
    static const char *const kinds[] = {
        [QSV_COMPLETE_NOTHING] = "nothing", [QSV_COMPLETE_FILES] = "files",
        [QSV_COMPLETE_FOLDERS] = "folders", [QSV_COMPLETE_SPECS] = "specs",
        [QSV_COMPLETE_WORD] = "word",       [QSV_COMPLETE_LIST] = "list"};
    enum qsv_completion kind = qsv_completion_of(o, &words);
    qsv_strbuf_printf(out, "'%s%s%s'", kinds[kind], words.len ? " " : "",
                      words.text ? words.text : "");
    out->failed = out->failed || words.failed;
    qsv_strbuf_fini(&words);
}

static void add_names(struct qsv_strbuf *out, const struct qsv_option *table, bool only_with_value)
{
    for (const struct qsv_option *o = table; o && o->type; o++) {
        if (qsv_option_is_operand(o) || (only_with_value && o->type == QSV_OPTION_FLAG))
            continue;
        qsv_strbuf_printf(out, "--%s ", o->name);
        if (o->letter)
            qsv_strbuf_printf(out, "-%c ", o->letter);
    }
}

static void add_values(struct qsv_strbuf *out, const struct qsv_option *table)
{
    for (const struct qsv_option *o = table; o && o->type; o++) {
        if (qsv_option_is_operand(o) || o->type == QSV_OPTION_FLAG)
            continue;
        qsv_strbuf_printf(out, "        --%s", o->name);
        if (o->letter)
            qsv_strbuf_printf(out, " | -%c", o->letter);
        qsv_strbuf_puts(out, ") what=");
        add_what(out, o);
        qsv_strbuf_puts(out, " ;;\n");
    }
}

static void add_command(struct qsv_strbuf *out, const struct qsv_command *c)
{
    qsv_strbuf_printf(out, "    %s)\n        options='--help -h ", c->name);
    add_names(out, c->options, false);
    qsv_strbuf_puts(out, "'\n        takes='");
    add_names(out, c->options, true);
    qsv_strbuf_puts(out, "'\n        operands=(");
    for (const struct qsv_option *o = c->options; o && o->type; o++) {
        if (!qsv_option_is_operand(o))
            continue;
        add_what(out, o);
        qsv_strbuf_puts(out, " ");
    }
    qsv_strbuf_puts(out, ")\n        case $2 in\n");
    add_values(out, c->options);
    qsv_strbuf_puts(out, "        esac\n        ;;\n");
}

void qsv_completion_bash(struct qsv_strbuf *out)
{
    qsv_strbuf_puts(out, script);
    qsv_strbuf_puts(out, "\n_qsvit_commands='--help --version");
    for (size_t i = 0; qsv_commands[i]; i++)
        qsv_strbuf_printf(out, " %s", qsv_commands[i]->name);
    qsv_strbuf_puts(out, "'\n\n# Fills options, takes, operands and what of _qsvit.\n"
                         "_qsvit_command() { # command, word before the one to complete\n"
                         "    case $1 in\n");
    for (size_t i = 0; qsv_commands[i]; i++)
        add_command(out, qsv_commands[i]);
    qsv_strbuf_puts(out, "    esac\n}\n\ncomplete -F _qsvit qsvit\n");
}
