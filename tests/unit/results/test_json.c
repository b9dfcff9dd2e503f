#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "results/json.h"

static void strings_are_utf8_or_become_so(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {
        {"", ""},
        {"plain", "plain"},
        {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
        {"cut \xc3", "cut ?"},
        {"\xff\xfe and", "?? and"},
        {"a\x01z", "a\x01z"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        json_t *value = qsv_json_string(vectors[i][0]);
        assert_string_equal(json_string_value(value), vectors[i][1]);
        json_decref(value);
    }
    assert_true(json_is_null(qsv_json_string(NULL)));
}

static void what_is_no_number_is_null(void **state)
{
    (void)state;
    const double none[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++)
        assert_true(json_is_null(qsv_json_number(none[i])));
    json_t *value = qsv_json_number(-0.1);
    assert_true(json_real_value(value) == -0.1);
    json_decref(value);
    assert_true(json_is_null(qsv_json_id(0)));
    value = qsv_json_id(0xabc);
    assert_string_equal(json_string_value(value), "0000000000000abc");
    json_decref(value);
}

/* What would end the element that the text stands in, or begin a comment there, is not in it; what
 * is read back is what was written, to the last bit. */
static void nothing_of_html_is_left(void **state)
{
    (void)state;
    static const char wild[] = "</script><!--<script>&lt;\\\"]]>\x7f";
    struct qsv_strbuf text = {0};
    struct qsv_error err = {0};
    json_t *value = json_pack("{s:s, s:f, s:[i]}", wild, wild, "third", 1.0 / 3, "list", -7);
    json_t *again;
    assert_int_equal(qsv_json_print(&text, value, &err), QSV_OK);
    assert_null(strchr(text.text, '<'));
    assert_null(strchr(text.text, '\n'));
    assert_int_equal(qsv_json_parse(&again, &text, &err), QSV_OK);
    assert_true(json_equal(value, again));
    json_decref(value);
    json_decref(again);
    qsv_strbuf_fini(&text);
}

static void other_text_is_told_with_its_line(void **state)
{
    (void)state;
    struct qsv_strbuf text = {0};
    struct qsv_error err = {0};
    json_t *value;
    qsv_strbuf_puts(&text, "[1,\n 2");
    assert_int_equal(qsv_json_parse(&value, &text, &err), QSV_EFAILED);
    assert_null(value);
    assert_non_null(strstr(err.text, "line 2"));
    qsv_strbuf_fini(&text);
    text.failed = true;
    assert_int_equal(qsv_json_parse(&value, &text, &err), QSV_ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_utf8_or_become_so),
        cmocka_unit_test(what_is_no_number_is_null),
        cmocka_unit_test(nothing_of_html_is_left),
        cmocka_unit_test(other_text_is_told_with_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
