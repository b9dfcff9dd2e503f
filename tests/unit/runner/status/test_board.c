#include "tests/unit/results/fixture.h"

#include <math.h>

#include "runner/status/board.h"

static const struct qsv_live live = {.attempt = 2,
                                     .workers = 8,
                                     .alive = 7,
                                     .step = "guided",
                                     .trials = 4,
                                     .images = 4096,
                                     .recorded = 100,
                                     .done = 600,
                                     .all = 1600,
                                     .passed_s = 2.5,
                                     .best_bits = 1.25,
                                     .best_drop = -0.5};

static void assert_says(const struct qsv_board *b, const char *text)
{
    struct qsv_strbuf out = {0};
    qsv_board_draw(&out, b);
    if (!strstr(out.text, text))
        fail_msg("'%s' does not say '%s'", out.text, text);
    qsv_strbuf_fini(&out);
}

/* One recorded run, looked at while its store is open. */
struct recorded {
    struct fixture f;
    struct qsv_store *store;
    struct qsv_reader *reader;
    struct qsv_state state;
};

static void setup(struct recorded *r)
{
    struct qsv_error err = {0};
    fixture_init(&r->f, 15);
    r->store = open_store(&r->f, NULL);
    assert_int_equal(qsv_store_begin_search(r->store, 7, "qsvit", "x", NULL), QSV_OK);
    ask(r->store, 0, "baseline", "all f32");
    record(r->store, &r->f, "1-1-1", 0, 0, 9);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        char name[16];
        ask(r->store, seed, seed == 1 ? "sensitivity" : "guided", "some");
        snprintf(name, sizeof name, "1-2-%u", (unsigned)seed);
        record(r->store, &r->f, name, seed, 7, 2);
    }
    const struct qsv_step step = {
        .name = "base", .decision = "hold", .why = "a \x1b[31mred\xc3\xa9 reason"};
    assert_int_equal(qsv_store_add_step(r->store, &step, NULL), QSV_OK);
    assert_int_equal(qsv_store_fold(r->store, NULL), QSV_OK);
    if (qsv_reader_open(&r->reader, r->f.folder, false, NULL, &err))
        fail_msg("%s", err.text);
    qsv_state_look(&r->state, r->reader, r->f.folder);
}

static void teardown(struct recorded *r)
{
    qsv_reader_close(r->reader);
    qsv_store_close(r->store, false, "asked to stop", NULL);
    fixture_fini(&r->f);
}

static void a_run_that_goes_on(void **state)
{
    (void)state;
    struct recorded r;
    struct qsv_situation s = {.goes_on = true, .has_live = true, .live = live, .age_s = 3};
    setup(&r);
    struct qsv_board b = {"runs/x", &r.state, &s, 5, 100, 40};
    assert_says(&b, "run        runs/x: running\n");
    assert_says(&b, "7 of 8 workers alive (3 s ago)\n");
    assert_says(&b, "step       guided: 4 trials on 4096 images (qsvit)\n");
    /* 600 of 1600; 500 since it began, in 2.5 s; 1000 are left at 200 a second. */
    assert_says(&b, "] 37 %, 200 images/s, 0:05 left of this step\n");
    assert_says(&b, "[################----------------------------]");
    assert_says(&b, "recorded   4 trials, 15 records, ");
    assert_says(&b, "best       so far 1.25 bits a weight, top-1 drop -0.50 points\n");
    assert_says(&b, "decided    base: hold (a ?[31mred?? reason)\n");
    struct qsv_strbuf line = {0};
    qsv_board_line(&line, &b);
    assert_string_equal(line.text,
                        "runs/x: running, guided: 4 trials on 4096 images, 37 %, 200 images/s, "
                        "0:05 left of this step, 7 of 8 workers; 15 records; best so far "
                        "1.25 bits a weight, top-1 drop -0.50 points\n");
    qsv_strbuf_fini(&line);
    teardown(&r);
}

/* f32 and the two guided trials, but not that of the sensitivity. */
static void the_curve_has_whole_settings(void **state)
{
    (void)state;
    struct recorded r;
    struct qsv_situation s = {.goes_on = true};
    struct qsv_strbuf out = {0};
    unsigned marks = 0;
    setup(&r);
    struct qsv_board b = {"runs/x", &r.state, &s, NAN, 100, 40};
    qsv_board_draw(&out, &b);
    const char *curve = strstr(out.text, "points of top-1 lost");
    assert_non_null(curve);
    for (const char *row = strstr(curve, " |"); row; row = strstr(row + 1, " |"))
        for (const char *c = row + 2; *c != '\n'; c++)
            marks += *c != ' ';
    assert_int_equal(marks, 3);
    qsv_strbuf_fini(&out);
    teardown(&r);
}

static void whatever_the_size_it_fits(void **state)
{
    (void)state;
    struct recorded r;
    struct qsv_situation s = {.goes_on = true, .has_live = true, .live = live};
    setup(&r);
    for (unsigned columns = 1; columns < 120; columns += 7)
        for (unsigned rows = 1; rows < 40; rows++) {
            struct qsv_board b = {"runs/x", &r.state, &s, 1, columns, rows};
            struct qsv_strbuf out = {0};
            unsigned lines = 0;
            qsv_board_draw(&out, &b);
            for (const char *at = out.text; *at; at += strcspn(at, "\n") + 1) {
                assert_in_range(strcspn(at, "\n"), 0, columns);
                lines++;
            }
            assert_in_range(lines, 1, rows);
            qsv_strbuf_fini(&out);
        }
    teardown(&r);
}

static void what_state_it_is_in(void **state)
{
    (void)state;
    struct qsv_situation s = {.submitted = true, .job = {.known = true, .id = "17"}};
    struct qsv_board b = {"runs/x", NULL, &s, NAN, 80, 24};
    assert_says(&b, "run        runs/x: waiting, job 17\n");
    assert_says(&b, "recorded   nothing yet\n");
    s.job.running = true;
    assert_string_equal(qsv_board_word(&b), "starting");
    s.goes_on = true;
    assert_string_equal(qsv_board_word(&b), "running");
    s = (struct qsv_situation){.submitted = false};
    assert_string_equal(qsv_board_word(&b), "empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_that_goes_on),
        cmocka_unit_test(the_curve_has_whole_settings),
        cmocka_unit_test(whatever_the_size_it_fits),
        cmocka_unit_test(what_state_it_is_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
