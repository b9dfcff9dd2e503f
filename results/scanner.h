/* The words of a condition (results/expression.h).
 */
#ifndef QSV_SCANNER_H
#define QSV_SCANNER_H

#include <stddef.h>

#include "core/base/error.h"

enum qsv_token {
    QSV_TOKEN_END,
    QSV_TOKEN_WORD,
    QSV_TOKEN_NUMERAL,
    QSV_TOKEN_STRING, /* with its quotes */
    QSV_TOKEN_OPERATOR,
    QSV_TOKEN_OPEN,
    QSV_TOKEN_CLOSE
};

enum qsv_comparison {
    QSV_LESS,
    QSV_LESS_EQUAL,
    QSV_GREATER,
    QSV_GREATER_EQUAL,
    QSV_EQUAL,
    QSV_NOT_EQUAL
};

struct qsv_scanner { /* begin with text and at */
    const char *text, *at;
    enum qsv_token token; /* that begins at `at` */
    size_t length;
    enum qsv_comparison comparison; /* of an operator */
};

/* Looks at the next token. QSV_EINPUT for what is none. */
enum qsv_status qsv_scanner_next(struct qsv_scanner *s, struct qsv_error *err);

/* Of the token, from 1. */
int qsv_scanner_place(const struct qsv_scanner *s);

#endif
