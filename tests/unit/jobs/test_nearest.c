/* "Did you mean": near words are found, far ones are not offered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "jobs/nearest.h"

static void test_nearest(void **state)
{
    (void)state;
    static const char *const words[] = {"max_top1_drop", "max_bytes", "images",
                                        "first",         "ranks",     "run"};
    static const struct {
        const char *word, *nearest;
    } rows[] = {
        {"", NULL},
        {"x", NULL},
        {"nothing_like_it", NULL},
        {"rnu", "run"},  /* swapped: one edit */
        {"rnuks", NULL}, /* two edits from "ranks", in five letters */
        {"rank", "ranks"},
        {"imges", "images"},
        {"Images", "images"},
        {"fisrt", "first"},
        {"max_top1_drp", "max_top1_drop"},
        {"max-top1-drop", "max_top1_drop"},
        {"max_byte", "max_bytes"},
        {"max_top_1_drop_max_top_1_drop_max_top_1_drop_max_top_1_drop_max_top_1_drop", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *found = qsv_nearest(rows[i].word, words, sizeof words / sizeof *words);
        if (rows[i].nearest)
            assert_string_equal(found, rows[i].nearest);
        else
            assert_null(found);
    }
    assert_null(qsv_nearest("run", NULL, 0));
}

static void test_longest_words(void **state)
{
    (void)state;
    char word[65], close[65];
    memset(word, 'a', 64);
    memset(close, 'a', 64);
    word[64] = close[64] = '\0';
    close[10] = 'b';
    const char *words[] = {close};
    assert_ptr_equal(qsv_nearest(word, words, 1), close);
}

static void test_suggestions(void **state)
{
    (void)state;
    static const char list[] = "one of: frontier, qsvit, greedy";
    assert_string_equal(qsv_suggest("frontire", list).text, ", did you mean 'frontier'?");
    assert_string_equal(qsv_suggest("gredy", list).text, ", did you mean 'greedy'?");
    assert_string_equal(qsv_suggest("nothing", list).text, "");
    assert_string_equal(qsv_suggest("jsn", "table|csv|json").text, ", did you mean 'json'?");
    assert_string_equal(qsv_suggest("x", "").text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_longest_words),
        cmocka_unit_test(test_suggestions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
