/* The table of keys for people: plain text, man page source, Markdown. */
#include "jobs/spec_keys.h"

#include <string.h>

static void add_type(struct qsv_strbuf *out, const struct qsv_spec_key *k)
{
    qsv_strbuf_puts(out, qsv_spec_key_allowed(k).text);
    if (k->unit)
        qsv_strbuf_printf(out, " (%s)", k->unit);
}

/* "required" or "default: 4". */
static void add_default(struct qsv_strbuf *out, const struct qsv_spec_key *k)
{
    qsv_strbuf_printf(out, "; %s%s", k->required ? "" : "default: ", qsv_spec_key_default(k).text);
}

static void add_text(struct qsv_strbuf *out, const struct qsv_spec_key *k)
{
    qsv_strbuf_printf(out, "  %s\n      ", k->name);
    add_type(out, k);
    add_default(out, k);
    qsv_strbuf_printf(out, "\n      %s\n", k->help);
}

/* A hyphen is a minus in man pages, and a backslash an escape. */
static void add_roff_text(struct qsv_strbuf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '-' || *text == '\\')
            qsv_strbuf_puts(out, *text == '-' ? "\\" : "\\e");
        if (*text != '\\')
            qsv_strbuf_add(out, text, 1);
    }
}

static void add_roff(struct qsv_strbuf *out, const struct qsv_spec_key *k)
{
    struct qsv_strbuf value = {0};
    add_type(&value, k);
    add_default(&value, k);
    qsv_strbuf_puts(out, ".TP\n.B ");
    add_roff_text(out, k->name);
    qsv_strbuf_puts(out, "\n");
    add_roff_text(out, k->help);
    qsv_strbuf_puts(out, ".\nIt is ");
    add_roff_text(out, value.failed ? "" : value.text);
    qsv_strbuf_puts(out, ".\n");
    out->failed |= value.failed;
    qsv_strbuf_fini(&value);
}

static void add_markdown(struct qsv_strbuf *out, const struct qsv_spec_key *k)
{
    const char *quote = k->required || k->absent ? "" : "`"; /* words, or what one would write */
    qsv_strbuf_printf(out, "| `%s` | ", k->name);
    add_type(out, k);
    qsv_strbuf_printf(out, " | %s%s%s | %s |\n", quote, qsv_spec_key_default(k).text, quote,
                      k->help);
}

void qsv_spec_describe_keys(struct qsv_strbuf *out, enum qsv_key_style style)
{
    if (style == QSV_KEYS_MARKDOWN)
        qsv_strbuf_puts(out, "| Key | Value | Default | Meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < qsv_n_spec_keys; i++) {
        const struct qsv_spec_key *k = &qsv_spec_keys[i];
        if (style == QSV_KEYS_TEXT)
            add_text(out, k);
        else if (style == QSV_KEYS_ROFF)
            add_roff(out, k);
        else
            add_markdown(out, k);
    }
}
