/* The table of strategies; `uniform` and `random`; and what every strategy does when the evaluator
 * or memory fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/jobs/searches.h"

static void test_table(void **state)
{
    (void)state;
    char names[256] = "";
    for (size_t i = 0; qsv_strategies[i]; i++) {
        const struct qsv_strategy *s = qsv_strategies[i];
        assert_true(qsv_strategy_find(s->name) == s);
        assert_non_null(s->search);
        assert_true(s->summary && !strchr(s->summary, '\n'));
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "",
                 s->name);
    }
    assert_string_equal(names, qsv_strategy_names());
    assert_null(qsv_strategy_find("random "));
    assert_null(qsv_strategy_find(""));
}

/* The drop of all layers at one format, by the world's law. */
static double uniform_drop(const struct world *w, uint8_t format)
{
    double kl = 0;
    for (uint32_t l = 0; l < w->n_layers; l++)
        kl += w->kl[l][format];
    return rint(w->slope * kl * 100) / 100; /* of 10,000 images */
}

static void test_uniform_takes_the_cheapest_that_holds(void **state)
{
    (void)state;
    static const double bounds[] = {0, 0.2, 1.5, 3, 50};
    struct world *w = world_create(20, 9);
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        uint8_t expected = QSV_F32;
        w->spec.constraint.max_top1_drop = bounds[i];
        for (uint8_t f = QSV_F32; f <= QSV_INT2; f++) /* by falling size */
            if (uniform_drop(w, f) <= bounds[i])
                expected = f;
        struct qsv_selection s = search_by(w, "uniform");
        assert_true(s.meets);
        for (uint32_t l = 0; l < w->n_layers; l++)
            assert_int_equal(s.formats[l], expected);
        assert_int_equal(s.trial_id, qsv_setting_id(s.formats, w->n_layers));
        assert_int_equal(s.judged.n_images, 10000);
        assert_int_equal(s.rest.n_images, 0);
        assert_int_equal(w->asked[QSV_DECIDE], 0);
        assert_int_equal(w->asked[QSV_JUDGE], 1 + QSV_INT2 + 1); /* the baseline, f32 to int2 */
        assert_int_equal(w->calls, 1);
        assert_null(s.sensitivity);
        assert_null(s.base_formats);
        qsv_selection_fini(&s);
    }
    world_destroy(w);
}

static void test_uniform_knows_pins_and_other_formats(void **state)
{
    (void)state;
    struct world *w = world_create(20, 9);
    struct qsv_pin pin = {(char *)"block2.*", QSV_INT8, 1};
    w->spec.pins = &pin;
    w->spec.n_pins = 1;
    w->spec.search.formats[0] = QSV_BINARY;
    w->spec.search.n_formats = 1;
    w->spec.constraint.max_top1_drop = 100;
    struct qsv_selection s = search_by(w, "uniform");
    for (uint32_t l = 0; l < w->n_layers; l++)
        assert_int_equal(s.formats[l], l / 4 == 2 ? QSV_INT8 : QSV_BINARY);
    assert_int_equal(w->asked[QSV_JUDGE], 1 + QSV_INT2 + 1 + 1);
    qsv_selection_fini(&s);
    world_destroy(w);
}

static void test_uniform_by_size_alone_and_in_vain(void **state)
{
    (void)state;
    struct world *w = world_create(20, 9);
    struct qsv_metrics int4, int2;
    uint8_t formats[20];
    memset(formats, QSV_INT4, sizeof formats);
    world_answer(w, formats, QSV_JUDGE, 0, &int4);
    memset(formats, QSV_INT2, sizeof formats);
    world_answer(w, formats, QSV_JUDGE, 0, &int2);

    w->spec.constraint.max_top1_drop = NAN;
    w->spec.constraint.max_bytes = int4.bytes.model_bytes;
    struct qsv_selection s = search_by(w, "uniform");
    assert_true(s.meets);
    assert_int_equal(s.trial_id, int4.trial_id); /* what diverges least of what fits */
    qsv_selection_fini(&s);

    w->spec.constraint.max_bytes = int2.bytes.model_bytes - 1;
    s = search_by(w, "uniform");
    assert_false(s.meets);
    assert_int_equal(s.trial_id, int2.trial_id);
    qsv_selection_fini(&s);
    world_destroy(w);
}

struct seen { /* what `random` asked */
    struct world *w;
    uint64_t least_bytes, most_bytes; /* on the deciding images, the baseline apart */
    uint32_t n, most_at_once;
    uint64_t best_bytes; /* that held on them */
};

static enum qsv_status see(void *context, const char *step, const struct qsv_trial *trials,
                           uint32_t n, enum qsv_image_set set, uint64_t n_images,
                           struct qsv_metrics *out, struct qsv_error *err)
{
    struct seen *seen = context;
    enum qsv_status status = world_evaluate(seen->w, step, trials, n, set, n_images, out, err);
    for (uint32_t i = 0; i < n && set == QSV_DECIDE; i++) {
        uint64_t bytes = out[i].bytes.model_bytes;
        if (!strcmp(trials[i].what, "baseline"))
            continue;
        seen->n++;
        seen->least_bytes = bytes < seen->least_bytes ? bytes : seen->least_bytes;
        seen->most_bytes = bytes > seen->most_bytes ? bytes : seen->most_bytes;
        if (qsv_metrics_top1_drop(&out[i]) <= 1.5 && bytes < seen->best_bytes)
            seen->best_bytes = bytes;
    }
    return status;
}

static enum qsv_status no_note(void *context, const struct qsv_step *step, struct qsv_error *err)
{
    (void)context;
    (void)step;
    (void)err;
    return QSV_OK;
}

static struct seen watch_random(struct world *w, struct qsv_selection *out)
{
    struct seen seen = {w, UINT64_MAX, 0, 0, 0, UINT64_MAX};
    w->evaluator = (struct qsv_evaluator){.context = &seen, .evaluate = see, .note = no_note};
    *out = search_by(w, "random");
    w->evaluator =
        (struct qsv_evaluator){.context = w, .evaluate = world_evaluate, .note = world_note};
    return seen;
}

static void test_random_takes_the_cheapest_drawn_that_holds(void **state)
{
    (void)state;
    struct world *w = world_create(20, 9);
    struct qsv_selection s;
    struct qsv_metrics int6, int2;
    uint8_t formats[20];
    memset(formats, QSV_INT6, sizeof formats);
    world_answer(w, formats, QSV_JUDGE, 0, &int6);
    memset(formats, QSV_INT2, sizeof formats);
    world_answer(w, formats, QSV_JUDGE, 0, &int2);

    w->spec.search.max_evaluations = 50;
    struct seen seen = watch_random(w, &s);
    assert_true(s.meets);
    assert_int_equal(s.judged.bytes.model_bytes, seen.best_bytes);
    assert_int_equal(s.decided.trial_id, s.trial_id);
    assert_int_equal(s.decided.n_images, 4096);
    assert_int_equal(s.rest.n_images, 10000 - 4096);
    assert_in_range(seen.n, 40, 50); /* what is drawn twice is asked once */
    assert_true(w->most_at_once <= w->spec.search.candidates + 1);
    assert_int_equal(s.n_evaluations, w->asked[QSV_DECIDE] + w->asked[QSV_JUDGE]);
    /* Sizes cover the range from int2 to int6 nearly to its ends. */
    uint64_t range = int6.bytes.model_bytes - int2.bytes.model_bytes;
    assert_true(seen.least_bytes < int2.bytes.model_bytes + range / 10);
    assert_true(seen.most_bytes > int6.bytes.model_bytes - range / 10);
    qsv_selection_fini(&s);

    w->spec.search.max_evaluations = 0;
    seen = watch_random(w, &s);
    assert_in_range(seen.n, QSV_RANDOM_EVALUATIONS * 9 / 10, QSV_RANDOM_EVALUATIONS);
    qsv_selection_fini(&s);
    world_destroy(w);
}

static void test_random_follows_its_seed(void **state)
{
    (void)state;
    struct world *w = world_create(20, 9);
    w->spec.search.max_evaluations = 30;
    struct qsv_selection first = search_by(w, "random");
    uint64_t log = w->log;
    struct qsv_selection second = search_by(w, "random");
    assert_true(log == w->log);
    w->spec.search.seed++;
    struct qsv_selection third = search_by(w, "random");
    assert_true(log != w->log);
    qsv_selection_fini(&first);
    qsv_selection_fini(&second);
    qsv_selection_fini(&third);
    world_destroy(w);
}

/* Half a point more is lost on the judging images: the next one that holds there is taken. */
static void test_random_goes_on_where_judging_images_disagree(void **state)
{
    (void)state;
    struct world *w = world_create(20, 9);
    struct qsv_selection s;
    w->judge_shift = 0.5;
    w->spec.search.max_evaluations = 60;
    struct seen seen = watch_random(w, &s);
    assert_true(s.meets);
    assert_true(s.judged.bytes.model_bytes > seen.best_bytes);
    assert_true(w->asked[QSV_JUDGE] > 2);
    assert_true(fabs(qsv_metrics_top1_drop(&s.judged) - qsv_metrics_top1_drop(&s.decided) - 0.5) <
                0.05);
    qsv_selection_fini(&s);

    w->judge_shift = 5; /* none holds there: the nearest */
    s = search_by(w, "random");
    assert_false(s.meets);
    assert_true(qsv_metrics_top1_drop(&s.judged) < 5.5);
    qsv_selection_fini(&s);
    w->judge_shift = 0;
    w->slope = 1e5; /* none holds on the deciding ones either */
    s = search_by(w, "random");
    assert_false(s.meets);
    assert_int_equal(w->asked[QSV_JUDGE], 2);
    qsv_selection_fini(&s);
    world_destroy(w);
}

static const char *const names[] = {"qsvit", "uniform", "random"};

/* A small world in which `qsvit` goes through all its steps, repairs on the judging images
 * included. */
static struct world *small_world(void)
{
    struct world *w = world_create(6, 4);
    w->judge_shift = 0.4;
    w->spec.search.candidates = 3;
    w->spec.search.max_rounds = 3;
    w->spec.search.max_evaluations = 8;
    return w;
}

static void test_a_failing_evaluator_ends_the_search(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct world *w = small_world();
        struct qsv_selection out = search_by(w, names[i]);
        uint32_t calls = w->calls;
        qsv_selection_fini(&out);
        assert_true(calls >= (i == 0 ? 6 : 1));
        assert_ends_with_evaluator(w, names[i], calls);
        world_destroy(w);
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct world *w = small_world();
        assert_ends_without_memory(w, names[i], 20);
        world_destroy(w);
    }
}

/* A file of these lines, which the spec names. */
static void give(struct world *w, char *path, const char *lines)
{
    FILE *f;
    snprintf(path, 64, "/tmp/qsvit-test_strategy-%d.yaml", (int)getpid());
    assert_non_null(f = fopen(path, "w"));
    fputs(lines, f);
    assert_int_equal(fclose(f), 0);
    w->spec.search.setting = path;
}

static void test_given_measures_one_setting(void **state)
{
    (void)state;
    char path[64];
    struct world *w = world_create(8, 9);
    give(w, path, "default: int4\nlayers:\n  block0.layer1: int2\n  block1.*: f32\n");
    w->spec.search.granularity = QSV_BY_STAGE; /* a setting need not be one of groups */
    w->spec.has_calibration = true;
    for (int meets = 1; meets >= 0; meets--) {
        struct qsv_selection s = search_by(w, "given");
        assert_int_equal(w->calls, 1);
        assert_int_equal(w->asked[QSV_JUDGE], 2);
        assert_int_equal(w->asked[QSV_DECIDE], 0);
        assert_memory_equal(s.formats,
                            ((uint8_t[]){QSV_INT4, QSV_INT2, QSV_INT4, QSV_INT4, QSV_F32, QSV_F32,
                                         QSV_F32, QSV_F32}),
                            8);
        assert_int_equal(s.trial_id, qsv_setting_id(s.formats, 8));
        assert_int_equal(s.judged.n_images, 10000);
        assert_int_equal(s.rest.n_images, 10000);
        assert_int_equal(s.decided.n_images, 0);
        assert_int_equal(s.certifying_forwards, s.image_forwards);
        assert_int_equal(s.meets, meets);
        w->spec.constraint.max_top1_drop = qsv_metrics_top1_drop(&s.judged) - 0.01;
        qsv_selection_fini(&s);
    }
    remove(path);
    world_destroy(w);
}

static void test_given_refuses_what_has_no_codes(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"default: int4\nlayers: {block0.layer2: int8, block1.layer0: int5}\n",
         "layer 'block1.layer0' is int5, expected f32 or one of search.formats"},
        {"default: int4\nlayers: {block0.layer2: int3}\n",
         "layer 'block0.layer2' is int3, expected int8, which it is pinned to"},
        {"default: int44\n", "int44"},
    };
    char path[64];
    struct world *w = world_create(8, 9);
    struct qsv_pin pin = {(char *)"block0.layer2", QSV_INT8, 1};
    w->spec.pins = &pin;
    w->spec.n_pins = 1;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_selection s = {0};
        struct qsv_error err = {0};
        give(w, path, rows[i][0]);
        assert_int_equal(try_search_by(w, "given", &s, &err), QSV_EINPUT);
        if (!strstr(err.text, rows[i][1]) || !strstr(err.text, path))
            fail_msg("'%s' does not say '%s'", err.text, rows[i][1]);
        assert_int_equal(w->calls, 0);
        qsv_selection_fini(&s);
    }
    give(w, path, "default: int4\nlayers: {block0.layer2: int8}\n");
    struct qsv_selection s = search_by(w, "given");
    assert_int_equal(s.formats[2], QSV_INT8);
    qsv_selection_fini(&s);
    remove(path);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_uniform_takes_the_cheapest_that_holds),
        cmocka_unit_test(test_uniform_knows_pins_and_other_formats),
        cmocka_unit_test(test_uniform_by_size_alone_and_in_vain),
        cmocka_unit_test(test_random_takes_the_cheapest_drawn_that_holds),
        cmocka_unit_test(test_random_follows_its_seed),
        cmocka_unit_test(test_random_goes_on_where_judging_images_disagree),
        cmocka_unit_test(test_a_failing_evaluator_ends_the_search),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_given_measures_one_setting),
        cmocka_unit_test(test_given_refuses_what_has_no_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
