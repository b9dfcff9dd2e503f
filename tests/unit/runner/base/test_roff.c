#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "runner/base/roff.h"

static void check(void (*add)(struct qsv_strbuf *, const char *), const char *text,
                  const char *expected)
{
    struct qsv_strbuf out = {0};
    qsv_strbuf_puts(&out, "");
    add(&out, text);
    assert_false(out.failed);
    assert_string_equal(out.text, expected);
    qsv_strbuf_fini(&out);
}

static void test_text(void **state)
{
    (void)state;
    check(qsv_roff_text, "", "");
    check(qsv_roff_text, "a-b \\ 'c' \"d\"", "a\\-b \\e \\(aqc\\(aq \\(dqd\\(dq");
    check(qsv_roff_text, "~^`", "\\(ti\\(ha\\(ga");
}

/* A line that begins with a dot or a quote would be taken for a request, and vanish. */
static void test_lines(void **state)
{
    (void)state;
    check(qsv_roff_lines, "", "");
    check(qsv_roff_lines, ".h5 files\na .b\n.c", "\\&.h5 files\na .b\n\\&.c\n");
    check(qsv_roff_lines, "'x'\n", "\\(aqx\\(aq\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
