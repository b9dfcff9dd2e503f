#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "runner/base/watch.h"

static struct qsv_error err;

static void one_falls_silent(void **state)
{
    (void)state;
    struct qsv_watch w;
    assert_int_equal(qsv_watch_init(&w, 2, 100, 1000, &err), QSV_OK);
    double silent_s = 0;
    for (double now_s = 1000; now_s < 1200; now_s += 1) {
        if ((int)now_s % 30 == 0)
            qsv_watch_heard(&w, 0, now_s);
        if (!qsv_watch_is_due(&w, now_s))
            continue;
        assert_false(qsv_watch_is_silent(&w, 0, now_s));
        if (!silent_s && qsv_watch_is_silent(&w, 1, now_s))
            silent_s = now_s;
    }
    assert_in_range((uintmax_t)silent_s, 1101, 1110);
    qsv_watch_fini(&w);
}

static void looks_are_rare(void **state)
{
    (void)state;
    struct qsv_watch w;
    int n = 0;
    assert_int_equal(qsv_watch_init(&w, 1, 100, 0, &err), QSV_OK);
    for (double now_s = 0; now_s < 100; now_s += 0.25)
        n += qsv_watch_is_due(&w, now_s);
    assert_in_range(n, 9, 10);
    qsv_watch_fini(&w);
}

/* 40 s of silence before and after a pause of an hour are 80 s. */
static void a_pause_does_not_count(void **state)
{
    (void)state;
    struct qsv_watch w;
    assert_int_equal(qsv_watch_init(&w, 1, 100, 0, &err), QSV_OK);
    for (double now_s = 10; now_s <= 40; now_s += 10)
        assert_true(qsv_watch_is_due(&w, now_s));
    assert_true(qsv_watch_is_due(&w, 3640));
    assert_false(qsv_watch_is_silent(&w, 0, 3640));
    for (double now_s = 3650; now_s <= 3680; now_s += 10)
        assert_true(qsv_watch_is_due(&w, now_s) && !qsv_watch_is_silent(&w, 0, now_s));
    assert_true(qsv_watch_is_silent(&w, 0, 3705));
    qsv_watch_fini(&w);
}

static void several_beats_fit_into_the_timeout(void **state)
{
    (void)state;
    for (double timeout_s = 1; timeout_s < 100000; timeout_s *= 3)
        assert_true(timeout_s / qsv_watch_beat_s(timeout_s) >= 4.9);
    assert_true(qsv_watch_beat_s(86400) == 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_falls_silent),
        cmocka_unit_test(looks_are_rare),
        cmocka_unit_test(a_pause_does_not_count),
        cmocka_unit_test(several_beats_fit_into_the_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
