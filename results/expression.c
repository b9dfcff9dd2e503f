#include "results/expression.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/nearest.h"
#include "results/scanner.h"

enum { MAX_DEPTH = 64, MAX_TEXT = 1 << 14, MAX_NUMBER = 63 };

/* A condition is compiled to postfix steps over a stack of values; its height is bounded by the
 * parser's depth: each level leaves at most three values. */
enum { STACK = 4 * (MAX_DEPTH + 2) };

enum step_kind { PUSH_NUMBER, PUSH_TEXT, PUSH_COLUMN, COMPARE, TRUTH, NOT, AND, OR };

struct step {
    enum step_kind kind;
    enum qsv_comparison comparison;
    bool is_text; /* what COMPARE compares */
    double number;
    size_t text; /* offset into the strings */
    size_t column;
};

struct qsv_expression {
    struct step *steps;
    size_t n, capacity;
    char *strings; /* texts one behind the other, each with its NUL */
};

/* What a part of a condition gives. */
enum kind { NUMBER, TEXT, CONDITION };

struct parser {
    struct qsv_scanner scan; /* at the token that is looked at */
    unsigned depth;
    const struct qsv_expression_column *columns;
    size_t n_columns, n_strings;
    struct qsv_expression *out;
    struct qsv_error *err;
};

static enum qsv_status fail_at(struct parser *p, const char *expected)
{
    if (p->scan.token == QSV_TOKEN_END)
        return qsv_fail(p->err, QSV_EINPUT, "ends at character %d, expected %s",
                        qsv_scanner_place(&p->scan), expected);
    return qsv_fail(p->err, QSV_EINPUT, "character %d: found '%.*s', expected %s",
                    qsv_scanner_place(&p->scan), p->scan.length > 40 ? 40 : (int)p->scan.length,
                    p->scan.at, expected);
}

static bool is_keyword(const struct parser *p, const char *word)
{
    return p->scan.token == QSV_TOKEN_WORD && p->scan.length == strlen(word) &&
           !strncmp(p->scan.at, word, p->scan.length);
}

static enum qsv_status emit(struct parser *p, struct step step)
{
    struct qsv_expression *e = p->out;
    if (!qsv_grow(&e->steps, &e->capacity, e->n + 1, sizeof *e->steps))
        return qsv_fail_memory(p->err, "a condition");
    e->steps[e->n++] = step;
    return QSV_OK;
}

static enum qsv_status parse_number(struct parser *p)
{
    char copy[MAX_NUMBER + 1], *end;
    if (p->scan.length > MAX_NUMBER)
        return fail_at(p, "a number of fewer digits");
    memcpy(copy, p->scan.at, p->scan.length);
    copy[p->scan.length] = '\0';
    double v = strtod(copy, &end);
    if (*end || end == copy || !isfinite(v))
        return fail_at(p, "a number");
    enum qsv_status st = emit(p, (struct step){.kind = PUSH_NUMBER, .number = v});
    return st ? st : qsv_scanner_next(&p->scan, p->err);
}

static enum qsv_status parse_string(struct parser *p)
{
    size_t n = p->scan.length - 2;
    memcpy(p->out->strings + p->n_strings, p->scan.at + 1, n);
    enum qsv_status st = emit(p, (struct step){.kind = PUSH_TEXT, .text = p->n_strings});
    p->n_strings += n + 1;
    return st ? st : qsv_scanner_next(&p->scan, p->err);
}

static enum qsv_status fail_column(struct parser *p)
{
    char word[64];
    const char *names[128];
    size_t n = p->n_columns < 128 ? p->n_columns : 128;
    snprintf(word, sizeof word, "%.*s", (int)(p->scan.length < 63 ? p->scan.length : 63),
             p->scan.at);
    for (size_t i = 0; i < n; i++)
        names[i] = p->columns[i].name;
    const char *nearest = qsv_nearest(word, names, n);
    return qsv_fail(p->err, QSV_EINPUT, "character %d: there is no column '%s'%s%s%s",
                    qsv_scanner_place(&p->scan), word, nearest ? "; did you mean '" : "",
                    nearest ? nearest : "",
                    nearest ? "'?" : " (--columns help lists them; text is quoted)");
}

static enum qsv_status parse_column(struct parser *p, enum kind *kind)
{
    for (size_t i = 0; i < p->n_columns; i++) {
        if (!is_keyword(p, p->columns[i].name))
            continue;
        *kind = p->columns[i].is_text ? TEXT : NUMBER;
        enum qsv_status st = emit(p, (struct step){.kind = PUSH_COLUMN, .column = i});
        return st ? st : qsv_scanner_next(&p->scan, p->err);
    }
    return fail_column(p);
}

static enum qsv_status parse_or(struct parser *p);

static enum qsv_status parse_group(struct parser *p)
{
    enum qsv_status st = qsv_scanner_next(&p->scan, p->err);
    if (!st)
        st = parse_or(p);
    if (!st && p->scan.token != QSV_TOKEN_CLOSE)
        st = fail_at(p, "')'");
    return st ? st : qsv_scanner_next(&p->scan, p->err);
}

static enum qsv_status parse_value(struct parser *p, enum kind *kind)
{
    *kind = p->scan.token == QSV_TOKEN_STRING ? TEXT
            : p->scan.token == QSV_TOKEN_OPEN ? CONDITION
                                              : NUMBER;
    if (is_keyword(p, "and") || is_keyword(p, "or") || is_keyword(p, "not"))
        return fail_at(p, "a column, a number or a text");
    switch (p->scan.token) {
    case QSV_TOKEN_NUMERAL:
        return parse_number(p);
    case QSV_TOKEN_STRING:
        return parse_string(p);
    case QSV_TOKEN_WORD:
        return parse_column(p, kind);
    case QSV_TOKEN_OPEN:
        return parse_group(p);
    default:
        return fail_at(p, "a column, a number or a text");
    }
}

static enum qsv_status parse_right(struct parser *p, enum kind left)
{
    enum kind right;
    enum qsv_comparison c = p->scan.comparison;
    int at = qsv_scanner_place(&p->scan);
    enum qsv_status st = qsv_scanner_next(&p->scan, p->err);
    if (!st)
        st = parse_value(p, &right);
    if (st)
        return st;
    if (left == CONDITION || right == CONDITION)
        return qsv_fail(p->err, QSV_EINPUT,
                        "character %d: a condition has no value to "
                        "compare with",
                        at);
    if (left != right)
        return qsv_fail(p->err, QSV_EINPUT, "character %d: compares %s with %s", at,
                        left == TEXT ? "text" : "a number", right == TEXT ? "text" : "a number");
    return emit(p, (struct step){.kind = COMPARE, .comparison = c, .is_text = left == TEXT});
}

static enum qsv_status parse_compare(struct parser *p)
{
    enum kind left;
    enum qsv_status st = parse_value(p, &left);
    if (st)
        return st;
    if (p->scan.token == QSV_TOKEN_OPERATOR) {
        st = parse_right(p, left);
        return st || p->scan.token != QSV_TOKEN_OPERATOR
                   ? st
                   : fail_at(p, "'and' between two comparisons");
    }
    if (left == TEXT)
        return fail_at(p, "a comparison with the text before");
    return left == NUMBER ? emit(p, (struct step){.kind = TRUTH}) : QSV_OK;
}

static enum qsv_status parse_not(struct parser *p)
{
    enum qsv_status st;
    if (++p->depth > MAX_DEPTH)
        return qsv_fail(p->err, QSV_EINPUT, "character %d: nested more than %d deep",
                        qsv_scanner_place(&p->scan), MAX_DEPTH);
    if (is_keyword(p, "not")) {
        st = qsv_scanner_next(&p->scan, p->err);
        if (!st)
            st = parse_not(p);
        if (!st)
            st = emit(p, (struct step){.kind = NOT});
    } else {
        st = parse_compare(p);
    }
    p->depth--;
    return st;
}

static enum qsv_status parse_and(struct parser *p)
{
    enum qsv_status st = parse_not(p);
    while (!st && is_keyword(p, "and")) {
        st = qsv_scanner_next(&p->scan, p->err);
        if (!st)
            st = parse_not(p);
        if (!st)
            st = emit(p, (struct step){.kind = AND});
    }
    return st;
}

static enum qsv_status parse_or(struct parser *p)
{
    enum qsv_status st = parse_and(p);
    while (!st && is_keyword(p, "or")) {
        st = qsv_scanner_next(&p->scan, p->err);
        if (!st)
            st = parse_and(p);
        if (!st)
            st = emit(p, (struct step){.kind = OR});
    }
    return st;
}

enum qsv_status qsv_expression_parse(struct qsv_expression **out, const char *text,
                                     const struct qsv_expression_column *columns, size_t n_columns,
                                     struct qsv_error *err)
{
    *out = NULL;
    if (strlen(text) > MAX_TEXT)
        return qsv_fail(err, QSV_EINPUT, "%zu characters, at most %d are allowed", strlen(text),
                        MAX_TEXT);
    struct qsv_expression *e = qsv_alloc(1, sizeof *e);
    if (!e || !(e->strings = qsv_alloc(strlen(text) + 1, 1))) {
        qsv_expression_destroy(e);
        return qsv_fail_memory(err, "a condition");
    }
    struct parser p = {.scan = {.text = text, .at = text},
                       .columns = columns,
                       .n_columns = n_columns,
                       .out = e,
                       .err = err};
    enum qsv_status st = qsv_scanner_next(&p.scan, err);
    if (!st)
        st = parse_or(&p);
    if (!st && p.scan.token != QSV_TOKEN_END)
        st = fail_at(&p, "'and', 'or' or the end");
    if (st)
        qsv_expression_destroy(e);
    else
        *out = e;
    return st;
}

void qsv_expression_destroy(struct qsv_expression *e)
{
    if (!e)
        return;
    free(e->steps);
    free(e->strings);
    free(e);
}

static bool compare(const struct step *s, struct qsv_expression_value a,
                    struct qsv_expression_value b)
{
    int order = s->is_text ? strcmp(a.text, b.text) : (a.number > b.number) - (a.number < b.number);
    if (!s->is_text && (isnan(a.number) || isnan(b.number)))
        return false;
    switch (s->comparison) {
    case QSV_LESS:
        return order < 0;
    case QSV_LESS_EQUAL:
        return order <= 0;
    case QSV_GREATER:
        return order > 0;
    case QSV_GREATER_EQUAL:
        return order >= 0;
    case QSV_EQUAL:
        return order == 0;
    case QSV_NOT_EQUAL:
        break;
    }
    return order != 0;
}

static bool is_true(struct qsv_expression_value v)
{
    return v.number != 0 && !isnan(v.number);
}

bool qsv_expression_holds(const struct qsv_expression *e, qsv_expression_get get, const void *row)
{
    struct qsv_expression_value stack[STACK], *top = stack; /* top: the first free place */
    for (size_t i = 0; i < e->n; i++) {
        const struct step *s = &e->steps[i];
        switch (s->kind) {
        case PUSH_NUMBER:
            *top++ = (struct qsv_expression_value){.number = s->number};
            break;
        case PUSH_TEXT:
            *top++ = (struct qsv_expression_value){.text = e->strings + s->text};
            break;
        case PUSH_COLUMN:
            *top++ = get(row, s->column);
            break;
        case COMPARE:
            top--;
            top[-1].number = compare(s, top[-1], top[0]);
            break;
        case TRUTH:
            top[-1].number = is_true(top[-1]);
            break;
        case NOT:
            top[-1].number = !is_true(top[-1]);
            break;
        case AND:
            top--;
            top[-1].number = is_true(top[-1]) && is_true(top[0]);
            break;
        case OR:
            top--;
            top[-1].number = is_true(top[-1]) || is_true(top[0]);
            break;
        }
    }
    return is_true(top[-1]);
}
