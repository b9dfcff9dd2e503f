#include "results/scanner.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

int qsv_scanner_place(const struct qsv_scanner *s)
{
    return (int)(s->at - s->text) + 1;
}

static bool is_word_start(char c)
{
    return isalpha((unsigned char)c) || c == '_';
}

static size_t word_length(const char *s)
{
    size_t n = 0;
    while (is_word_start(s[n]) || isdigit((unsigned char)s[n]))
        n++;
    return n;
}

static size_t numeral_length(const char *s)
{
    size_t n = *s == '-' || *s == '+';
    while (isdigit((unsigned char)s[n]) || s[n] == '.')
        n++;
    if (s[n] == 'e' || s[n] == 'E') {
        size_t e = n + 1 + (s[n + 1] == '-' || s[n + 1] == '+');
        if (isdigit((unsigned char)s[e]))
            for (n = e; isdigit((unsigned char)s[n]);)
                n++;
    }
    return n;
}

static size_t operator_length(const char *s, enum qsv_comparison *c)
{
    static const struct {
        const char *text;
        enum qsv_comparison comparison;
    } operators[] = {{"<=", QSV_LESS_EQUAL}, {">=", QSV_GREATER_EQUAL}, {"==", QSV_EQUAL},
                     {"!=", QSV_NOT_EQUAL},  {"<", QSV_LESS},           {">", QSV_GREATER}};
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        size_t n = strlen(operators[i].text);
        if (strncmp(s, operators[i].text, n))
            continue;
        *c = operators[i].comparison;
        return n;
    }
    return 0;
}

static enum qsv_status scan_string(struct qsv_scanner *s, struct qsv_error *err)
{
    const char *end = strchr(s->at + 1, *s->at);
    if (!end)
        return qsv_fail(err, QSV_EINPUT, "character %d: the text is not closed",
                        qsv_scanner_place(s));
    s->token = QSV_TOKEN_STRING;
    s->length = (size_t)(end - s->at) + 1;
    return QSV_OK;
}

static enum qsv_status fail_character(const struct qsv_scanner *s, struct qsv_error *err)
{
    unsigned char c = (unsigned char)*s->at;
    return qsv_fail(err, QSV_EINPUT,
                    c < 0x80 ? "character %d: '%c' means nothing here%s"
                             : "character %d: byte 0x%x is outside any "
                               "text%s",
                    qsv_scanner_place(s), c, c == '=' ? "; equal is ==" : "");
}

static enum qsv_status found(struct qsv_scanner *s, enum qsv_token token, size_t length)
{
    s->token = token;
    s->length = length;
    return QSV_OK;
}

enum qsv_status qsv_scanner_next(struct qsv_scanner *s, struct qsv_error *err)
{
    s->at += s->length;
    s->at += strspn(s->at, " \t\r\n");
    char c = *s->at;
    size_t width = operator_length(s->at, &s->comparison);
    if (!c)
        return found(s, QSV_TOKEN_END, 0);
    if (c == '(' || c == ')')
        return found(s, c == '(' ? QSV_TOKEN_OPEN : QSV_TOKEN_CLOSE, 1);
    if (c == '\'' || c == '"')
        return scan_string(s, err);
    if (is_word_start(c))
        return found(s, QSV_TOKEN_WORD, word_length(s->at));
    if (strchr("0123456789.+-", c))
        return found(s, QSV_TOKEN_NUMERAL, numeral_length(s->at));
    return width ? found(s, QSV_TOKEN_OPERATOR, width) : fail_character(s, err);
}
