#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/base/error.h"

static void test_fail_fills_and_returns(void **state)
{
    (void)state;
    struct qsv_error err = {0};
    assert_int_equal(qsv_fail(&err, QSV_EIO, "%s:%d: no %s", "a.yaml", 7, "key"), QSV_EIO);
    assert_int_equal(err.code, QSV_EIO);
    assert_string_equal(err.text, "a.yaml:7: no key");
    assert_int_equal(qsv_fail(NULL, QSV_EUSAGE, "%d", 1), QSV_EUSAGE);
}

static void test_text_is_one_printable_line(void **state)
{
    (void)state;
    struct qsv_error err = {0};
    qsv_fail(&err, QSV_EINPUT, "a\nb\tc\r\033[31m\177\x01 \xc3\xa9");
    assert_string_equal(err.text, "a?b?c??[31m?? \xc3\xa9");
    qsv_fail_in(&err, QSV_EINPUT, "x\ny");
    assert_string_equal(err.text, "x?y: a?b?c??[31m?? \xc3\xa9");
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    struct qsv_error err = {0};
    char text[2 * QSV_ERROR_TEXT];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    qsv_fail(&err, QSV_EINPUT, "%s", text);
    assert_int_equal(strlen(err.text), QSV_ERROR_TEXT - 1);
    qsv_fail_in(&err, QSV_EINPUT, "short");
    assert_int_equal(strlen(err.text), QSV_ERROR_TEXT - 1);
    assert_memory_equal(err.text, "short: xxx", 10);
    qsv_fail_in(&err, QSV_EINPUT, "%s", text);
    assert_in_range(strlen(err.text), QSV_ERROR_TEXT - 3, QSV_ERROR_TEXT - 1);
}

static void test_prefix_keeps_the_text_and_sets_the_code(void **state)
{
    (void)state;
    struct qsv_error err = {0};
    qsv_fail(&err, QSV_EINPUT, "no dataset '%s'", "images");
    assert_int_equal(qsv_fail_in(&err, QSV_EIO, "file %d", 3), QSV_EIO);
    assert_int_equal(err.code, QSV_EIO);
    assert_string_equal(err.text, "file 3: no dataset 'images'");
    qsv_fail_in(&err, QSV_EIO, "run");
    assert_string_equal(err.text, "run: file 3: no dataset 'images'");
    assert_int_equal(qsv_fail_in(NULL, QSV_EIO, "run"), QSV_EIO);
}

static void test_memory(void **state)
{
    (void)state;
    struct qsv_error err = {0};
    assert_int_equal(qsv_fail_memory(&err, "a.h5"), QSV_ENOMEM);
    assert_string_equal(err.text, "out of memory for a.h5");
}

static void test_exit_statuses(void **state)
{
    (void)state;
    static const int expected[] = {0, 2, 2, 2, 3, 4, 75, 1, 1, 1};
    for (int code = QSV_OK; code <= QSV_EFAILED; code++)
        assert_int_equal(qsv_status_exit((enum qsv_status)code), expected[code]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fail_fills_and_returns),
        cmocka_unit_test(test_text_is_one_printable_line),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_prefix_keeps_the_text_and_sets_the_code),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_exit_statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
