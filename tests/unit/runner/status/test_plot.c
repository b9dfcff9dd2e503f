#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "runner/status/plot.h"

static const struct qsv_plot_point points[] = {
    {100, 10, '.'}, {10000, 0, 'B'}, {1000, 5, 'o'}, {200, 50, '.'}};

static void it_is_drawn_to_scale(void **state)
{
    (void)state;
    struct qsv_strbuf out = {0};
    qsv_plot_draw(&out, &(struct qsv_plot){.points = points,
                                           .n = 4,
                                           .y_most = 10,
                                           .y_line = 2.5,
                                           .title = "loss over size",
                                           .columns = 41,
                                           .rows = 8});
    /* x by its logarithm: 100 at the left, 1000 in the middle, 10000 at the right; what lies above
     * the upper edge stands on it, 200 at 0.15 of the width. */
    assert_string_equal(out.text, "loss over size\n"
                                  " 10.00 |.    .\n"
                                  "       |\n"
                                  "       |                o\n"
                                  "       |---------------------------------\n"
                                  "  0.00 |                                B\n"
                                  "       +---------------------------------\n"
                                  "        100                         10000\n");
    qsv_strbuf_fini(&out);
}

static void one_point_has_a_place(void **state)
{
    (void)state;
    struct qsv_strbuf out = {0};
    qsv_plot_draw(&out, &(struct qsv_plot){.points = points,
                                           .n = 1,
                                           .y_most = -1,
                                           .y_line = NAN,
                                           .title = "t",
                                           .columns = 40,
                                           .rows = 7});
    assert_non_null(out.text);
    qsv_strbuf_fini(&out);
}

static void nothing_where_there_is_no_room(void **state)
{
    (void)state;
    struct qsv_strbuf out = {0};
    struct qsv_plot p = {
        .points = points, .n = 4, .y_line = NAN, .title = "t", .columns = 39, .rows = 20};
    qsv_plot_draw(&out, &p);
    p.columns = 80;
    p.rows = 6;
    qsv_plot_draw(&out, &p);
    p.rows = 20;
    p.n = 0;
    qsv_plot_draw(&out, &p);
    assert_int_equal(out.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_drawn_to_scale),
        cmocka_unit_test(one_point_has_a_place),
        cmocka_unit_test(nothing_where_there_is_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
