#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runner/base/chance.h"

/* Limits from numpy: floor(n * (p + 3 * sqrt(p * (1 - p) / n))). */
static void what_three_standard_errors_allow(void **state)
{
    (void)state;
    static const struct {
        uint32_t classes;
        uint64_t n_images, most;
    } rows[] = {
        {1000, 50000, 71}, {1000, 256, 1}, {10, 9000, 985}, {10, 150, 26}, {2, 500, 283},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(qsv_chance_is_likely(0, rows[i].n_images, rows[i].classes));
        assert_true(qsv_chance_is_likely(rows[i].most, rows[i].n_images, rows[i].classes));
        assert_false(qsv_chance_is_likely(rows[i].most + 1, rows[i].n_images, rows[i].classes));
    }
}

static void what_tells_nothing_is_no_chance(void **state)
{
    (void)state;
    assert_false(qsv_chance_is_likely(0, 0, 10));
    assert_false(qsv_chance_is_likely(0, 31, 10));
    assert_true(qsv_chance_is_likely(0, 32, 10));
    assert_false(qsv_chance_is_likely(1000, 1000, 1));
}

static void the_line_names_figures_and_the_remedy(void **state)
{
    (void)state;
    struct qsv_strbuf b = {0};
    qsv_chance_describe(&b, 1, 1024, 1000);
    assert_string_equal(
        b.text, "the network as it is answers 0.10 % of 1024 images right, no better than chance "
                "(0.10 % for 1000 classes): the data set's classes are probably in another order "
                "than the model's; look with qsvit dataset check");
    qsv_strbuf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_three_standard_errors_allow),
        cmocka_unit_test(what_tells_nothing_is_no_chance),
        cmocka_unit_test(the_line_names_figures_and_the_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
