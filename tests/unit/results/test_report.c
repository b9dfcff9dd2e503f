#include "fixture.h"

#include "core/base/alloc.h"
#include "results/json.h"
#include "results/query.h"
#include "results/report.h"

static const char spec[] = "model: m.h5\n"
                           "dataset:\n  images: a.h5\n"
                           "search:\n  formats: [int8, int4]\n"
                           "constraint:\n  max_top1_drop: 2.5\n"
                           "run: r\n";
static const char wild[] = "</script><img src=x onerror=alert(1)>";

static struct fixture f;

static void measure(struct qsv_store *s, uint64_t seed, uint32_t first, uint32_t n)
{
    for (uint32_t shard = first; shard < first + n; shard++) {
        struct qsv_record r = make_record(&f, seed, shard);
        assert_int_equal(qsv_store_add(s, &r, "none", NULL), QSV_OK);
    }
}

/* Shards 0 to 6 judge (63 images), 7 and 8 decide (15). Setting 1 is selected; `first` asks for 1
 * on two shards and 2 on one, `second` for 1 again, on all, and 3. A search before it asked for 2.
 */
static int make_run(void **state)
{
    (void)state;
    fixture_init(&f, 15);
    f.layers[1].name = (char *)wild;
    struct qsv_store *s = open_store(&f, NULL);
    assert_int_equal(qsv_store_begin_search(s, 7, "uniform", "no spec", NULL), QSV_OK);
    ask(s, 2, "first", "two");
    assert_int_equal(qsv_store_begin_search(s, 8, "frontier", spec, NULL), QSV_OK);
    ask(s, 0, "baseline", "all f32");
    measure(s, 0, 0, 9);
    ask(s, 1, "first", wild);
    ask(s, 2, "first", "two");
    ask(s, 1, "second", "one again");
    ask(s, 3, "second", "three");
    measure(s, 1, 0, 7);
    measure(s, 1, 7, 2);
    measure(s, 2, 7, 1);
    measure(s, 3, 7, 1);
    uint8_t formats[N_LAYERS];
    uint64_t chosen = make_setting(1, formats);
    const struct qsv_step step = {
        .name = "select", .trial_id = chosen, .decision = wild, .why = "it fits"};
    assert_int_equal(qsv_store_add_step(s, &step, NULL), QSV_OK);
    assert_int_equal(qsv_store_select(s, chosen, true, NULL), QSV_OK);
    return qsv_store_close(s, true, "complete", NULL);
}

static int remove_run(void **state)
{
    (void)state;
    fixture_fini(&f);
    return 0;
}

static json_t *report(struct qsv_reader **r)
{
    struct qsv_error err = {0};
    json_t *run = NULL;
    if (qsv_reader_open(r, f.folder, true, NULL, &err) || qsv_report_run(&run, *r, &err))
        fail_msg("%s", err.text);
    return run;
}

static const char *text_of(json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static long long count_of(json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void trials_are_those_of_query(void **state)
{
    (void)state;
    const struct qsv_query q = {.path = f.folder, .columns = "all", .format = QSV_QUERY_JSON};
    struct qsv_strbuf text = {0};
    struct qsv_error err = {0};
    struct qsv_reader *r;
    json_t *run = report(&r), *trials = json_object_get(run, "trials"), *listed;
    assert_int_equal(qsv_query_run(&q, &text, &err), QSV_OK);
    assert_int_equal(qsv_json_parse(&listed, &text, &err), QSV_OK);
    assert_int_equal(json_array_size(listed), 4);
    assert_int_equal(json_array_size(trials), 4);
    for (size_t i = 0; i < 4; i++) {
        json_t *trial = json_array_get(trials, i);
        const char *setting = text_of(trial, "setting");
        assert_int_equal(strlen(setting), N_LAYERS);
        for (int k = 0; k < N_LAYERS; k++) {
            size_t format = (size_t)(setting[k] <= '9' ? setting[k] - '0' : setting[k] - 'a' + 10);
            assert_int_equal(format, qsv_reader_trial(r, i)->formats[k]);
        }
        assert_int_equal(json_object_del(trial, "setting"), 0);
        const char *uniform = text_of(trial, "uniform");
        assert_string_equal(uniform ? uniform : "", i == 1 ? "f32" : "");
        assert_int_equal(json_object_del(trial, "uniform"), 0);
        assert_true(json_equal(trial, json_array_get(listed, i)));
    }
    json_decref(listed);
    json_decref(run);
    qsv_strbuf_fini(&text);
    qsv_reader_close(r);
}

static void the_head_describes_the_run(void **state)
{
    (void)state;
    struct qsv_reader *r;
    json_t *run = report(&r);
    char id[17];
    uint8_t formats[N_LAYERS];
    assert_string_equal(text_of(run, "name"), strrchr(f.folder, '/') + 1);
    snprintf(id, sizeof id, "%016llx", (unsigned long long)make_setting(1, formats));
    assert_string_equal(text_of(run, "selected"), id);
    assert_true(json_is_true(json_object_get(run, "complete")));
    assert_int_equal(count_of(json_object_get(run, "images"), "judge"), 63);
    assert_int_equal(count_of(json_object_get(run, "images"), "decide"), 15);
    assert_int_equal(count_of(json_object_get(run, "f32"), "weights_bytes"),
                     4 * count_of(json_object_get(run, "f32"), "n_weights"));
    assert_int_equal(json_array_size(json_object_get(run, "layers")), N_LAYERS);
    assert_string_equal(text_of(json_array_get(json_object_get(run, "layers"), 1), "name"), wild);
    assert_int_equal(json_array_size(json_object_get(run, "sensitivity")), 0);
    json_decref(run);
    qsv_reader_close(r);
}

static void runs_are_called_by_their_folder(void **state)
{
    (void)state;
    static const char *const ends[] = {"", "/", "//", "/results.h5"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct qsv_error err = {0};
        struct qsv_reader *r;
        json_t *run;
        assert_int_equal(
            qsv_reader_open(&r, path_in(&f, ends[i] + (*ends[i] == '/')), true, NULL, &err),
            QSV_OK);
        assert_int_equal(qsv_report_run(&run, r, &err), QSV_OK);
        assert_string_equal(text_of(run, "name"), strrchr(f.folder, '/') + 1);
        json_decref(run);
        qsv_reader_close(r);
    }
}

static void firing_rates_are_over_the_same_images(void **state)
{
    (void)state;
    struct qsv_reader *r;
    json_t *run = report(&r);
    for (int lif = 0; lif < N_LIFS; lif++) {
        json_t *row = json_array_get(json_object_get(run, "lifs"), (size_t)lif);
        const double neurons = 8.0 * (4 - lif) * 4, samples = neurons * 4 * 63;
        double spikes[2] = {0, 0};
        for (uint64_t seed = 0; seed < 2; seed++)
            for (uint32_t shard = 0; shard < 7; shard++) {
                struct qsv_record record = make_record(&f, seed, shard);
                spikes[seed] += (double)record.lif_spikes[lif];
                qsv_record_fini(&record);
            }
        assert_true(json_real_value(json_object_get(row, "baseline")) == spikes[0] / samples);
        assert_true(json_real_value(json_object_get(row, "selected")) == spikes[1] / samples);
    }
    json_decref(run);
    qsv_reader_close(r);
}

static void assert_asked(json_t *asked, size_t i, const char *step, int trials, int images)
{
    json_t *row = json_array_get(asked, i);
    assert_string_equal(text_of(row, "step"), step);
    assert_int_equal(count_of(row, "trials"), trials);
    assert_int_equal(count_of(row, "images"), images);
    /* 0.5 s a record */
    assert_true(json_is_real(json_object_get(row, "wall_s")));
}

static void work_counts_where_it_was_asked_for_first(void **state)
{
    (void)state;
    struct qsv_reader *r;
    json_t *run = report(&r), *searches = json_object_get(run, "searches");
    assert_int_equal(json_array_size(searches), 2);
    json_t *old = json_array_get(searches, 0), *now = json_array_get(searches, 1);
    json_t *asked = json_object_get(now, "asked");
    assert_true(json_is_false(json_object_get(old, "current")));
    assert_true(json_is_null(json_object_get(old, "meets")));
    assert_int_equal(json_object_size(json_object_get(old, "constraint")), 0);
    assert_asked(json_object_get(old, "asked"), 0, "first", 1, 10);
    assert_true(json_is_true(json_object_get(now, "current")));
    assert_true(json_is_true(json_object_get(now, "meets")));
    assert_int_equal(json_array_size(asked), 3);
    assert_asked(asked, 0, "baseline", 1, 78);
    assert_asked(asked, 1, "first", 2, 78 + 10);
    assert_asked(asked, 2, "second", 1, 10);
    json_t *step = json_array_get(json_object_get(now, "steps"), 0);
    assert_string_equal(text_of(step, "decision"), wild);
    assert_string_equal(text_of(step, "why"), "it fits");
    json_t *constraint = json_object_get(now, "constraint");
    assert_true(json_real_value(json_object_get(constraint, "max_top1_drop")) == 2.5);
    assert_true(json_is_null(json_object_get(constraint, "max_bytes")));
    json_decref(run);
    qsv_reader_close(r);
}

/* Out of memory anywhere: told, and nothing is left over. */
static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct qsv_error err = {0};
    struct qsv_reader *r;
    enum qsv_status st = QSV_ENOMEM;
    json_t *run;
    assert_int_equal(qsv_reader_open(&r, f.folder, true, NULL, &err), QSV_OK);
    for (long n = 1; st; n++) {
        assert_true(n < 10000);
        qsv_alloc_fail_at(n);
        st = qsv_report_run(&run, r, &err);
        qsv_alloc_fail_at(0);
        if (st) {
            assert_int_equal(st, QSV_ENOMEM);
            assert_null(run);
        }
    }
    json_decref(run);
    qsv_reader_close(r);
}

static void columns_have_units(void **state)
{
    (void)state;
    json_t *columns = qsv_report_columns();
    assert_string_equal(text_of(json_object_get(columns, "top1_drop"), "unit"), "points");
    assert_true(json_is_null(json_object_get(json_object_get(columns, "trial"), "unit")));
    json_decref(columns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trials_are_those_of_query),
        cmocka_unit_test(the_head_describes_the_run),
        cmocka_unit_test(runs_are_called_by_their_folder),
        cmocka_unit_test(firing_rates_are_over_the_same_images),
        cmocka_unit_test(work_counts_where_it_was_asked_for_first),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(columns_have_units),
    };
    return cmocka_run_group_tests(tests, make_run, remove_run);
}
