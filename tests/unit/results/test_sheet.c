#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/base/rng.h"
#include "results/sheet.h"

static const struct qsv_sheet_column columns[] = {
    {"name", NULL, true, 0}, {"drop", "points", false, 2}, {"ops", "op", false, -3}};

static const struct qsv_cell cells[] = {
    {.text = "plain"},     {.number = 1.005},   {.number = 1234567},
    {.text = "a,\"b\"\n"}, {.number = NAN},     {.number = 0.1},
    {.text = "\xc3\xa4"},  {.number = -12.345}, {.number = 3},
};

static const struct qsv_sheet sheet = {columns, cells, 3, 3};

static void print(const struct qsv_sheet *s, enum qsv_query_format format, struct qsv_strbuf *out)
{
    assert_int_equal(qsv_sheet_print(out, s, format, NULL), QSV_OK);
}

static void a_table_is_aligned(void **state)
{
    (void)state;
    struct qsv_strbuf out = {0};
    print(&sheet, QSV_QUERY_TABLE, &out);
    assert_string_equal(out.text, "name      drop       ops\n"
                                  "        points        op\n"
                                  "plain     1.00  1.23e+06\n"
                                  "a,\"b\"?       -       0.1\n"
                                  "\xc3\xa4       -12.35         3\n");
    qsv_strbuf_fini(&out);
}

static void csv_quotes_as_rfc_4180_says(void **state)
{
    (void)state;
    struct qsv_strbuf out = {0};
    print(&sheet, QSV_QUERY_CSV, &out);
    assert_string_equal(out.text, "name,drop,ops\r\n"
                                  "plain,1.005,1234567\r\n"
                                  "\"a,\"\"b\"\"\n\",,0.1\r\n"
                                  "\xc3\xa4,-12.345,3\r\n");
    qsv_strbuf_fini(&out);
}

static void json_reads_back(void **state)
{
    (void)state;
    struct qsv_strbuf out = {0};
    print(&sheet, QSV_QUERY_JSON, &out);
    json_t *rows = json_loads(out.text, 0, NULL);
    assert_int_equal(json_array_size(rows), 3);
    json_t *second = json_array_get(rows, 1);
    assert_string_equal(json_string_value(json_object_get(second, "name")), "a,\"b\"\n");
    assert_true(json_is_null(json_object_get(second, "drop")));
    assert_true(json_number_value(json_object_get(second, "ops")) == 0.1);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(rows, 0), "ops")), 1234567);
    json_decref(rows);
    qsv_strbuf_fini(&out);
}

static void nothing_is_an_answer_too(void **state)
{
    (void)state;
    const struct qsv_sheet none = {columns, cells, 3, 0};
    const char *expected[] = {"name    drop  ops\n      points   op\n", "name,drop,ops\r\n",
                              "[]\n"};
    for (int f = 0; f < 3; f++) {
        struct qsv_strbuf out = {0};
        print(&none, (enum qsv_query_format)f, &out);
        assert_string_equal(out.text, expected[f]);
        qsv_strbuf_fini(&out);
    }
}

static void text_that_is_no_utf8_is_still_json(void **state)
{
    (void)state;
    const struct qsv_cell bad[] = {{.text = "a\xff\x01z"}};
    const struct qsv_sheet one = {columns, bad, 1, 1};
    struct qsv_strbuf out = {0};
    print(&one, QSV_QUERY_JSON, &out);
    assert_string_equal(out.text, "[\n {\"name\": \"a?\\u0001z\"}\n]\n");
    qsv_strbuf_fini(&out);
}

static void the_shortest_decimal_reads_back(void **state)
{
    (void)state;
    const struct {
        double v;
        const char *text;
    } cases[] = {{88.78, "88.78"}, {0.1, "0.1"}, {1e22, "1e+22"}, {5, "5"}, {-0.25, "-0.25"}};
    char buf[32];
    struct qsv_rng rng;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        qsv_shortest(buf, cases[i].v);
        assert_string_equal(buf, cases[i].text);
    }
    qsv_rng_seed(&rng, 5);
    for (int i = 0; i < 10000; i++) {
        double v = ldexp(qsv_rng_unit(&rng) - 0.5, (int)qsv_rng_below(&rng, 200) - 100);
        qsv_shortest(buf, v);
        assert_true(strtod(buf, NULL) == v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_aligned),
        cmocka_unit_test(csv_quotes_as_rfc_4180_says),
        cmocka_unit_test(json_reads_back),
        cmocka_unit_test(nothing_is_an_answer_too),
        cmocka_unit_test(text_that_is_no_utf8_is_still_json),
        cmocka_unit_test(the_shortest_decimal_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
