#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/strbuf.h"

static void test_appends(void **state)
{
    (void)state;
    struct qsv_strbuf b = {0};
    qsv_strbuf_puts(&b, "");
    assert_string_equal(b.text, "");
    qsv_strbuf_puts(&b, "one");
    qsv_strbuf_printf(&b, " %s %d", "two", 3);
    assert_string_equal(b.text, "one two 3");
    assert_int_equal(b.len, 9);
    qsv_strbuf_add(&b, "\0x", 2);
    assert_int_equal(b.len, 11);
    assert_memory_equal(b.text, "one two 3\0x", 12);
    qsv_strbuf_fini(&b);
    assert_null(b.text);
    assert_int_equal(b.len, 0);
    qsv_strbuf_puts(&b, "again");
    assert_string_equal(b.text, "again");
    qsv_strbuf_fini(&b);
}

static void test_grows(void **state)
{
    (void)state;
    struct qsv_strbuf b = {0};
    for (int i = 0; i < 1000; i++)
        qsv_strbuf_printf(&b, "%03d%s", i, i % 2 ? "," : "");
    assert_int_equal(b.len, 3500);
    assert_int_equal(strlen(b.text), 3500);
    assert_memory_equal(b.text, "000001,002003,", 14);
    assert_memory_equal(b.text + 3486, "996997,998999,", 14);
    qsv_strbuf_printf(&b, "%2000s|", "");
    assert_int_equal(b.len, 5501);
    assert_int_equal(b.text[5500], '|');
    assert_false(b.failed);
    qsv_strbuf_fini(&b);
}

static void test_numbers_are_little_endian(void **state)
{
    (void)state;
    struct qsv_strbuf b = {0};
    qsv_strbuf_u32(&b, 0x04030201);
    qsv_strbuf_u64(&b, 0x0807060504030201);
    qsv_strbuf_f64(&b, -1.5);
    assert_int_equal(b.len, 20);
    qsv_strbuf_u64s(&b, (uint64_t[]){1, 2}, 2);
    assert_int_equal(b.len, 36);
    assert_memory_equal(b.text + 20, "\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 17);
    assert_memory_equal(b.text, "\1\2\3\4\1\2\3\4\5\6\7\10\0\0\0\0\0\0\xf8\xbf", 20);
    qsv_strbuf_fini(&b);
}

static void test_failure_sticks(void **state)
{
    (void)state;
    struct qsv_strbuf b = {0};
    qsv_strbuf_puts(&b, "kept");
    qsv_alloc_fail_at(1);
    qsv_strbuf_printf(&b, "%100s", "lost");
    qsv_alloc_fail_at(0);
    assert_true(b.failed);
    qsv_strbuf_puts(&b, "lost");
    qsv_strbuf_u64(&b, 1);
    qsv_strbuf_printf(&b, "lost");
    assert_string_equal(b.text, "kept");
    assert_int_equal(b.len, 4);
    qsv_strbuf_fini(&b);
    assert_false(b.failed);
}

static void test_too_long(void **state)
{
    (void)state;
    struct qsv_strbuf b = {0};
    qsv_strbuf_puts(&b, "x");
    qsv_strbuf_add(&b, "y", SIZE_MAX);
    assert_true(b.failed);
    assert_string_equal(b.text, "x");
    qsv_strbuf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_numbers_are_little_endian),
        cmocka_unit_test(test_failure_sticks),
        cmocka_unit_test(test_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
