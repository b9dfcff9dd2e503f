#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/rng.h"
#include "runner/status/live.h"
#include "runner/transport/transport_loop.h"

static const struct qsv_live example = {.unix_s = 1700000000.125,
                                        .attempt = 3,
                                        .workers = 8,
                                        .alive = 7,
                                        .step = "guided search",
                                        .trials = 4,
                                        .images = 4096,
                                        .recorded = 100,
                                        .done = 600,
                                        .all = 16384,
                                        .passed_s = 2.5,
                                        .worked_s = 20,
                                        .waited_s = 0.125,

                                        .best_bits = 1.25,
                                        .best_drop = -0.5};

static void assert_same(const struct qsv_live *a, const struct qsv_live *b)
{
    assert_true(a->unix_s == b->unix_s);
    assert_int_equal(a->attempt, b->attempt);
    assert_int_equal(a->workers, b->workers);
    assert_int_equal(a->alive, b->alive);
    assert_string_equal(a->step, b->step);
    assert_int_equal(a->trials, b->trials);
    assert_int_equal(a->images, b->images);
    assert_int_equal(a->recorded, b->recorded);
    assert_int_equal(a->done, b->done);
    assert_int_equal(a->all, b->all);
    assert_true(a->passed_s == b->passed_s);
    assert_true(a->worked_s == b->worked_s && a->waited_s == b->waited_s);
    assert_true(a->best_bits == b->best_bits && a->best_drop == b->best_drop);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct qsv_live l, none = {.unix_s = 5};
    struct qsv_strbuf b = {0};
    qsv_live_format(&b, &example);
    assert_true(qsv_live_parse(&l, b.text));
    assert_same(&l, &example);
    assert_true(qsv_live_rate(&l) == 200);
    qsv_strbuf_fini(&b);
    qsv_live_format(&b, &none); /* before the first call */
    assert_true(qsv_live_parse(&l, b.text));
    assert_same(&l, &none);
    assert_true(qsv_live_rate(&l) == 0);
    qsv_strbuf_fini(&b);
}

static void what_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "qsvit", "qsvit live x\nattempt 1\n",
        /* more done than there is, less done than was recorded */
        "qsvit live 1\nattempt 1\nworkers 1 alive 1\ntrials 1 images 1\nrecorded 1 done 9 all 8 in "
        "1 s\nworked 1 s waited 1 s\nstep a\nbest 0 bits 0 points\n",
        "qsvit live 1\nattempt 1\nworkers 1 alive 1\ntrials 1 images 1\nrecorded 5 done 4 all 8 in "
        "1 s\nworked 1 s waited 1 s\nstep a\nbest 0 bits 0 points\n"};
    struct qsv_live l;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(qsv_live_parse(&l, texts[i]));
}

static void mutations_do_no_harm(void **state)
{
    (void)state;
    struct qsv_strbuf b = {0};
    struct qsv_rng rng;
    qsv_rng_seed(&rng, 9);
    qsv_live_format(&b, &example);
    for (int i = 0; i < 10000 + (int)b.len; i++) {
        struct qsv_live l;
        char *text = strdup(b.text);
        assert_non_null(text);
        if (i < (int)b.len)
            text[i] = '\0';
        for (uint64_t k = qsv_rng_below(&rng, 4); k && i >= (int)b.len; k--)
            text[qsv_rng_below(&rng, b.len)] = (char)qsv_rng_next(&rng);
        if (qsv_live_parse(&l, text))
            assert_true(l.recorded <= l.done && l.done <= l.all && strlen(l.step) < sizeof l.step);
        free(text);
    }
    qsv_strbuf_fini(&b);
}

static double now_s = 100;

static double clock_now(void *context)
{
    (void)context;
    return now_s;
}

static double clock_unix(void *context)
{
    (void)context;
    return 1700000000 + now_s;
}

static void clock_nap(void *context, double seconds)
{
    (void)context;
    now_s += seconds;
}

static void it_is_written_every_few_seconds(void **state)
{
    (void)state;
    const struct qsv_clock clock = {NULL, clock_now, clock_unix, clock_nap};
    char folder[] = "/tmp/qsvit-live.XXXXXX";
    struct qsv_loop *loop;
    struct qsv_coordinator *c;
    struct qsv_partition partition;
    struct qsv_live l;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(qsv_loop_create(&loop, 4, NULL), QSV_OK);
    assert_int_equal(qsv_partition_init(&partition, 100, 0, 10, 1, NULL), QSV_OK);
    const struct qsv_coordinator_setup setup = {.transport = qsv_loop_end(loop, 0),
                                                .clock = &clock,
                                                .partition = &partition,
                                                .shape = {2, 1, 3},
                                                .task_seconds = 1};
    assert_int_equal(qsv_coordinator_create(&c, &setup, NULL), QSV_OK);
    FILE *null = fopen("/dev/null", "w");
    struct qsv_progress *p = qsv_progress_create(null, false, &clock);
    struct qsv_live_writer w = {.clock = &clock, .coordinator = c, .progress = p, .attempt = 2};
    assert_false(qsv_live_read(&l, folder));
    qsv_live_begin(&w, folder);
    qsv_progress_begin(p, "base", 5, 40, 10, 200);
    qsv_progress_best(p, 2.5, 0.75);
    qsv_live_tick(&w);
    assert_true(qsv_live_read(&l, folder));
    assert_same(&l, &(struct qsv_live){.unix_s = 1700000100,
                                       .attempt = 2,
                                       .workers = 3,
                                       .step = "base",
                                       .trials = 5,
                                       .images = 40,
                                       .recorded = 10,
                                       .done = 10,
                                       .all = 200,
                                       .best_bits = 2.5,
                                       .best_drop = 0.75});
    now_s += 2;
    qsv_progress_add(p, 40);
    qsv_live_tick(&w);
    assert_true(qsv_live_read(&l, folder));
    assert_int_equal(l.done, 10);
    now_s += 4;
    qsv_live_tick(&w);
    assert_true(qsv_live_read(&l, folder));
    assert_int_equal(l.done, 50);
    assert_true(l.passed_s == 6);
    qsv_live_end(&w);
    assert_false(qsv_live_read(&l, folder));
    qsv_live_tick(&w); /* no harm */
    qsv_live_tick(NULL);
    assert_int_equal(rmdir(folder), 0); /* nothing is left over */
    qsv_progress_destroy(p);
    fclose(null);
    qsv_coordinator_destroy(c);
    qsv_partition_fini(&partition);
    qsv_loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_is_none),
        cmocka_unit_test(mutations_do_no_harm),
        cmocka_unit_test(it_is_written_every_few_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
