#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "runner/status/progress.h"

static double now_s;
static char *text;
static size_t length;
static FILE *out;

static double clock_now(void *context)
{
    (void)context;
    return now_s;
}

static const struct qsv_clock test_clock = {NULL, clock_now, clock_now, NULL};

static struct qsv_progress *begin(bool terminal)
{
    now_s = 1000;
    out = open_memstream(&text, &length);
    assert_non_null(out);
    struct qsv_progress *p = qsv_progress_create(out, terminal, &test_clock);
    assert_non_null(p);
    return p;
}

static void expect(const char *expected)
{
    fflush(out);
    assert_string_equal(text, expected);
}

static void end(struct qsv_progress *p)
{
    qsv_progress_destroy(p);
    fclose(out);
    free(text);
}

static void a_log_gets_a_line_every_few_seconds(void **state)
{
    (void)state;
    struct qsv_progress *p = begin(false);
    qsv_progress_begin(p, "guided", 4, 1000, 1000, 5000);
    for (int i = 0; i < 90; i++) {
        now_s += 0.125;
        qsv_progress_add(p, 20);
        qsv_progress_tick(p);
    }
    /* 80 x 20 forwards in 10 s, 2,400 left. */
    expect("guided: 4 trials on 1000 images, 52 %, 160 images/s, 0:15 left\n");
    qsv_progress_best(p, 1.284, 1.307);
    now_s += 9;
    qsv_progress_add(p, 2200);
    qsv_progress_tick(p);
    assert_non_null(strstr(text, "; best so far 1.28 bits, 1.31 points\n"));
    end(p);
}

static void a_step_ends_with_a_line(void **state)
{
    (void)state;
    struct qsv_progress *p = begin(false);
    qsv_progress_begin(p, "base", 1, 96, 0, 192);
    now_s += 2;
    qsv_progress_add(p, 192);
    qsv_progress_end(p);
    expect("base: 1 trial on 96 images in 0:02, 96 images/s\n");
    qsv_progress_begin(p, "base", 2, 96, 192, 192);
    qsv_progress_end(p);
    expect("base: 1 trial on 96 images in 0:02, 96 images/s\n"
           "base: 2 trials on 96 images: recorded already\n");
    end(p);
}

static void a_terminal_gets_a_line_that_moves(void **state)
{
    (void)state;
    struct qsv_progress *p = begin(true);
    qsv_progress_begin(p, "base", 1, 96, 0, 200);
    qsv_progress_tick(p);
    expect("");
    now_s += 1;
    qsv_progress_add(p, 100);
    qsv_progress_tick(p);
    expect("\rbase: 1 trial on 96 images, 50 %, 100 images/s, 0:01 left\033[K");
    qsv_progress_tick(p); /* not before it is time again */
    qsv_progress_say(p, "base: lower: %d groups", 3);
    expect("\rbase: 1 trial on 96 images, 50 %, 100 images/s, 0:01 left\033[K"
           "\r\033[Kbase: lower: 3 groups\n");
    end(p);
}

static void long_times_have_hours(void **state)
{
    (void)state;
    struct qsv_progress *p = begin(false);
    qsv_progress_begin(p, "select", 1, 50000, 0, 50000);
    now_s += 3600;
    qsv_progress_add(p, 20000);
    qsv_progress_tick(p);
    expect("select: 1 trial on 50000 images, 40 %, 6 images/s, 1:30:00 left\n");
    end(p);
}

static void nothing_is_shown_without_one(void **state)
{
    (void)state;
    qsv_progress_begin(NULL, "base", 1, 1, 0, 1);
    qsv_progress_add(NULL, 1);
    qsv_progress_tick(NULL);
    qsv_progress_end(NULL);
    qsv_progress_say(NULL, "x");
    qsv_progress_best(NULL, 1, 1);
    qsv_progress_clear(NULL);
    qsv_progress_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_gets_a_line_every_few_seconds),
        cmocka_unit_test(a_step_ends_with_a_line),
        cmocka_unit_test(a_terminal_gets_a_line_that_moves),
        cmocka_unit_test(long_times_have_hours),
        cmocka_unit_test(nothing_is_shown_without_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
