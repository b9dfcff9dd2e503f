/* The strategies `greedy` and `beam` in synthetic worlds: that they hold the bound and how small
 * they get, that a gate stops what drifts before its accuracy is measured, in what order they go,
 * and constraints and spaces of every kind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/jobs/searches.h"

static const char *const names[] = {"greedy", "beam"};
enum { N_NAMES = 2, MAX_SEEN = 4096 };

static void assert_consistent(const struct world *w, const struct qsv_selection *s)
{
    assert_answered(w, s);
    assert_int_equal(s->n_evaluations, w->asked[QSV_DECIDE] + w->asked[QSV_JUDGE]);
    assert_null(s->base_formats);
    assert_null(s->sensitivity);
}

static uint64_t bytes_of(struct world *w, const char *name)
{
    struct qsv_selection s = search_by(w, name);
    const uint64_t bytes = s.judged.bytes.model_bytes;
    assert_true(s.meets || w->spec.has_calibration);
    if (strcmp(name, "uniform") != 0)
        assert_consistent(w, &s);
    qsv_selection_fini(&s);
    return bytes;
}

static void test_smaller_than_uniform_and_a_wider_beam_smaller_still(void **state)
{
    (void)state;
    double greedy = 0, beam = 0, wide = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct world *w = world_create(24, seed);
        const double uniform = (double)bytes_of(w, "uniform");
        greedy += (double)bytes_of(w, "greedy") / uniform / 12;
        beam += (double)bytes_of(w, "beam") / uniform / 12;
        w->spec.search.beam_width = 16;
        wide += (double)bytes_of(w, "beam") / uniform / 12;
        world_destroy(w);
    }
    if (greedy > 0.85 || beam > greedy || wide > beam)
        fail_msg("greedy %.4f, beam %.4f, wide %.4f of uniform", greedy, beam, wide);
}

static void test_a_beam_of_one_is_greedy(void **state)
{
    (void)state;
    struct world *w = world_create(24, 5);
    struct qsv_selection greedy = search_by(w, "greedy");
    const uint64_t log = w->log;
    w->spec.search.beam_width = 1;
    struct qsv_selection beam = search_by(w, "beam");
    assert_true(log != 0 && log == w->log);
    assert_int_equal(greedy.trial_id, beam.trial_id);
    qsv_selection_fini(&greedy);
    qsv_selection_fini(&beam);
    world_destroy(w);
}

/* Noise, layers that act otherwise among others; few images decide on the way down, all of them how
 * far it is gone back, and judging ones nothing. */
static void test_meets_the_bound_in_a_noisy_world(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        double to_uniform = 0;
        int n_meet = 0;
        for (uint64_t seed = 1; seed <= 6; seed++) {
            struct world *w = world_create(24, seed);
            world_add_images(w, seed, true);
            w->spec.has_calibration = true;
            w->spec.constraint.caution = (struct qsv_caution){2, 0.1};
            w->spec.search.decision_images = 2048;
            const double uniform = (double)bytes_of(w, "uniform");
            struct qsv_selection s = search_by(w, names[i]);
            assert_consistent(w, &s);
            n_meet += s.meets;
            assert_true(qsv_metrics_drop_bound(&s.decided) <= 1.5);
            assert_int_equal(w->asked[QSV_JUDGE], 2);
            to_uniform += (double)s.judged.bytes.model_bytes / uniform / 6;
            assert_int_equal(s.rest.n_images, 10000);
            qsv_selection_fini(&s);
            world_destroy(w);
        }
        assert_true(n_meet >= 4);
        if (to_uniform > 0.95)
            fail_msg("%s %.4f of uniform", names[i], to_uniform);
    }
}

/* Questions as they come. */
struct seen {
    struct world *w;
    uint8_t formats[MAX_SEEN][MAX_LAYERS];
    char step[MAX_SEEN][16];
    enum qsv_image_set set[MAX_SEEN];
    uint64_t n_images[MAX_SEEN];
    uint32_t n;
};

static enum qsv_status see(void *context, const char *step, const struct qsv_trial *trials,
                           uint32_t n, enum qsv_image_set set, uint64_t n_images,
                           struct qsv_metrics *out, struct qsv_error *err)
{
    struct seen *seen = context;
    for (uint32_t i = 0; i < n; i++, seen->n++) {
        assert_true(seen->n < MAX_SEEN);
        memcpy(seen->formats[seen->n], trials[i].formats, seen->w->n_layers);
        snprintf(seen->step[seen->n], sizeof seen->step[0], "%s", step);
        seen->set[seen->n] = set;
        seen->n_images[seen->n] = n_images;
    }
    return world_evaluate(seen->w, step, trials, n, set, n_images, out, err);
}

static enum qsv_status forward_note(void *context, const struct qsv_step *step,
                                    struct qsv_error *err)
{
    return world_note(((struct seen *)context)->w, step, err);
}

/* The search's questions; free them. */
static struct seen *watch(struct world *w, const char *name, struct qsv_selection *out)
{
    struct seen *seen = calloc(1, sizeof *seen);
    struct qsv_evaluator own = w->evaluator;
    assert_non_null(seen);
    seen->w = w;
    w->evaluator = (struct qsv_evaluator){.context = seen, .evaluate = see, .note = forward_note};
    *out = search_by(w, name);
    w->evaluator = own;
    return seen;
}

/* A layer of no weight to the answer whose neurons drift: lowered with the network and by no finer
 * unit, and no image is spent on finding out. */
static void test_the_gate_stops_what_drifts_before_it_is_measured(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        struct world *w = world_create(16, 3);
        struct qsv_selection s;
        uint8_t uniform = QSV_F32;
        w->spec.search.drift_images = 100;
        w->spec.search.max_drift = 0.9;
        for (uint32_t f = QSV_F16; f < QSV_N_FORMATS; f++)
            w->kl[9][f] *= 1e-3;
        w->drift[9] = 3e4;
        struct seen *seen = watch(w, names[i], &s);
        assert_true(s.meets);
        for (uint32_t q = 0; q < seen->n; q++) { /* the narrowest of all that holds */
            struct qsv_metrics m;
            if (strcmp(seen->step[q], "network") != 0)
                continue;
            world_answer(w, seen->formats[q], QSV_DECIDE, 4096, &m);
            if (qsv_metrics_top1_drop(&m) <= 1.5 && seen->formats[q][0] > uniform)
                uniform = seen->formats[q][0];
        }
        assert_true(uniform > QSV_F32 && uniform < QSV_INT2);
        assert_int_equal(s.formats[9], uniform);
        uint32_t gated = 0, finer = 0;
        for (uint32_t q = 0; q < seen->n; q++) {
            if (!strcmp(seen->step[q], "gate")) {
                assert_int_equal(seen->set[q], QSV_DECIDE);
                assert_int_equal(seen->n_images[q], 100);
                gated += seen->formats[q][9] > uniform;
            } else if (strcmp(seen->step[q], "network") != 0) {
                finer++;
                assert_true(seen->formats[q][9] <= uniform);
            }
        }
        assert_true(gated > 0 && finer > 0);
        free(seen);
        qsv_selection_fini(&s);

        w->spec.search.max_drift = 1e6; /* an open gate */
        s = search_by(w, names[i]);
        assert_true(s.formats[9] > uniform);
        qsv_selection_fini(&s);
        world_destroy(w);
    }
}

/* Every setting that is measured has passed the gate before, on its images. */
static void test_nothing_is_measured_before_its_drift(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        struct world *w = world_create(16, 2);
        struct qsv_selection s;
        struct seen *seen = watch(w, names[i], &s);
        for (uint32_t q = 2; q < seen->n; q++) { /* behind the baseline, and nothing quantized */
            bool before = !strcmp(seen->step[q], "gate");
            if (qsv_setting_id(seen->formats[q], 16) == s.baseline.trial_id)
                continue;
            for (uint32_t o = 0; o < q; o++)
                before |= !strcmp(seen->step[o], "gate") &&
                          !memcmp(seen->formats[o], seen->formats[q], 16);
            assert_true(before);
        }
        free(seen);
        qsv_selection_fini(&s);
        world_destroy(w);
    }
}

/* First all layers at once, then stages, then blocks, then layers, and no finer than asked for. */
static void test_levels_come_from_coarse_to_fine(void **state)
{
    (void)state;
    static const char *const levels[] = {"network", "stage", "block", "layer"};
    static const uint32_t layers[] = {24, LAYERS_A_BLOCK * BLOCKS_A_STAGE, LAYERS_A_BLOCK, 1};
    static const enum qsv_granularity finest[] = {QSV_BY_STAGE, QSV_BY_BLOCK, QSV_BY_LAYER};
    for (int last = 1; last < 4; last++) {
        struct world *w = world_create(24, 7);
        struct qsv_selection s;
        int level = 0;
        w->spec.search.granularity = finest[last - 1];
        struct seen *seen = watch(w, "greedy", &s);
        assert_consistent(w, &s);
        assert_true(s.meets);
        for (uint32_t q = 0; q < seen->n; q++) {
            while (level < last && !strcmp(seen->step[q], levels[level + 1]))
                level++;
            if (seen->set[q] == QSV_DECIDE && strcmp(seen->step[q], "gate") != 0)
                assert_string_equal(seen->step[q], levels[level]);
            for (uint32_t l = 0; l < 24; l++)
                assert_int_equal(seen->formats[q][l],
                                 seen->formats[q][l / layers[last] * layers[last]]);
        }
        assert_int_equal(level, last);
        free(seen);
        qsv_selection_fini(&s);
        world_destroy(w);
    }
}

static void test_same_answers_same_questions(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        struct world *w = world_create(24, 3);
        world_add_images(w, 3, false);
        assert_same_questions(w, names[i]);
        world_destroy(w);
    }
}

/* No setting is asked about twice on one set of images, whatever is done again. */
static void test_no_question_comes_twice(void **state)
{
    (void)state;
    struct world *w = world_create(12, 6);
    struct qsv_selection s;
    w->judge_shift = 0.5;
    struct seen *seen = watch(w, "beam", &s);
    assert_true(s.meets);
    for (uint32_t q = 2; q < seen->n; q++)
        for (uint32_t o = 0; o < q; o++)
            assert_false(seen->set[q] == seen->set[o] && seen->n_images[q] == seen->n_images[o] &&
                         !memcmp(seen->formats[q], seen->formats[o], 12));
    free(seen);
    qsv_selection_fini(&s);
    world_destroy(w);
}

/* Half a point more is lost on the judging images. */
static void test_deciding_images_that_promise_too_much(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        struct world *w = world_create(24, 8);
        const uint64_t honest = bytes_of(w, names[i]);
        w->judge_shift = 0.5;
        struct qsv_selection s = search_by(w, names[i]);
        assert_consistent(w, &s);
        assert_true(s.meets);
        assert_true(qsv_metrics_top1_drop(&s.decided) < 1.02);
        assert_in_range(w->asked[QSV_JUDGE], 3,
                        2 + 4 * 4 * 5); /* four ways back, halved, in four parts */
        assert_true(qsv_metrics_top1_drop(&s.judged) > 0.8);
        assert_true(s.judged.bytes.model_bytes >= honest);
        qsv_selection_fini(&s);
        w->judge_shift = 5; /* only what is not quantized holds */
        s = search_by(w, names[i]);
        assert_true(s.meets);
        assert_int_equal(s.trial_id, s.baseline.trial_id);
        qsv_selection_fini(&s);
        world_destroy(w);
    }
}

static void test_a_bound_of_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        struct world *w = world_create(12, 8);
        w->spec.constraint.max_top1_drop = 0;
        struct qsv_selection s = search_by(w, names[i]);
        assert_consistent(w, &s);
        assert_true(s.meets);
        assert_int_equal(s.judged.n_only_baseline, 0);
        qsv_selection_fini(&s);
        world_destroy(w);
    }
}

/* The least divergence that fits: no more than that of the uniform setting that does. */
static void test_size_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++)
        for (uint64_t seed = 1; seed <= 4; seed++) {
            struct world *w = world_create(24, seed);
            w->spec.constraint.max_top1_drop = NAN;
            w->spec.constraint.max_bytes = w->model.graph.n_weights * 27 / 64;
            struct qsv_selection uniform = search_by(w, "uniform");
            struct qsv_selection s = search_by(w, names[i]);
            assert_consistent(w, &s);
            assert_true(s.meets && uniform.meets);
            assert_true(s.judged.bytes.model_bytes <= w->spec.constraint.max_bytes);
            assert_true(qsv_metrics_kl(&s.judged) < qsv_metrics_kl(&uniform.judged));
            qsv_selection_fini(&uniform);
            qsv_selection_fini(&s);
            world_destroy(w);
        }
}

static void test_energy(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        struct world *w = world_create(24, 6);
        struct qsv_selection bounded = search_by(w, names[i]);
        w->spec.constraint.max_energy_pj = bounded.judged.energy.total_pj;
        struct qsv_selection both = search_by(w, names[i]);
        assert_true(both.meets);
        w->spec.constraint.max_top1_drop = NAN;
        struct qsv_selection alone = search_by(w, names[i]);
        assert_consistent(w, &alone);
        assert_true(alone.meets);
        assert_true(alone.judged.energy.total_pj <= w->spec.constraint.max_energy_pj);
        w->spec.constraint.max_energy_pj = 1;
        struct qsv_selection none = search_by(w, names[i]);
        assert_false(none.meets);
        for (uint32_t l = 0; l < 24; l++)
            assert_int_equal(none.formats[l], QSV_INT2); /* the nearest */
        qsv_selection_fini(&bounded);
        qsv_selection_fini(&both);
        qsv_selection_fini(&alone);
        qsv_selection_fini(&none);
        world_destroy(w);
    }
}

static void test_pins_are_kept(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        struct world *w = world_create(24, 7);
        struct qsv_pin pins[] = {{(char *)"block[01].*", QSV_INT8, 1}, /* a whole stage */
                                 {(char *)"*.layer3", QSV_F32, 2}};
        w->spec.pins = pins;
        w->spec.n_pins = 2;
        struct qsv_selection s = search_by(w, names[i]);
        assert_consistent(w, &s);
        assert_true(s.meets);
        for (uint32_t l = 0; l < 24; l++) {
            const bool wide = l % 4 == 3;
            assert_true(s.formats[l] == (wide ? QSV_F32 : QSV_INT8) || (!wide && l >= 8));
        }
        qsv_selection_fini(&s);
        world_destroy(w);
    }
}

/* One layer, one format, f32 alone, no group at all; a bound that nothing quantized holds. */
static void test_small_spaces(void **state)
{
    (void)state;
    static const uint8_t low[] = {QSV_F32, QSV_BINARY};
    struct qsv_pin all = {(char *)"*", QSV_INT3, 1};
    for (size_t i = 0; i < N_NAMES; i++) {
        struct world *w = world_create(1, 1);
        struct qsv_selection s = search_by(w, names[i]);
        struct qsv_selection uniform = search_by(w, "uniform");
        assert_int_equal(s.trial_id, uniform.trial_id); /* f16, int8 and int5 are larger or fail */
        qsv_selection_fini(&s);
        qsv_selection_fini(&uniform);
        world_destroy(w);

        w = world_create(12, 1);
        memcpy(w->spec.search.formats, low, 2);
        for (uint32_t n = 2; n > 0; n--) {
            w->spec.search.n_formats = n;
            s = search_by(w, names[i]);
            assert_consistent(w, &s);
            assert_true(s.meets);
            for (uint32_t l = 0; l < 12; l++)
                assert_true(s.formats[l] == QSV_F32 || (n == 2 && s.formats[l] == QSV_BINARY));
            qsv_selection_fini(&s);
        }
        w->spec.pins = &all;
        w->spec.n_pins = 1;
        w->spec.constraint.max_top1_drop = 100;
        s = search_by(w, names[i]);
        assert_consistent(w, &s);
        assert_true(s.meets);
        qsv_selection_fini(&s);
        w->spec.constraint.max_top1_drop = 0;
        s = search_by(w, names[i]);
        assert_false(s.meets);
        for (uint32_t l = 0; l < 12; l++)
            assert_int_equal(s.formats[l], QSV_INT3);
        qsv_selection_fini(&s);
        world_destroy(w);

        w = world_create(12, 1);
        w->slope = 1e9;
        s = search_by(w, names[i]);
        assert_true(s.meets);
        assert_int_equal(s.trial_id, s.baseline.trial_id);
        qsv_selection_fini(&s);
        world_destroy(w);
    }
}

/* A level that has to be done again, and selection. */
static struct world *small_world(void)
{
    struct world *w = world_create(6, 4);
    w->judge_shift = 0.4;
    w->spec.search.beam_width = 2;
    return w;
}

/* And what was interrupted asks the same when it is done again. */
static void test_a_failing_evaluator_ends_the_search(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        struct world *w = small_world();
        struct qsv_selection out = search_by(w, names[i]);
        const uint32_t calls = w->calls;
        const uint64_t log = w->log;
        qsv_selection_fini(&out);
        assert_true(calls >= 10);
        assert_ends_with_evaluator(w, names[i], calls);
        out = search_by(w, names[i]);
        assert_int_equal(w->calls, calls);
        assert_true(w->log == log);
        qsv_selection_fini(&out);
        world_destroy(w);
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        struct world *w = small_world();
        assert_ends_without_memory(w, names[i], 20);
        world_destroy(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smaller_than_uniform_and_a_wider_beam_smaller_still),
        cmocka_unit_test(test_a_beam_of_one_is_greedy),
        cmocka_unit_test(test_meets_the_bound_in_a_noisy_world),
        cmocka_unit_test(test_the_gate_stops_what_drifts_before_it_is_measured),
        cmocka_unit_test(test_nothing_is_measured_before_its_drift),
        cmocka_unit_test(test_levels_come_from_coarse_to_fine),
        cmocka_unit_test(test_same_answers_same_questions),
        cmocka_unit_test(test_no_question_comes_twice),
        cmocka_unit_test(test_deciding_images_that_promise_too_much),
        cmocka_unit_test(test_a_bound_of_nothing),
        cmocka_unit_test(test_size_alone),
        cmocka_unit_test(test_energy),
        cmocka_unit_test(test_pins_are_kept),
        cmocka_unit_test(test_small_spaces),
        cmocka_unit_test(test_a_failing_evaluator_ends_the_search),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
