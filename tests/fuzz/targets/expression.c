/* Conditions of queries, parsed and asked of rows with usual and unusual values. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "results/expression.h"
#include "tests/fuzz/fuzz.h"

static const struct qsv_expression_column columns[] = {
    {"number", false}, {"step", true}, {"top1_drop", false}, {"model_bytes", false}, {"d", true}};
enum { N_COLUMNS = sizeof columns / sizeof *columns, N_ROWS = 3 };

static const struct qsv_expression_value rows[N_ROWS][N_COLUMNS] = {
    {{1, NULL}, {0, "guided"}, {1.5, NULL}, {494716, NULL}, {0, ""}},
    {{0, NULL}, {0, ""}, {NAN, NULL}, {INFINITY, NULL}, {0, "guided"}},
    {{-1, NULL}, {0, "\xff"}, {-0.0, NULL}, {1e308, NULL}, {0, "or"}}};

static struct qsv_expression_value get(const void *row, size_t column)
{
    FUZZ_NEED(column < N_COLUMNS);
    return ((const struct qsv_expression_value *)row)[column];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qsv_expression *e = NULL;
    struct qsv_error err = {0};
    char *text = fuzz_text(data, size);
    if (fuzz_accepted(qsv_expression_parse(&e, text, columns, N_COLUMNS, &err), &err, QSV_OK))
        for (int i = 0; i < N_ROWS; i++)
            qsv_expression_holds(e, get, rows[i]);
    qsv_expression_destroy(e);
    free(text);
    return 0;
}
