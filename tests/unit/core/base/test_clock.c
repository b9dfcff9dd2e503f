#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/clock.h"

static void test_utc(void **state)
{
    (void)state;
    static const struct {
        double unix_s;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z"},
        {0.999, "1970-01-01T00:00:00Z"},
        {951782400, "2000-02-29T00:00:00Z"},
        {1769860800, "2026-01-31T12:00:00Z"},
        {4102444799.5, "2099-12-31T23:59:59Z"},
        {-1, "1969-12-31T23:59:59Z"},
        {253402300799, "9999-12-31T23:59:59Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[24];
        qsv_clock_utc(rows[i].unix_s, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void test_nap_lasts_on_the_monotonic_clock(void **state)
{
    (void)state;
    double before = qsv_clock_monotonic_s();
    qsv_clock_nap_s(0.01);
    double after = qsv_clock_monotonic_s();
    assert_true(after - before >= 0.01);
    assert_true(qsv_clock_monotonic_s() >= after);
}

static void test_unix_time_is_this_century(void **state)
{
    (void)state;
    assert_true(qsv_clock_unix_s() > 1.7e9 && qsv_clock_unix_s() < 4.2e9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utc),
        cmocka_unit_test(test_nap_lasts_on_the_monotonic_clock),
        cmocka_unit_test(test_unix_time_is_this_century),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
