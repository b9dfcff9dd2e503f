#include <string.h>

#include "runner/base/options.h"
#include "runner/base/roff.h"

enum { HELP_COLUMN = 28, LAST_COLUMN = 79 };

static void add_spaces(struct qsv_strbuf *out, size_t n)
{
    while (n--)
        qsv_strbuf_puts(out, " ");
}

/* Words of s from the help column on; `column` is where the line has got to. */
static void add_wrapped(struct qsv_strbuf *out, const char *s, size_t column)
{
    if (column + 2 > HELP_COLUMN) {
        qsv_strbuf_puts(out, "\n");
        column = 0;
    }
    add_spaces(out, HELP_COLUMN - column);
    column = HELP_COLUMN;
    for (const char *word = s; *word;) {
        size_t n = strcspn(word, " ");
        if (column > HELP_COLUMN && column + 1 + n > LAST_COLUMN) {
            qsv_strbuf_puts(out, "\n");
            add_spaces(out, column = HELP_COLUMN);
        } else if (column > HELP_COLUMN) {
            qsv_strbuf_puts(out, " ");
            column++;
        }
        qsv_strbuf_add(out, word, n);
        column += n;
        word += n + strspn(word + n, " ");
    }
    qsv_strbuf_puts(out, "\n");
}

static void add_help(struct qsv_strbuf *out, const struct qsv_option *o)
{
    qsv_strbuf_puts(out, o->help);
    if (o->fallback)
        qsv_strbuf_printf(out, " (default %s)", o->fallback);
    else if (o->required && !qsv_option_is_operand(o))
        qsv_strbuf_puts(out, " (required)");
}

void qsv_options_describe(const struct qsv_option *table, struct qsv_strbuf *out)
{
    for (const struct qsv_option *o = table; o && o->type; o++) {
        struct qsv_strbuf help = {0};
        size_t start = out->len;
        if (qsv_option_is_operand(o))
            qsv_strbuf_printf(out, "  %s", o->name);
        else if (o->letter)
            qsv_strbuf_printf(out, "  -%c, --%s", o->letter, o->name);
        else
            qsv_strbuf_printf(out, "      --%s", o->name);
        if (o->argument)
            qsv_strbuf_printf(out, " %s", o->argument);
        add_help(&help, o);
        add_wrapped(out, help.text ? help.text : "", out->len - start);
        out->failed = out->failed || help.failed;
        qsv_strbuf_fini(&help);
    }
}

void qsv_options_describe_roff(const struct qsv_option *table, struct qsv_strbuf *out)
{
    for (const struct qsv_option *o = table; o && o->type; o++) {
        struct qsv_strbuf help = {0};
        qsv_strbuf_puts(out, ".TP\n");
        if (o->letter)
            qsv_strbuf_printf(out, "\\fB\\-%c\\fR, ", o->letter);
        qsv_strbuf_puts(out, qsv_option_is_operand(o) ? "\\fI" : "\\fB\\-\\-");
        qsv_roff_text(out, o->name);
        qsv_strbuf_puts(out, "\\fR");
        if (o->argument) {
            qsv_strbuf_puts(out, " \\fI");
            qsv_roff_text(out, o->argument);
            qsv_strbuf_puts(out, "\\fR");
        }
        qsv_strbuf_puts(out, "\n");
        add_help(&help, o);
        qsv_roff_lines(out, help.text ? help.text : "");
        out->failed = out->failed || help.failed;
        qsv_strbuf_fini(&help);
    }
}
