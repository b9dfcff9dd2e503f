#include "schedulers/quote.h"

#include <string.h>

bool qsv_quote_is_plain(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_./,:=@%+-";
    return *text && !text[strspn(text, plain)];
}

/* Text between marks, with `before` put before every character of `special`. */
static void add_quoted(struct qsv_strbuf *out, const char *text, const char *mark,
                       const char *special, const char *before)
{
    qsv_strbuf_puts(out, mark);
    for (; *text; text++) {
        if (strchr(special, *text))
            qsv_strbuf_puts(out, before);
        qsv_strbuf_add(out, text, 1);
    }
    qsv_strbuf_puts(out, mark);
}

void qsv_quote_shell(struct qsv_strbuf *out, const char *text)
{
    if (qsv_quote_is_plain(text)) {
        qsv_strbuf_puts(out, text);
        return;
    }
    qsv_strbuf_puts(out, "'");
    for (; *text; text++) {
        if (*text == '\'')
            qsv_strbuf_puts(out, "'\\''");
        else
            qsv_strbuf_add(out, text, 1);
    }
    qsv_strbuf_puts(out, "'");
}

void qsv_quote_sbatch(struct qsv_strbuf *out, const char *text)
{
    if (qsv_quote_is_plain(text))
        qsv_strbuf_puts(out, text);
    else
        add_quoted(out, text, "\"", "\"\\", "\\");
}

void qsv_quote_pattern(struct qsv_strbuf *out, const char *path)
{
    add_quoted(out, path, "", "%", "%");
}
