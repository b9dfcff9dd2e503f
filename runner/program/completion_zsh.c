#include <string.h>

#include "runner/program/commands.h"
#include "runner/program/completion.h"

/* Within single quotes of the shell, and within a spec of _arguments: brackets and colons have a
 * meaning there. */
static void add_quoted(struct qsv_strbuf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            qsv_strbuf_puts(out, "'\\'");
        else if (strchr("[]:\\", *text))
            qsv_strbuf_puts(out, "\\");
        qsv_strbuf_add(out, text, 1);
    }
}

/* ":NAME:ACTION" */
static void add_action(struct qsv_strbuf *out, const struct qsv_option *o, const char *name)
{
    struct qsv_strbuf words = {0};
    enum qsv_completion kind = qsv_completion_of(o, &words);
    const char *list = words.text ? words.text : "";
    qsv_strbuf_puts(out, ":");
    add_quoted(out, name);
    qsv_strbuf_puts(out, ":");
    switch (kind) {
    case QSV_COMPLETE_FILES:
        qsv_strbuf_puts(out, "_files");
        break;
    case QSV_COMPLETE_FOLDERS:
        qsv_strbuf_puts(out, "_files -g \"*.h5\"");
        break;
    case QSV_COMPLETE_SPECS:
        qsv_strbuf_puts(out, "_files -g \"*.yaml\"");
        break;
    case QSV_COMPLETE_WORD:
        qsv_strbuf_printf(out, "(%s)", list);
        break;
    case QSV_COMPLETE_LIST:
        qsv_strbuf_printf(out, "_values -s , names %s", list);
        break;
    case QSV_COMPLETE_NOTHING:
        qsv_strbuf_puts(out, " ");
        break;
    }
    out->failed = out->failed || words.failed;
    qsv_strbuf_fini(&words);
}

/* One of the names of an option; `other`, the other one, is not offered any more then. */
static void add_name(struct qsv_strbuf *out, const struct qsv_option *o, const char *name,
                     const char *other)
{
    qsv_strbuf_puts(out, " \\\n            '");
    if (*other)
        qsv_strbuf_printf(out, "(%s %s)", name, other);
    const char *joint = o->type == QSV_OPTION_FLAG ? "" : name[1] == '-' ? "=" : "+";
    qsv_strbuf_printf(out, "%s%s[", name, joint);
    add_quoted(out, o->help);
    qsv_strbuf_puts(out, "]");
    if (o->type != QSV_OPTION_FLAG)
        add_action(out, o, o->argument);
    qsv_strbuf_puts(out, "'");
}

static void add_option(struct qsv_strbuf *out, const struct qsv_option *o)
{
    char letter[] = {'-', o->letter, '\0'};
    struct qsv_strbuf name = {0};
    qsv_strbuf_printf(&name, "--%s", o->name);
    if (!name.failed) {
        add_name(out, o, name.text, o->letter ? letter : "");
        if (o->letter)
            add_name(out, o, letter, name.text);
    }
    out->failed = out->failed || name.failed;
    qsv_strbuf_fini(&name);
}

/* Those that may be several are what all further words are. */
static void add_operand(struct qsv_strbuf *out, const struct qsv_option *o, unsigned number)
{
    if (o->type == QSV_OPTION_OPERANDS)
        qsv_strbuf_puts(out, " \\\n            '*:");
    else
        qsv_strbuf_printf(out, " \\\n            '%u:", number);
    struct qsv_strbuf action = {0};
    add_action(&action, o, o->name);
    qsv_strbuf_puts(out, action.text ? action.text + 1 : "");
    out->failed = out->failed || action.failed;
    qsv_strbuf_fini(&action);
    qsv_strbuf_puts(out, "'");
}

static void add_command(struct qsv_strbuf *out, const struct qsv_command *c)
{
    unsigned operands = 0;
    qsv_strbuf_printf(out,
                      "    %s)\n        _arguments -s \\\n"
                      "            '(-h --help)'{-h,--help}'[explain the command]'",
                      c->name);
    for (const struct qsv_option *o = c->options; o && o->type; o++)
        if (qsv_option_is_operand(o))
            add_operand(out, o, ++operands);
        else
            add_option(out, o);
    qsv_strbuf_puts(out, "\n        ;;\n");
}

void qsv_completion_zsh(struct qsv_strbuf *out)
{
    qsv_strbuf_puts(out, "#compdef qsvit\n"
                         "# Completes the command line of qsvit in zsh; written by: qsvit "
                         "completion zsh\n\n"
                         "_qsvit() {\n    local -a names\n    names=(\n");
    for (size_t i = 0; qsv_commands[i]; i++) {
        qsv_strbuf_printf(out, "        '%s:", qsv_commands[i]->name);
        add_quoted(out, qsv_commands[i]->summary);
        qsv_strbuf_puts(out, "'\n");
    }
    qsv_strbuf_puts(out, "    )\n"
                         "    if ((CURRENT == 2)); then\n"
                         "        _describe command names\n"
                         "        return\n"
                         "    fi\n"
                         "    local name=$words[2]\n"
                         "    ((CURRENT--))\n"
                         "    shift words\n"
                         "    case $name in\n");
    for (size_t i = 0; qsv_commands[i]; i++)
        add_command(out, qsv_commands[i]);
    qsv_strbuf_puts(out, "    esac\n}\n\n"
                         "if [[ $funcstack[1] == _qsvit ]]; then\n"
                         "    _qsvit \"$@\"\n"
                         "else\n"
                         "    compdef _qsvit qsvit\n"
                         "fi\n");
}
