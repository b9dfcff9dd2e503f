#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "results/expression.h"

enum { DROP, BITS, MISSING, STEP, N_COLUMNS };

static const struct qsv_expression_column columns[N_COLUMNS] = {
    {"top1_drop", false}, {"avg_bits", false}, {"energy", false}, {"step", true}};

struct row {
    double numbers[3];
    const char *step;
};

static const struct row row = {{1.25, 4, NAN}, "guided"};

static struct qsv_expression_value get(const void *r, size_t column)
{
    const struct row *x = r;
    if (column == STEP)
        return (struct qsv_expression_value){.text = x->step};
    return (struct qsv_expression_value){.number = x->numbers[column]};
}

static enum qsv_status parse(struct qsv_expression **e, const char *text, struct qsv_error *err)
{
    return qsv_expression_parse(e, text, columns, N_COLUMNS, err);
}

static void conditions_hold_or_not(void **state)
{
    (void)state;
    const struct {
        const char *text;
        bool holds;
    } cases[] = {
        {"top1_drop < 1.5", true},
        {"top1_drop<1.25", false},
        {"top1_drop <= 1.25 and avg_bits >= 4", true},
        {"avg_bits > 4", false},
        {"avg_bits == 4.0", true},
        {"4 == avg_bits", true},
        {"avg_bits != 4e0", false},
        {"top1_drop > -.5", true},
        {"top1_drop < +1250e-3", false},
        {"step == 'guided'", true},
        {"step != \"guided\"", false},
        {"step < 'h' and step > 'g'", true},
        {"step == 'it\"s'", false},
        /* `and` binds closer than `or`, `not` closer than `and` */
        {"avg_bits == 4 or avg_bits == 4 and avg_bits == 5", true},
        {"(avg_bits == 4 or avg_bits == 4) and avg_bits == 5", false},
        {"not avg_bits == 5 and avg_bits == 4", true},
        {"not (avg_bits == 5 and avg_bits == 4)", true},
        {"not not avg_bits == 4", true},
        {"avg_bits", true},
        {"0", false},
        {"not 0", true},
        /* a missing value is in no relation, and not true */
        {"energy < 1 or energy >= 1", false},
        {"energy == energy", false},
        {"energy != 1", false},
        {"energy", false},
        {"not energy", true},
        {"((((avg_bits > 3))))", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct qsv_expression *e;
        struct qsv_error err;
        if (parse(&e, cases[i].text, &err))
            fail_msg("%s: %s", cases[i].text, err.text);
        if (qsv_expression_holds(e, get, &row) != cases[i].holds)
            fail_msg("%s", cases[i].text);
        qsv_expression_destroy(e);
    }
}

static void mistakes_are_told_with_their_place(void **state)
{
    (void)state;
    const struct {
        const char *text, *message;
    } cases[] = {
        {"", "ends at character 1, expected a column, a number or a text"},
        {"top1_drp < 1", "character 1: there is no column 'top1_drp'; did you mean 'top1_drop'?"},
        {"avg_bits < x", "character 12: there is no column 'x'"},
        {"avg_bits = 4", "character 10: '=' means nothing here; equal is =="},
        {"avg_bits <", "ends at character 11"},
        {"avg_bits < < 4", "character 12: found '<'"},
        {"avg_bits < 4 avg_bits", "character 14: found 'avg_bits', expected 'and', 'or'"},
        {"1 < avg_bits < 5", "character 14: found '<', expected 'and' between two comparisons"},
        {"(avg_bits < 4", "ends at character 14, expected ')'"},
        {"avg_bits < 4)", "character 13: found ')'"},
        {"step == 4", "character 6: compares text with a number"},
        {"4 == step", "character 3: compares a number with text"},
        {"step", "ends at character 5, expected a comparison"},
        {"step == 'x", "character 9: the text is not closed"},
        {"(avg_bits < 4) < 5", "character 16: a condition has no value"},
        {"avg_bits < 1.2.3", "character 12: found '1.2.3', expected a number"},
        {"avg_bits < 1e999", "expected a number"},
        {"avg_bits < -", "expected a number"},
        {"and", "character 1: found 'and'"},
        {"not", "ends at character 4"},
        {"avg_bits \xc3\xa4", "byte 0xc3"},
        {"avg_bits < 4; step", "';' means nothing here"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct qsv_expression *e;
        struct qsv_error err = {0};
        assert_int_equal(parse(&e, cases[i].text, &err), QSV_EINPUT);
        assert_null(e);
        if (!strstr(err.text, cases[i].message))
            fail_msg("%s: '%s' does not say '%s'", cases[i].text, err.text, cases[i].message);
    }
}

static char *repeat(const char *part, size_t n, const char *end)
{
    char *text = calloc(n * strlen(part) + strlen(end) + 1, 1);
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * strlen(part), part, strlen(part));
    strcat(text, end);
    return text;
}

static void depth_and_length_are_limited(void **state)
{
    (void)state;
    const struct {
        const char *part, *end;
        size_t n;
        const char *message; /* NULL: is fine */
    } cases[] = {
        {"(", "1", 100000, "at most 16384"},   {"(", "1", 10000, "nested more than 64 deep"},
        {"not ", "1", 65, "nested more than"}, {"not ", "1", 60, NULL},
        {"1 and ", "1", 2000, NULL},           {"1 or 0 and ", "1", 1000, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct qsv_expression *e;
        struct qsv_error err = {0};
        char *text = repeat(cases[i].part, cases[i].n, cases[i].end);
        enum qsv_status st = parse(&e, text, &err);
        assert_int_equal(st, cases[i].message ? QSV_EINPUT : QSV_OK);
        if (st)
            assert_non_null(strstr(err.text, cases[i].message));
        else
            assert_true(qsv_expression_holds(e, get, &row));
        qsv_expression_destroy(e);
        free(text);
    }
}

/* A deep right-leaning nest must fit the stack it is evaluated on. */
static void the_deepest_nest_is_evaluated(void **state)
{
    (void)state;
    struct qsv_expression *e;
    char text[4000] = "", end[200] = "";
    for (int i = 0; i < 60; i++) {
        strcat(text, "0 or 1 and 1 == 1 and (");
        strcat(end, ")");
    }
    strcat(text, "1");
    strcat(text, end);
    assert_int_equal(parse(&e, text, NULL), QSV_OK);
    assert_true(qsv_expression_holds(e, get, &row));
    qsv_expression_destroy(e);
}

static void mutations_and_prefixes_end_in_an_answer(void **state)
{
    (void)state;
    const char *good = "not (top1_drop < 1.5e0 and avg_bits >= -4) or step == 'guided' and energy";
    const char letters[] = "abcdefst_019.+-<>=!()'\" \x80\x01\xff,%";
    struct qsv_rng rng;
    size_t n = strlen(good), fine = 0;
    qsv_rng_seed(&rng, 11);
    for (size_t i = 0; i < 20000 + n; i++) {
        struct qsv_expression *e;
        struct qsv_error err;
        char text[128];
        strcpy(text, good);
        if (i < n)
            text[i] = '\0';
        for (uint64_t k = 1 + qsv_rng_below(&rng, 4); k && i >= n; k--)
            text[qsv_rng_below(&rng, n)] = letters[qsv_rng_below(&rng, sizeof letters - 1)];
        if (parse(&e, text, &err))
            assert_true(err.text[0] != '\0');
        else
            fine += 1 + qsv_expression_holds(e, get, &row);
        qsv_expression_destroy(e);
    }
    assert_true(fine > 100);
}

static void a_failing_allocation_is_told(void **state)
{
    (void)state;
    enum qsv_status st = QSV_ENOMEM;
    int n = 0;
    while (st) {
        struct qsv_expression *e;
        qsv_alloc_fail_at(++n);
        st = parse(&e, "top1_drop < 1 or avg_bits > 2 and step == 'x'", NULL);
        qsv_alloc_fail_at(0);
        assert_true(st == QSV_ENOMEM || st == QSV_OK);
        qsv_expression_destroy(e);
    }
    assert_true(n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_hold_or_not),
        cmocka_unit_test(mistakes_are_told_with_their_place),
        cmocka_unit_test(depth_and_length_are_limited),
        cmocka_unit_test(the_deepest_nest_is_evaluated),
        cmocka_unit_test(mutations_and_prefixes_end_in_an_answer),
        cmocka_unit_test(a_failing_allocation_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
