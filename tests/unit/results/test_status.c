#include "fixture.h"

#include <jansson.h>
#include <sys/wait.h>

#include "results/status.h"

static char *report(const char *path, int json)
{
    static struct qsv_strbuf out;
    struct qsv_error err = {0};
    qsv_strbuf_fini(&out);
    if (qsv_status_report(path, json, &out, NULL, &err))
        fail_msg("%s", err.text);
    return out.text;
}

static void assert_says(const char *path, const char *text)
{
    const char *found = report(path, 0);
    if (!strstr(found, text))
        fail_msg("'%s' does not say '%s'", found, text);
}

static void each_state_of_a_run_is_told(void **state)
{
    (void)state;
    struct fixture f;
    char path[128], holder[64];
    int status;
    fixture_init(&f, 15);
    struct qsv_store *s = open_store(&f, NULL);
    snprintf(holder, sizeof holder, "state      running, by process %ld on ", (long)getpid());
    assert_says(f.folder, holder);
    assert_says(f.folder, "selected   nothing yet");
    assert_int_equal(qsv_store_begin_search(s, 7, "qsvit", "x", NULL), QSV_OK);
    ask(s, 0, "baseline", "all f32");
    ask(s, 3, "guided", "three");
    record(s, &f, "1-1-1", 0, 0, 9);
    record(s, &f, "1-1-2", 3, 7, 2);
    assert_int_equal(qsv_store_fold(s, NULL), QSV_OK);
    assert_says(f.folder, "search     1 of 1: qsvit, last asked in step 'guided', 0 steps noted");
    assert_says(f.folder, "recorded   2 trials, 11 records, 93 images evaluated");
    uint8_t formats[N_LAYERS];
    assert_int_equal(qsv_store_select(s, make_setting(3, formats), false, NULL), QSV_OK);
    qsv_store_note_work(s, 2000, 900);
    qsv_store_note_waiting(s, 400, 1.6);
    assert_int_equal(qsv_store_close(s, false, "asked to stop", NULL), QSV_OK);
    assert_says(f.folder, "work       2000 layer forwards asked for, 900 done (45.0 %)\n");
    assert_says(f.folder, "images     workers waited 0.4 % of their time for them\n");
    assert_says(f.folder, "memory     a rank took up to 3 MiB\n");
    assert_says(f.folder, "state      ended: asked to stop\n");
    assert_says(f.folder, "(misses the constraint)");
    assert_says(f.folder, "on 15 deciding images (all)");
    snprintf(path, sizeof path, "%s/results.h5", f.folder);
    assert_says(path, "attempt    1, started ");

    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        open_store(&f, NULL);
        _exit(0);
    }
    waitpid(child, &status, 0);
    assert_says(f.folder, "state      killed, lock left by dead process ");
    assert_int_equal(qsv_store_close(open_store(&f, NULL), true, "complete", NULL), QSV_OK);
    assert_says(f.folder, "state      complete\n");
    assert_says(f.folder, "attempt    3, started ");
    fixture_fini(&f);
}

static void json_has_the_same(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 15);
    struct qsv_store *s = open_store(&f, NULL);
    assert_int_equal(qsv_store_begin_search(s, 7, "qsvit", "x", NULL), QSV_OK);
    ask(s, 3, "guided", "three");
    record(s, &f, "1-1-2", 3, 7, 2);
    json_t *o = json_loads(report(f.folder, 1), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(o, "state")), "running");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "holder"), "pid")),
                     getpid());
    assert_int_equal(json_integer_value(json_object_get(o, "images")), 15);
    assert_int_equal(json_integer_value(json_object_get(o, "records")), 2);
    assert_true(json_is_null(json_object_get(o, "selected")));
    json_decref(o);
    uint8_t formats[N_LAYERS];
    assert_int_equal(qsv_store_select(s, make_setting(3, formats), true, NULL), QSV_OK);
    qsv_store_note_work(s, 2000, 900);
    qsv_store_note_waiting(s, 400, 100);
    assert_int_equal(qsv_store_close(s, true, "complete", NULL), QSV_OK);
    o = json_loads(report(f.folder, 1), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(o, "state")), "complete");
    assert_string_equal(json_string_value(json_object_get(o, "step")), "guided");
    assert_int_equal(json_integer_value(json_object_get(o, "layer_forwards_asked")), 2000);
    assert_int_equal(json_integer_value(json_object_get(o, "layer_forwards_done")), 900);
    assert_true(json_real_value(json_object_get(o, "waited_part")) == 0.25);
    json_t *selected = json_object_get(o, "selected");
    assert_true(json_is_true(json_object_get(selected, "meets")));
    assert_int_equal(json_integer_value(json_object_get(selected, "n_images")), 15);
    assert_true(json_is_null(json_object_get(o, "holder")));
    json_decref(o);
    fixture_fini(&f);
}

/* What an error says may quote a path of another time's letters. */
static void json_takes_any_bytes(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 15);
    struct qsv_store *s = open_store(&f, NULL);
    assert_int_equal(qsv_store_begin_search(s, 7, "\xff", "x", NULL), QSV_OK);
    assert_int_equal(qsv_store_close(s, false, "no file 'caf\xe9'", NULL), QSV_OK);
    json_t *o = json_loads(report(f.folder, 1), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(o, "why")), "no file 'caf?'");
    assert_string_equal(json_string_value(json_object_get(o, "strategy")), "?");
    json_decref(o);
    fixture_fini(&f);
}

static void what_is_no_run_is_refused(void **state)
{
    (void)state;
    struct qsv_strbuf out = {0};
    assert_int_equal(qsv_status_report("/nonexistent", 0, &out, NULL, NULL), QSV_EINPUT);
    assert_int_equal(out.len, 0);
    qsv_strbuf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_of_a_run_is_told),
        cmocka_unit_test(json_has_the_same),
        cmocka_unit_test(json_takes_any_bytes),
        cmocka_unit_test(what_is_no_run_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
