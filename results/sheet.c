#include "results/sheet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "results/json_text.h"

void qsv_shortest(char buf[32], double v)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(buf, 32, "%.*g", digits, v);
        if (strtod(buf, NULL) == v)
            return;
    }
}

static const struct qsv_cell *cell(const struct qsv_sheet *s, size_t row, size_t column)
{
    return &s->cells[row * s->n_columns + column];
}

/* Tables */

/* Bytes that a terminal shows as something are copied, others become '?'. */
static void add_printable(struct qsv_strbuf *out, const char *text)
{
    for (; *text; text++)
        qsv_strbuf_add(out, (unsigned char)*text < 0x20 || *text == 0x7f ? "?" : text, 1);
}

/* Characters, not bytes: a byte that continues one does not count. */
static size_t text_width(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void format_number(char buf[64], const struct qsv_sheet_column *c, double v)
{
    if (isnan(v))
        snprintf(buf, 64, "-");
    else if (c->digits < 0)
        snprintf(buf, 64, "%.*g", -c->digits, v);
    else
        snprintf(buf, 64, fabs(v) < 1e15 ? "%.*f" : "%.*g", c->digits, v);
}

static size_t cell_width(const struct qsv_sheet *s, size_t row, size_t column)
{
    char buf[64];
    if (s->columns[column].is_text)
        return text_width(cell(s, row, column)->text);
    format_number(buf, &s->columns[column], cell(s, row, column)->number);
    return strlen(buf);
}

static size_t column_width(const struct qsv_sheet *s, size_t column)
{
    size_t width = text_width(s->columns[column].name);
    size_t unit = s->columns[column].unit ? text_width(s->columns[column].unit) : 0;
    width = unit > width ? unit : width;
    for (size_t i = 0; i < s->n_rows; i++) {
        size_t w = cell_width(s, i, column);
        width = w > width ? w : width;
    }
    return width;
}

/* Text is aligned left, numbers right; nothing follows the last column's text. */
static void add_aligned(struct qsv_strbuf *out, const struct qsv_sheet *s, size_t column,
                        size_t width, const char *text)
{
    size_t used = text_width(text), pad = width > used ? width - used : 0;
    bool is_text = s->columns[column].is_text, last = column + 1 == s->n_columns;
    if (column)
        qsv_strbuf_puts(out, "  ");
    if (!is_text)
        qsv_strbuf_printf(out, "%*s", (int)pad, "");
    add_printable(out, text);
    if (is_text && !last)
        qsv_strbuf_printf(out, "%*s", (int)pad, "");
}

static void end_line(struct qsv_strbuf *out, size_t start)
{
    while (!out->failed && out->len > start && out->text[out->len - 1] == ' ')
        out->text[--out->len] = '\0';
    qsv_strbuf_puts(out, "\n");
}

static void add_heads(struct qsv_strbuf *out, const struct qsv_sheet *s, const size_t *widths)
{
    bool units = false;
    size_t start = out->len;
    for (size_t c = 0; c < s->n_columns; c++) {
        add_aligned(out, s, c, widths[c], s->columns[c].name);
        units |= s->columns[c].unit != NULL;
    }
    end_line(out, start);
    start = out->len;
    for (size_t c = 0; c < s->n_columns && units; c++)
        add_aligned(out, s, c, widths[c], s->columns[c].unit ? s->columns[c].unit : "");
    if (units)
        end_line(out, start);
}

static enum qsv_status print_table(struct qsv_strbuf *out, const struct qsv_sheet *s,
                                   struct qsv_error *err)
{
    char buf[64];
    size_t *widths = qsv_alloc(s->n_columns, sizeof *widths);
    if (!widths)
        return qsv_fail_memory(err, "a table");
    for (size_t c = 0; c < s->n_columns; c++)
        widths[c] = column_width(s, c);
    add_heads(out, s, widths);
    for (size_t row = 0; row < s->n_rows; row++) {
        size_t start = out->len;
        for (size_t c = 0; c < s->n_columns; c++) {
            format_number(buf, &s->columns[c], cell(s, row, c)->number);
            add_aligned(out, s, c, widths[c], s->columns[c].is_text ? cell(s, row, c)->text : buf);
        }
        end_line(out, start);
    }
    free(widths);
    return QSV_OK;
}

/* CSV */

static void add_quoted(struct qsv_strbuf *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        qsv_strbuf_puts(out, text);
        return;
    }
    qsv_strbuf_puts(out, "\"");
    for (; *text; text++)
        qsv_strbuf_puts(out, *text == '"' ? "\"\"" : (const char[]){*text, '\0'});
    qsv_strbuf_puts(out, "\"");
}

static void print_csv(struct qsv_strbuf *out, const struct qsv_sheet *s)
{
    char buf[32];
    for (size_t c = 0; c < s->n_columns; c++) {
        qsv_strbuf_puts(out, c ? "," : "");
        add_quoted(out, s->columns[c].name);
    }
    qsv_strbuf_puts(out, "\r\n");
    for (size_t row = 0; row < s->n_rows; row++) {
        for (size_t c = 0; c < s->n_columns; c++) {
            double v = cell(s, row, c)->number;
            qsv_strbuf_puts(out, c ? "," : "");
            buf[0] = '\0';
            if (!s->columns[c].is_text && isfinite(v))
                qsv_shortest(buf, v);
            add_quoted(out, s->columns[c].is_text ? cell(s, row, c)->text : buf);
        }
        qsv_strbuf_puts(out, "\r\n");
    }
}

/* JSON */

static void add_string(struct qsv_strbuf *out, const char *text)
{
    json_t *string = qsv_json_text(text);
    char *dump = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    if (dump)
        qsv_strbuf_puts(out, dump);
    else
        out->failed = true;
    free(dump);
    json_decref(string);
}

static void add_value(struct qsv_strbuf *out, const struct qsv_sheet *s, size_t row, size_t column)
{
    char buf[32] = "null";
    const struct qsv_cell *v = cell(s, row, column);
    if (s->columns[column].is_text) {
        add_string(out, v->text);
        return;
    }
    if (isfinite(v->number))
        qsv_shortest(buf, v->number);
    qsv_strbuf_puts(out, buf);
}

static void print_json(struct qsv_strbuf *out, const struct qsv_sheet *s)
{
    qsv_strbuf_puts(out, "[");
    for (size_t row = 0; row < s->n_rows; row++) {
        qsv_strbuf_puts(out, row ? ",\n {" : "\n {");
        for (size_t c = 0; c < s->n_columns; c++) {
            qsv_strbuf_puts(out, c ? ", " : "");
            add_string(out, s->columns[c].name);
            qsv_strbuf_puts(out, ": ");
            add_value(out, s, row, c);
        }
        qsv_strbuf_puts(out, "}");
    }
    qsv_strbuf_puts(out, s->n_rows ? "\n]\n" : "]\n");
}

enum qsv_status qsv_sheet_print(struct qsv_strbuf *out, const struct qsv_sheet *sheet,
                                enum qsv_query_format format, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    if (format == QSV_QUERY_TABLE)
        st = print_table(out, sheet, err);
    else if (format == QSV_QUERY_CSV)
        print_csv(out, sheet);
    else
        print_json(out, sheet);
    return !st && out->failed ? qsv_fail_memory(err, "the answer") : st;
}
