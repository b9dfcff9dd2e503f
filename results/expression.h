/* Conditions over named columns: `top1_drop < 1.5 and (step == 'guided' or not selected)`.
 *
 *   or      = and { "or" and }
 *   and     = not { "and" not }
 *   not     = "not" not | compare
 *   compare = value [ ("<" | "<=" | ">" | ">=" | "==" | "!=") value ]
 *   value   = number | 'text' | "text" | column | "(" or ")"
 *
 * A number by itself is true unless it is 0. A missing value (NaN) compares false with everything,
 * by != too. Numbers compare with numbers, text with text.
 */
#ifndef QSV_EXPRESSION_H
#define QSV_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

struct qsv_expression;

struct qsv_expression_column {
    const char *name;
    bool is_text;
};

/* What a column has in the row that is looked at. */
struct qsv_expression_value {
    double number;
    const char *text;
};
typedef struct qsv_expression_value (*qsv_expression_get)(const void *row, size_t column);

/* QSV_EINPUT with the place, and the nearest column where one is close. */
enum qsv_status qsv_expression_parse(struct qsv_expression **out, const char *text,
                                     const struct qsv_expression_column *columns, size_t n_columns,
                                     struct qsv_error *err);
void qsv_expression_destroy(struct qsv_expression *e);

bool qsv_expression_holds(const struct qsv_expression *e, qsv_expression_get get, const void *row);

#endif
