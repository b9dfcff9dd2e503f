#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "schedulers/quote.h"

static void test_shell(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"/opt/a-b_c,1.5:x=y@z%+", "/opt/a-b_c,1.5:x=y@z%+"},
        {"", "''"},
        {"a b", "'a b'"},
        {"it's", "'it'\\''s'"},
        {"$(rm x)", "'$(rm x)'"},
        {"a\nb", "'a\nb'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_strbuf b = {0};
        qsv_quote_shell(&b, rows[i][0]);
        assert_string_equal(b.text, rows[i][1]);
        qsv_strbuf_fini(&b);
    }
}

/* What a real shell makes of it. */
static void test_shell_agrees(void **state)
{
    (void)state;
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 5);
    for (int i = 0; i < 40; i++) {
        char text[64] = "", found[256] = "";
        size_t n = 1 + qsv_rng_below(&rng, sizeof text - 2);
        struct qsv_strbuf command = {0};
        for (size_t k = 0; k < n; k++) {
            uint64_t c = qsv_rng_below(&rng, 48);
            text[k] = c < 16 ? "'\"\\$`!#;&|*?~ \t\n"[c] : (char)(1 + qsv_rng_below(&rng, 126));
        }
        qsv_strbuf_puts(&command, "printf %s ");
        qsv_quote_shell(&command, text);
        FILE *f = popen(command.text, "r");
        assert_non_null(f);
        size_t read = fread(found, 1, sizeof found - 1, f);
        assert_int_equal(pclose(f), 0);
        assert_int_equal(read, n);
        assert_memory_equal(found, text, n);
        qsv_strbuf_fini(&command);
    }
}

/* As sbatch 22.05 was found to read it. */
static void test_sbatch(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"--time=0-01:00:00", "--time=0-01:00:00"},
        {"--comment=a b", "\"--comment=a b\""},
        {"--comment=a#b", "\"--comment=a#b\""},
        {"--constraint=[a|b]&c*2", "\"--constraint=[a|b]&c*2\""},
        {"--comment=\"a\" \\ it's", "\"--comment=\\\"a\\\" \\\\ it's\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_strbuf b = {0};
        qsv_quote_sbatch(&b, rows[i][0]);
        assert_string_equal(b.text, rows[i][1]);
        qsv_strbuf_fini(&b);
    }
}

static void test_pattern(void **state)
{
    (void)state;
    struct qsv_strbuf b = {0};
    qsv_quote_pattern(&b, "/a%j/100%");
    assert_string_equal(b.text, "/a%%j/100%%");
    qsv_strbuf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shell),
        cmocka_unit_test(test_shell_agrees),
        cmocka_unit_test(test_sbatch),
        cmocka_unit_test(test_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
