#include "fixture.h"

#include <jansson.h>

#include "core/base/alloc.h"
#include "results/query.h"

/* Uniform trials on all 63 judging images, one on deciding images only, one on neither's all:
 *   int8  drop -1/63   (baseline, int8, int4, int2 are on the Pareto front, int3 is not)
 *   int4  drop  2/63
 *   int3  drop  9/63
 *   int2  drop  9/63
 *   f16   15 deciding images;  binary  10 judging images
 */
static void judge(struct qsv_store *s, const struct fixture *f, enum qsv_format format,
                  uint32_t won, uint32_t lost)
{
    uint8_t formats[N_LAYERS];
    memset(formats, (int)format, sizeof formats);
    for (uint32_t shard = 0; shard < 7; shard++) {
        struct counts c = {3, shard ? 0 : won, 0, 0.5, 1};
        if (shard && shard < 6)
            c.only_baseline = lost > 5 ? 5 : lost;
        lost -= c.only_baseline;
        struct qsv_record r = plain_record(f, format == QSV_F32 ? 0 : 1, shard, c);
        r.trial_id = qsv_setting_id(formats, N_LAYERS);
        assert_int_equal(qsv_store_add(s, &r, "none", NULL), QSV_OK);
    }
}

static void measure(struct qsv_store *s, const struct fixture *f, enum qsv_format format,
                    uint32_t first, uint32_t n, double kl)
{
    uint8_t formats[N_LAYERS];
    memset(formats, (int)format, sizeof formats);
    for (uint32_t shard = first; shard < first + n; shard++) {
        struct counts c = {2, 0, 1, kl, 1};
        if (format == QSV_F32)
            c.only_baseline = 0;
        struct qsv_record r = plain_record(f, format == QSV_F32 ? 0 : 1, shard, c);
        r.trial_id = qsv_setting_id(formats, N_LAYERS);
        assert_int_equal(qsv_store_add(s, &r, "none", NULL), QSV_OK);
    }
}

static struct fixture f;

static int make_run(void **state)
{
    (void)state;
    fixture_init(&f, 15);
    struct qsv_store *s = open_store(&f, NULL);
    assert_int_equal(qsv_store_begin_search(s, 7, "qsvit", "spec", NULL), QSV_OK);
    uint64_t baseline = ask_uniform(s, QSV_F32, "baseline", "all f32", 0);
    judge(s, &f, QSV_F32, 0, 0);
    measure(s, &f, QSV_F32, 7, 2, 0);
    ask_uniform(s, QSV_INT8, "base", "all int8", baseline);
    judge(s, &f, QSV_INT8, 3, 2);
    ask_uniform(s, QSV_INT4, "guided", "all int4, \"best\"", baseline);
    judge(s, &f, QSV_INT4, 1, 3);
    ask_uniform(s, QSV_INT3, "guided", "all int3", baseline);
    judge(s, &f, QSV_INT3, 0, 9);
    ask_uniform(s, QSV_INT2, "guided", "all int2", baseline);
    judge(s, &f, QSV_INT2, 0, 9);
    ask_uniform(s, QSV_F16, "sensitivity", "stem at f16", baseline);
    measure(s, &f, QSV_F16, 7, 2, 0.75);
    ask_uniform(s, QSV_BINARY, "sensitivity", "block at x at binary", baseline);
    measure(s, &f, QSV_BINARY, 0, 1, 5);
    /* Asked for in this step too, if first in another. */
    ask_uniform(s, QSV_INT8, "sensitivity", "stem at int8", baseline);
    uint8_t formats[N_LAYERS];
    memset(formats, QSV_INT4, sizeof formats);
    assert_int_equal(qsv_store_select(s, qsv_setting_id(formats, N_LAYERS), true, NULL), QSV_OK);
    return qsv_store_close(s, true, "complete", NULL);
}

static int remove_run(void **state)
{
    (void)state;
    fixture_fini(&f);
    return 0;
}

static char *ask_query(struct qsv_query q)
{
    static struct qsv_strbuf out;
    struct qsv_error err = {0};
    qsv_strbuf_fini(&out);
    q.path = f.folder;
    if (qsv_query_run(&q, &out, &err))
        fail_msg("%s", err.text);
    return out.text;
}

/* The descriptions of the rows, without "all ", separated by spaces. */
static void expect(struct qsv_query q, const char *expected)
{
    char found[256] = "", *save = NULL;
    q.columns = "formats";
    q.format = QSV_QUERY_CSV;
    char *line = strtok_r(ask_query(q), "\r\n", &save);
    while ((line = strtok_r(NULL, "\r\n", &save))) {
        strcat(found, found[0] ? " " : "");
        strncat(found, line, strcspn(line, ":"));
    }
    assert_string_equal(found, expected);
}

static void conditions_order_and_limit(void **state)
{
    (void)state;
    expect((struct qsv_query){0}, "f32 int8 int4 int3 int2 f16 binary");
    expect((struct qsv_query){.limit = 2}, "f32 int8");
    expect((struct qsv_query){.where = "top1_drop < 3.2 and avg_bits < 32"}, "int8 int4");
    expect((struct qsv_query){.where = "step == 'guided' and not selected"}, "int3 int2");
    expect((struct qsv_query){.where = "n_images < 63"}, "f16 binary");
    expect((struct qsv_query){.where = "baseline or selected"}, "f32 int4");
    expect((struct qsv_query){.sort = "model_bytes"}, "binary int2 int3 int4 int8 f16 f32");
    expect((struct qsv_query){.sort = "-model_bytes", .limit = 3}, "f32 f16 int8");
    expect((struct qsv_query){.sort = "-top1_drop,avg_bits",
                              .where = "all_images and images == "
                                       "'judge'"},
           "int2 int3 int4 f32 int8");
    expect((struct qsv_query){.where = "1 == 2"}, "");
}

static void one_set_of_images_can_be_asked_for(void **state)
{
    (void)state;
    expect((struct qsv_query){.images = QSV_QUERY_JUDGE}, "f32 int8 int4 int3 int2 binary");
    expect((struct qsv_query){.images = QSV_QUERY_DECIDE}, "f32 f16");
    expect((struct qsv_query){.images = QSV_QUERY_DECIDE, .where = "n_images == 15"}, "f32 f16");
}

static void the_pareto_front_is_what_nothing_beats(void **state)
{
    (void)state;
    /* int3 loses as much as int2 and is larger; f32 loses more than int8; f16 and binary are not
     * measured on every judging image. */
    expect((struct qsv_query){.pareto = true}, "int2 int4 int8");
    expect((struct qsv_query){.pareto = true, .sort = "-model_bytes"}, "int8 int4 int2");
    expect((struct qsv_query){.pareto = true, .where = "formats != 'int8:6'"}, "int2 int4 f32");
    expect((struct qsv_query){.pareto = true, .images = QSV_QUERY_DECIDE}, "f16 f32");
    expect((struct qsv_query){.pareto = true, .where = "avg_bits > 100"}, "");
}

static void points_of_the_front_have_intervals(void **state)
{
    (void)state;
    struct qsv_query q = {.pareto = true, .format = QSV_QUERY_CSV};
    const char *text = ask_query(q);
    assert_non_null(strstr(text, ",top1_drop,drop_low,drop_high,"));
    q.columns = "top1_drop,drop_low,drop_high";
    text = ask_query(q);
    size_t points = 0;
    for (const char *line = strstr(text, "\r\n"); line && line[2];
         line = strstr(line + 2, "\r\n")) {
        double drop, low, high;
        assert_int_equal(sscanf(line + 2, "%lf,%lf,%lf", &drop, &low, &high), 3);
        assert_true(low < drop && drop < high);
        points++;
    }
    assert_int_equal(points, 3);
}

static void figures_come_out_as_they_are(void **state)
{
    (void)state;
    char *text = ask_query(
        (struct qsv_query){.where = "selected", .format = QSV_QUERY_JSON, .columns = "all"});
    json_t *rows = json_loads(text, 0, NULL), *row = json_array_get(rows, 0);
    assert_int_equal(json_array_size(rows), 1);
    assert_string_equal(json_string_value(json_object_get(row, "description")),
                        "all int4, \"best\"");
    assert_true(json_number_value(json_object_get(row, "top1_drop")) == 100.0 * 2 / 63);
    assert_int_equal(json_integer_value(json_object_get(row, "n_images")), 63);
    assert_int_equal(json_integer_value(json_object_get(row, "only_baseline")), 3);
    assert_int_equal(json_integer_value(json_object_get(row, "only_trial")), 1);
    assert_string_equal(json_string_value(json_object_get(row, "formats")), "int4:6");
    assert_string_equal(json_string_value(json_object_get(row, "images")), "judge");
    assert_true(json_number_value(json_object_get(row, "ac_ops")) == 100.0 * N_SITES);
    assert_int_equal(json_object_size(row), 35);
    json_decref(rows);
}

static void csv_quotes_and_leaves_out_what_is_missing(void **state)
{
    (void)state;
    char expected[128];
    uint8_t f32[N_LAYERS];
    snprintf(expected, sizeof expected,
             "description,n_images,parent\r\n\"all int4, \"\"best\"\"\",63,%016llx\r\n",
             (unsigned long long)make_setting(0, f32));
    assert_string_equal(ask_query((struct qsv_query){.where = "selected",
                                                     .columns = "description,n_images,parent",
                                                     .format = QSV_QUERY_CSV}),
                        expected);
    assert_string_equal(ask_query((struct qsv_query){.where = "baseline",
                                                     .columns = "parent,drop_low,step",
                                                     .format = QSV_QUERY_CSV}),
                        "parent,drop_low,step\r\n,0,baseline\r\n");
    assert_string_equal(ask_query((struct qsv_query){.where = "description == 'all int8'",
                                                     .columns = "kl_error",
                                                     .format = QSV_QUERY_CSV}),
                        "kl_error\r\n0.029090829893813487\r\n");
}

static void sensitivity_is_a_matrix(void **state)
{
    (void)state;
    /* int8 was judged only; f16 decided: 1.5 / 15; binary 5 / 10. */
    assert_string_equal(ask_query((struct qsv_query){.sensitivity = true}),
                        "group            f16      int8    binary\n"
                        "            KL, nats  KL, nats  KL, nats\n"
                        "stem             0.1    0.0556         -\n"
                        "block at x         -         -       0.5\n");
    assert_string_equal(ask_query((struct qsv_query){.sensitivity = true,
                                                     .images = QSV_QUERY_DECIDE,
                                                     .format = QSV_QUERY_CSV}),
                        "group,f16,int8,binary\r\nstem,0.1,,\r\nblock at x,,,\r\n");
}

static void a_setting_reads_back(void **state)
{
    (void)state;
    char path[128];
    uint8_t formats[N_LAYERS];
    char *text = ask_query((struct qsv_query){.setting = "best"});
    assert_non_null(strstr(text, "# trial "));
    assert_non_null(strstr(text, "on 63 of 63 judging images: top-1 33.33 %, drop 3.17 points"));
    snprintf(path, sizeof path, "%s/setting.yaml", f.folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(qsv_setting_read(path, &f.model.graph, formats, NULL), QSV_OK);
    for (int i = 0; i < N_LAYERS; i++)
        assert_int_equal(formats[i], QSV_INT4);
}

static void mistakes_are_told(void **state)
{
    (void)state;
    const struct {
        struct qsv_query q;
        enum qsv_status code;
        const char *message;
    } cases[] = {
        {{.where = "top1_drp < 1"}, QSV_EINPUT, "--where: character 1: there is no column"},
        {{.sort = "avg_bit"},
         QSV_EINPUT,
         "--sort: there is no column 'avg_bit'; did you mean "
         "'avg_bits'?"},
        {{.sort = "top1,,top5"}, QSV_EINPUT, "--sort: there is no column ''"},
        {{.columns = "trial,-top1"}, QSV_EINPUT, "--columns: there is no column '-top1'"},
        {{.columns = ""}, QSV_EINPUT, "--columns help lists them"},
        {{.sort = "kl,kl,kl,kl,kl,kl,kl,kl,kl"}, QSV_EINPUT, "more than 8"},
        {{.setting = "best", .sensitivity = true}, QSV_EUSAGE, "different answers"},
        {{.setting = "best", .where = "1"}, QSV_EUSAGE, "--where lists trials, --setting does not"},
        {{.sensitivity = true, .pareto = true}, QSV_EUSAGE, "--pareto lists trials"},
        {{.setting = "nonsense"}, QSV_EINPUT, "no trial 'nonsense'"},
        {{.path = "/nonexistent"}, QSV_EINPUT, "/nonexistent"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct qsv_query q = cases[i].q;
        struct qsv_strbuf out = {0};
        struct qsv_error err = {0};
        q.path = q.path ? q.path : f.folder;
        assert_int_equal(qsv_query_run(&q, &out, &err), cases[i].code);
        if (!strstr(err.text, cases[i].message))
            fail_msg("'%s' does not say '%s'", err.text, cases[i].message);
        qsv_strbuf_fini(&out);
    }
}

static void help_lists_every_column_without_a_run(void **state)
{
    (void)state;
    struct qsv_query q = {.path = "/nonexistent", .columns = "help"};
    struct qsv_strbuf out = {0};
    assert_int_equal(qsv_query_run(&q, &out, NULL), QSV_OK);
    assert_non_null(strstr(out.text, "top1_drop          points"));
    assert_non_null(strstr(out.text, "energy_saved       %"));
    qsv_strbuf_fini(&out);
}

static void every_failing_allocation_is_told(void **state)
{
    (void)state;
    struct qsv_query queries[] = {
        {.where = "top1_drop < 3 or step == 'base'", .sort = "kl", .format = QSV_QUERY_TABLE},
        {.pareto = true, .format = QSV_QUERY_JSON},
        {.sensitivity = true, .format = QSV_QUERY_CSV},
        {.setting = "best"},
    };
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        enum qsv_status st = QSV_ENOMEM;
        queries[i].path = f.folder;
        for (int n = 1; st; n++) {
            struct qsv_strbuf out = {0};
            qsv_alloc_fail_at(n);
            st = qsv_query_run(&queries[i], &out, NULL);
            qsv_alloc_fail_at(0);
            assert_true(st == QSV_OK || st == QSV_ENOMEM);
            qsv_strbuf_fini(&out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_order_and_limit),
        cmocka_unit_test(one_set_of_images_can_be_asked_for),
        cmocka_unit_test(the_pareto_front_is_what_nothing_beats),
        cmocka_unit_test(points_of_the_front_have_intervals),
        cmocka_unit_test(figures_come_out_as_they_are),
        cmocka_unit_test(csv_quotes_and_leaves_out_what_is_missing),
        cmocka_unit_test(sensitivity_is_a_matrix),
        cmocka_unit_test(a_setting_reads_back),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(help_lists_every_column_without_a_run),
        cmocka_unit_test(every_failing_allocation_is_told),
    };
    return cmocka_run_group_tests(tests, make_run, remove_run);
}
