#include "runner/base/roff.h"

#include <stdbool.h>

static void add_char(struct qsv_strbuf *out, char c)
{
    switch (c) {
    case '\\':
        qsv_strbuf_puts(out, "\\e");
        break;
    case '-':
        qsv_strbuf_puts(out, "\\-");
        break;
    case '\'':
        qsv_strbuf_puts(out, "\\(aq");
        break;
    case '"':
        qsv_strbuf_puts(out, "\\(dq");
        break;
    case '^':
        qsv_strbuf_puts(out, "\\(ha");
        break;
    case '~':
        qsv_strbuf_puts(out, "\\(ti");
        break;
    case '`':
        qsv_strbuf_puts(out, "\\(ga");
        break;
    default:
        qsv_strbuf_add(out, &c, 1);
    }
}

void qsv_roff_text(struct qsv_strbuf *out, const char *s)
{
    for (; *s; s++)
        add_char(out, *s);
}

void qsv_roff_lines(struct qsv_strbuf *out, const char *s)
{
    bool start = true;
    for (; *s; s++) {
        if (start && *s == '.')
            qsv_strbuf_puts(out, "\\&");
        add_char(out, *s);
        start = *s == '\n';
    }
    if (!start)
        qsv_strbuf_puts(out, "\n");
}
