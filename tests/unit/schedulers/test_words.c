#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/base/alloc.h"
#include "schedulers/words.h"

static void test_list(void **state)
{
    (void)state;
    struct qsv_words w = {0};
    qsv_words_add(&w, "a b");
    qsv_words_addf(&w, "%s=%d", "n", 3);
    qsv_words_add_list(&w, (const char *const[]){"x", "", "y", NULL});
    static const char *const expected[] = {"a b", "n=3", "x", "", "y"};
    assert_int_equal(w.n, 5);
    for (size_t i = 0; i < w.n; i++)
        assert_string_equal(w.list[i], expected[i]);
    assert_null(w.list[w.n]);
    assert_false(w.failed);
    qsv_words_fini(&w);
    assert_null(w.list);
}

/* What does not fit is a failure, never a shortened word. */
static void test_long_words(void **state)
{
    (void)state;
    char text[400];
    struct qsv_words w = {0};
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    qsv_words_add(&w, text);
    assert_string_equal(w.list[0], text);
    assert_false(w.failed);
    qsv_words_addf(&w, "%s", text);
    assert_true(w.failed);
    qsv_words_fini(&w);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (long n = 1; n <= 3; n++) {
        struct qsv_words w = {0};
        qsv_alloc_fail_at(n);
        qsv_words_add(&w, "a");
        qsv_words_add(&w, "b");
        qsv_alloc_fail_at(0);
        assert_true(w.failed);
        qsv_words_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
