#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "runner/base/options.h"

struct values {
    const char *run, *second, *output;
    uint64_t heads;
    double bound;
    unsigned format;
    bool fresh, all;
};

#define AT(field) .target = offsetof(struct values, field)

static const struct qsv_option table[] = {
    {.type = QSV_OPTION_OPERAND, .name = "RUN", AT(run), .required = true, .help = "the run"},
    {.type = QSV_OPTION_OPERAND, .name = "SECOND", AT(second), .help = "another"},
    {.type = QSV_OPTION_TEXT,
     .name = "output",
     .letter = 'o',
     .argument = "FILE",
     AT(output),
     .required = true,
     .help = "where to"},
    {.type = QSV_OPTION_COUNT,
     .name = "heads",
     .argument = "N",
     AT(heads),
     .fallback = "8",
     .max = 64,
     .help = "attention heads"},
    {.type = QSV_OPTION_NUMBER, .name = "bound", .argument = "X", AT(bound), .help = "most"},
    {.type = QSV_OPTION_CHOICE,
     .name = "format",
     .argument = "table|csv|json",
     AT(format),
     .fallback = "table",
     .help = "how"},
    {.type = QSV_OPTION_FLAG, .name = "fresh", .letter = 'f', AT(fresh), .help = "start over"},
    {.type = QSV_OPTION_FLAG, .name = "all", .letter = 'a', AT(all), .help = "everything"},
    {.type = QSV_OPTION_END},
};

static enum qsv_status parse(char *const *args, struct values *v, bool *help, struct qsv_error *err)
{
    int n = 0;
    while (args[n])
        n++;
    *v = (struct values){0};
    *err = (struct qsv_error){0};
    return qsv_options_parse(table, "export", n, args, v, help, err);
}

#define ARGS(...) ((char *const[]){__VA_ARGS__, NULL})

static void test_wrong_lines(void **state)
{
    (void)state;
    static const struct {
        const char *args[6], *text;
    } rows[] = {
        {{"run"}, "-o, --output FILE is missing: where to (see qsvit export --help)"},
        {{"-o", "x"}, "RUN is missing: the run (see qsvit export --help)"},
        {{"run", "-o"}, "option -o, --output needs an argument: FILE"},
        {{"run", "--output"}, "option -o, --output needs an argument: FILE"},
        {{"run", "--ouput", "x"}, "unknown option '--ouput', did you mean '--output'?"},
        {{"run", "--nothing-like-it"},
         "unknown option '--nothing-like-it' (qsvit export --help lists them)"},
        {{"run", "--outputs=x"}, "unknown option '--outputs', did you mean '--output'?"},
        {{"run", "-x"}, "unknown option '-x' (qsvit export --help lists them)"},
        {{"run", "-fx"}, "unknown option '-x' (qsvit export --help lists them)"},
        {{"run", "--fresh=yes"}, "option -f, --fresh takes no argument, found 'yes'"},
        {{"run", "--heads", "eight"}, "option --heads: 'eight' is not a whole number"},
        {{"run", "--heads", "-8"}, "option --heads: '-8' is not a whole number"},
        {{"run", "--heads", " 8"}, "option --heads: ' 8' is not a whole number"},
        {{"run", "--heads", "8.5"}, "option --heads: '8.5' is not a whole number"},
        {{"run", "--heads="}, "option --heads: '' is not a whole number"},
        {{"run", "--heads", "65"}, "option --heads: 65 is too large, at most 64 is allowed"},
        {{"run", "--heads", "18446744073709551616"},
         "option --heads: 18446744073709551616 is too large, at most 64 is allowed"},
        {{"run", "--bound", "much"}, "option --bound: 'much' is not a number"},
        {{"run", "--bound", "nan"}, "option --bound: 'nan' is not a number"},
        {{"run", "--bound", "1e999"}, "option --bound: '1e999' is not a number"},
        {{"run", "--format", "xml"}, "option --format: 'xml' is none of table|csv|json"},
        {{"run", "--format", "csv|json"}, "option --format: 'csv|json' is none of table|csv|json"},
        {{"run", "--format", ""}, "option --format: '' is none of table|csv|json"},
        {{"run", "--format", "tab"}, "option --format: 'tab' is none of table|csv|json"},
        {{"a", "b", "c"}, "unexpected argument 'c' (see qsvit export --help)"},
        {{"run", "--", "--output", "x"}, "unexpected argument 'x' (see qsvit export --help)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct values v;
        struct qsv_error err;
        bool help;
        assert_int_equal(parse((char *const *)rows[i].args, &v, &help, &err), QSV_EUSAGE);
        assert_string_equal(err.text, rows[i].text);
        assert_false(help);
    }
}

static void test_defaults(void **state)
{
    (void)state;
    struct values v;
    struct qsv_error err;
    bool help;
    assert_int_equal(parse(ARGS("run", "-o", "x"), &v, &help, &err), QSV_OK);
    assert_string_equal(v.run, "run");
    assert_string_equal(v.output, "x");
    assert_null(v.second);
    assert_int_equal(v.heads, 8);
    assert_int_equal(v.format, 0);
    assert_false(v.fresh || v.all);
    assert_true(v.bound == 0.0);
}

static void test_all_forms(void **state)
{
    (void)state;
    struct values v;
    struct qsv_error err;
    bool help;
    assert_int_equal(parse(ARGS("-af", "r", "-ofile", "--heads=64", "--bound", "-1.5e1", "s",
                                "--format", "json"),
                           &v, &help, &err),
                     QSV_OK);
    assert_true(v.all && v.fresh);
    assert_string_equal(v.run, "r");
    assert_string_equal(v.second, "s");
    assert_string_equal(v.output, "file");
    assert_int_equal(v.heads, 64);
    assert_true(v.bound == -15.0);
    assert_int_equal(v.format, 2);
    /* The last one counts; a value may look like an option; "-" is an operand; "" is a value. */
    assert_int_equal(parse(ARGS("-o", "x", "--output=--fresh", "-"), &v, &help, &err), QSV_OK);
    assert_string_equal(v.output, "--fresh");
    assert_string_equal(v.run, "-");
    assert_false(v.fresh);
    assert_int_equal(parse(ARGS("--output=", "--", "-f"), &v, &help, &err), QSV_OK);
    assert_string_equal(v.output, "");
    assert_string_equal(v.run, "-f");
    assert_false(v.fresh);
}

static void test_help_wins(void **state)
{
    (void)state;
    struct values v;
    struct qsv_error err;
    bool help;
    assert_int_equal(parse(ARGS("--nonsense", "--help"), &v, &help, &err), QSV_OK);
    assert_true(help);
    assert_int_equal(parse(ARGS("-h"), &v, &help, &err), QSV_OK);
    assert_true(help);
    assert_int_equal(parse(ARGS("--output=x", "--", "--help"), &v, &help, &err), QSV_OK);
    assert_false(help);
    assert_string_equal(v.run, "--help");
}

/* Any number of operands, between options too, behind one that is taken alone. */
static void test_many_operands(void **state)
{
    (void)state;
    struct several {
        const char *first;
        struct qsv_operands rest;
        bool all;
    } v;
    static const struct qsv_option rows[] = {
        {.type = QSV_OPTION_OPERAND,
         .name = "FIRST",
         .target = offsetof(struct several, first),
         .help = "one"},
        {.type = QSV_OPTION_OPERANDS,
         .name = "RUN...",
         .target = offsetof(struct several, rest),
         .required = true,
         .help = "the runs"},
        {.type = QSV_OPTION_FLAG,
         .name = "all",
         .letter = 'a',
         .target = offsetof(struct several, all),
         .help = "everything"},
        {.type = QSV_OPTION_END},
    };
    char *many[QSV_MAX_OPERANDS + 2];
    struct qsv_error err = {0};
    bool help;
    memset(&v, 0, sizeof v);
    assert_int_equal(
        qsv_options_parse(rows, "x", 5, ARGS("a", "b", "--all", "--", "-c"), &v, &help, &err),
        QSV_OK);
    assert_string_equal(v.first, "a");
    assert_int_equal(v.rest.n, 2);
    assert_string_equal(v.rest.v[0], "b");
    assert_string_equal(v.rest.v[1], "-c");
    assert_true(v.all);
    memset(&v, 0, sizeof v);
    assert_int_equal(qsv_options_parse(rows, "x", 1, ARGS("a"), &v, &help, &err), QSV_EUSAGE);
    assert_non_null(strstr(err.text, "RUN... is missing: the runs"));
    for (int i = 0; i < QSV_MAX_OPERANDS + 2; i++)
        many[i] = "a";
    memset(&v, 0, sizeof v);
    assert_int_equal(qsv_options_parse(rows, "x", QSV_MAX_OPERANDS + 1, many, &v, &help, &err),
                     QSV_OK);
    memset(&v, 0, sizeof v);
    assert_int_equal(qsv_options_parse(rows, "x", QSV_MAX_OPERANDS + 2, many, &v, &help, &err),
                     QSV_EUSAGE);
    assert_non_null(strstr(err.text, "more than 32"));
}

static void test_no_table(void **state)
{
    (void)state;
    struct qsv_error err = {0};
    bool help;
    assert_int_equal(qsv_options_parse(NULL, "man", 0, NULL, NULL, &help, &err), QSV_OK);
    assert_int_equal(qsv_options_parse(NULL, "man", 1, ARGS("x"), NULL, &help, &err), QSV_EUSAGE);
    assert_int_equal(qsv_options_parse(NULL, "man", 1, ARGS("--x"), NULL, &help, &err), QSV_EUSAGE);
}

static void test_describe(void **state)
{
    (void)state;
    static const struct qsv_option rows[] = {
        {.type = QSV_OPTION_OPERAND, .name = "RUN", .required = true, .help = "the run"},
        {.type = QSV_OPTION_TEXT,
         .name = "output",
         .letter = 'o',
         .argument = "FILE",
         .required = true,
         .help = "where to"},
        {.type = QSV_OPTION_COUNT,
         .name = "a-very-long-name-indeed",
         .argument = "N",
         .fallback = "8",
         .help = "words that go on and on until they no longer fit into a line of a terminal"},
        {.type = QSV_OPTION_END},
    };
    struct qsv_strbuf text = {0};
    qsv_options_describe(rows, &text);
    assert_string_equal(
        text.text, "  RUN                       the run\n"
                   "  -o, --output FILE         where to (required)\n"
                   "      --a-very-long-name-indeed N\n"
                   "                            words that go on and on until they no longer fit\n"
                   "                            into a line of a terminal (default 8)\n");
    qsv_strbuf_fini(&text);
    qsv_options_describe_roff(rows, &text);
    assert_non_null(strstr(text.text, ".TP\n\\fB\\-o\\fR, \\fB\\-\\-output\\fR \\fIFILE\\fR\n"
                                      "where to (required)\n"));
    assert_non_null(strstr(text.text, ".TP\n\\fIRUN\\fR\nthe run\n"));
    qsv_strbuf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_lines),   cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_all_forms),     cmocka_unit_test(test_help_wins),
        cmocka_unit_test(test_no_table),      cmocka_unit_test(test_describe),
        cmocka_unit_test(test_many_operands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
