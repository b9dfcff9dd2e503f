/* The strategy `qsvit` in synthetic worlds: how near it comes to the optimum of an exact law, what
 * it does with noise, with images that judge otherwise than those that decide, and with constraints
 * of every kind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/jobs/optimum.h"

static struct qsv_selection search(struct world *w)
{
    return search_by(w, "qsvit");
}

static void test_close_to_the_optimum_of_few_layers(void **state)
{
    (void)state;
    double sum = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct world *w = world_create(8, seed);
        struct qsv_selection s = search(w);
        struct least e = {w, most_kl(w), INFINITY, false};
        enumerate(&e, 0, 0, 0);
        assert_consistent(w, &s);
        assert_true(s.meets);
        double ratio = (double)s.judged.bytes.weights_bytes / e.best;
        if (ratio < 1 || ratio > 1.03)
            fail_msg("seed %u: %.4f of the optimum", (unsigned)seed, ratio);
        sum += ratio;
        qsv_selection_fini(&s);
        world_destroy(w);
    }
    assert_true(sum / 12 < 1.005);
}

static void test_close_to_the_optimum_of_many_layers(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct world *w = world_create(40, seed);
        struct qsv_selection s = search(w);
        double ratio = (double)s.judged.bytes.weights_bytes / lower_bound(w, most_kl(w));
        assert_consistent(w, &s);
        assert_true(s.meets);
        if (ratio < 1 || ratio > 1.02)
            fail_msg("seed %u: %.4f of the optimum's lower bound", (unsigned)seed, ratio);
        /* The guided step is worth its evaluations; base settings alone aren't far, for all that
         * the floors make early layers look sensitive at any format. */
        assert_true(s.judged.bytes.model_bytes < s.base_decided.bytes.model_bytes);
        assert_true((double)s.base_decided.bytes.weights_bytes < 1.08 * lower_bound(w, most_kl(w)));
        qsv_selection_fini(&s);
        world_destroy(w);
    }
}

/* Evaluations beyond step 1: at most the ends and three rounds of step 2, max_rounds of step 3, and
 * the selected setting; on all images the first, repairs, and what lies between. */
static void assert_frugal(const struct world *w, uint32_t most_final, uint32_t most_judged)
{
    uint32_t candidates = w->spec.search.candidates;
    assert_true(w->asked[QSV_DECIDE] <=
                3 + candidates * (3 + w->spec.search.max_rounds) + 1 + most_final);
    assert_true(w->most_at_once <= (candidates > 3 ? candidates : 3));
    assert_true(w->asked[QSV_JUDGE] <= most_judged);
}

static void test_meets_the_bound_in_a_noisy_world(void **state)
{
    (void)state;
    double to_uniform = 0, to_random = 0;
    int n_meet = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct world *w = world_create(36, seed);
        struct qsv_selection q, other = {0};
        struct qsv_space *space = NULL;
        world_add_images(w, seed, true);
        w->spec.has_calibration = true;
        w->spec.constraint.caution.margin = 1.28;
        w->evaluator.count = NULL; /* without it there are no races */
        w->spec.search.max_rounds = 5;
        q = search(w);
        assert_consistent(w, &q);
        n_meet += q.meets;
        assert_true(qsv_metrics_drop_bound(&q.decided) <= 1.5);
        assert_int_equal(q.rest.n_images, 10000);
        assert_frugal(w, 1 + 1 + 2 * 3 + 2, 2);
        assert_int_equal(q.n_evaluations, w->asked[QSV_DECIDE] + w->asked[QSV_JUDGE] + 1 + 36 * 4);

        w->spec.search.max_evaluations = w->asked[QSV_DECIDE];
        assert_int_equal(qsv_space_create(&space, &w->model, &w->spec, NULL), QSV_OK);
        assert_int_equal(
            qsv_strategy_find("uniform")->search(space, &w->spec, &w->evaluator, &other, NULL),
            QSV_OK);
        to_uniform +=
            (double)q.judged.bytes.model_bytes / (double)other.judged.bytes.model_bytes / 6;
        qsv_selection_fini(&other);
        assert_int_equal(
            qsv_strategy_find("random")->search(space, &w->spec, &w->evaluator, &other, NULL),
            QSV_OK);
        assert_true(q.judged.bytes.model_bytes < other.judged.bytes.model_bytes);
        to_random +=
            (double)q.judged.bytes.model_bytes / (double)other.judged.bytes.model_bytes / 6;
        qsv_selection_fini(&other);
        qsv_selection_fini(&q);
        qsv_space_destroy(space);
        world_destroy(w);
    }
    assert_true(n_meet >= 4);
    assert_true(to_uniform < 0.9);
    assert_true(to_random < 0.9);
}

static void test_same_answers_same_questions(void **state)
{
    (void)state;
    struct world *w = world_create(24, 3);
    world_add_images(w, 3, false);
    struct qsv_selection first = search(w);
    uint64_t log = w->log;
    uint32_t n_notes = w->n_notes;
    struct qsv_selection second = search(w);
    assert_true(log != 0 && log == w->log);
    assert_int_equal(n_notes, w->n_notes);
    assert_memory_equal(first.formats, second.formats, w->n_layers);
    assert_int_equal(first.trial_id, second.trial_id);
    qsv_selection_fini(&first);
    qsv_selection_fini(&second);
    world_destroy(w);
}

/* Without calibration images the first judging ones decide; the others are told apart. */
static void test_images_that_did_not_decide(void **state)
{
    (void)state;
    struct world *w = world_create(16, 5);
    world_add_images(w, 5, false);
    struct qsv_selection s = search(w);
    assert_consistent(w, &s);
    assert_int_equal(s.decided.n_images, 4096);
    assert_int_equal(s.rest.n_images, 10000 - 4096);
    assert_int_equal(s.rest.n_top1, s.judged.n_top1 - s.decided.n_top1);
    assert_int_equal(s.rest.n_only_baseline, s.judged.n_only_baseline - s.decided.n_only_baseline);
    assert_true(fabs(s.rest.kl_sum - (s.judged.kl_sum - s.decided.kl_sum)) < 1e-9);
    qsv_selection_fini(&s);

    w->spec.search.decision_images = 0; /* all decide */
    s = search(w);
    assert_int_equal(s.decided.n_images, 10000);
    assert_int_equal(s.rest.n_images, 0);
    qsv_selection_fini(&s);
    world_destroy(w);
}

/* On the judging images half a point more is lost: what held on the deciding ones is repaired. */
static void test_repairs_where_judging_images_disagree(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct world *w = world_create(40, seed);
        w->judge_shift = 0.5;
        struct qsv_selection s = search(w);
        double ratio = (double)s.judged.bytes.weights_bytes / lower_bound(w, most_kl(w));
        assert_consistent(w, &s);
        assert_true(s.meets);
        assert_true(qsv_metrics_top1_drop(&s.decided) < 1.05); /* further than decided */
        assert_true(w->asked[QSV_JUDGE] >= 1 + 1 + 3);
        if (ratio > 1.03)
            fail_msg("seed %u: %.4f of the optimum's lower bound", (unsigned)seed, ratio);
        qsv_selection_fini(&s);
        world_destroy(w);
    }
}

/* Images seen in training lose less: a reserve is kept of the bound, and the judging images, which
 * decide nothing, find it kept. */
static void test_keeps_a_reserve_where_deciding_images_are_easy(void **state)
{
    (void)state;
    int n_meet[2] = {0};
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct world *w = world_create(36, seed);
        w->easier = 0.15;
        world_add_images(w, seed, true);
        w->spec.has_calibration = true;
        for (int kept = 0; kept < 2; kept++) {
            w->spec.constraint.caution = (struct qsv_caution){kept ? 1.28 : 0, kept ? 0.25 : 0};
            struct qsv_selection s = search(w);
            assert_consistent(w, &s);
            assert_int_equal(w->asked[QSV_JUDGE], 2);
            n_meet[kept] += s.meets;
            qsv_selection_fini(&s);
        }
        world_destroy(w);
    }
    assert_true(n_meet[0] <= 4 && n_meet[1] >= 7);
}

/* Every quantized setting loses three points there: only f32 is left. */
static void test_repairs_to_f32_in_the_end(void **state)
{
    (void)state;
    struct world *w = world_create(12, 2);
    w->judge_shift = 3;
    struct qsv_selection s = search(w);
    assert_consistent(w, &s);
    assert_true(s.meets);
    assert_int_equal(s.trial_id, s.baseline.trial_id);
    qsv_selection_fini(&s);
    world_destroy(w);
}

static void test_nearest_where_pins_make_it_impossible(void **state)
{
    (void)state;
    struct world *w = world_create(12, 2);
    struct qsv_pin pin = {(char *)"block1.*", QSV_BINARY, 1};
    w->spec.pins = &pin;
    w->spec.n_pins = 1;
    for (uint32_t l = 4; l < 8; l++)
        w->kl[l][QSV_BINARY] = 0.02;
    struct qsv_selection s = search(w);
    assert_consistent(w, &s);
    assert_false(s.meets);
    /* Nothing but the pins is lost: 40 x 4 x 0.02 points. */
    assert_int_equal(s.judged.n_only_baseline, 320);
    qsv_selection_fini(&s);
    world_destroy(w);
}

static void test_pins_are_kept(void **state)
{
    (void)state;
    struct world *w = world_create(24, 7);
    struct qsv_pin pins[] = {{(char *)"block0.*", QSV_INT8, 1}, {(char *)"*.layer3", QSV_F32, 2}};
    w->spec.pins = pins;
    w->spec.n_pins = 2;
    struct qsv_selection s = search(w);
    assert_consistent(w, &s);
    assert_true(s.meets);
    for (uint32_t l = 0; l < 24; l++) {
        bool wide = l % 4 == 3;
        assert_true(s.formats[l] == (wide ? QSV_F32 : QSV_INT8) || (!wide && l >= 4));
        assert_true(s.base_formats[l] == (wide ? QSV_F32 : QSV_INT8) || (!wide && l >= 4));
    }
    /* Step 1 is about each group alone: the first free layer at the first format, pins at f32. */
    uint8_t alone[24] = {0};
    alone[4] = QSV_INT6;
    assert_int_equal(s.sensitivity[0].metrics.trial_id, qsv_setting_id(alone, 24));
    assert_true(fabs(qsv_metrics_kl(&s.sensitivity[0].metrics) -
                     (w->kl[4][QSV_INT6] + w->floor[4])) < 1e-12);
    qsv_selection_fini(&s);
    world_destroy(w);
}

static void test_groups_share_a_format(void **state)
{
    (void)state;
    struct world *w = world_create(32, 4);
    w->spec.search.granularity = QSV_BY_BLOCK;
    struct qsv_selection s = search(w);
    uint32_t distinct = 0;
    assert_consistent(w, &s);
    assert_true(s.meets);
    for (uint32_t l = 0; l < 32; l++)
        assert_int_equal(s.formats[l], s.formats[l / 4 * 4]);
    for (uint32_t l = 4; l < 32; l += 4)
        distinct += s.formats[l] != s.formats[l - 4];
    assert_true(distinct > 0);
    qsv_selection_fini(&s);

    w->spec.search.granularity = QSV_BY_STAGE;
    s = search(w);
    assert_true(s.meets);
    for (uint32_t l = 0; l < 32; l++)
        assert_int_equal(s.formats[l], s.formats[l / 8 * 8]);
    qsv_selection_fini(&s);
    world_destroy(w);
}

/* With only the size bounded the divergence is least: close to the best of all settings. */
static void test_size_alone(void **state)
{
    (void)state;
    double sum = 0;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct world *w = world_create(8, seed);
        memset(w->floor, 0, sizeof w->floor);
        const double ratio = divergence_within(w, "qsvit", 3);
        if (ratio < 1 - 1e-9 || ratio > 1.05)
            fail_msg("seed %u: %.4f of the least divergence", (unsigned)seed, ratio);
        sum += ratio;
        world_destroy(w);
    }
    assert_true(sum / 8 < 1.01);
}

static void test_bits_alone(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct world *w = world_create(8, seed);
        assert_bits_are_bytes(w, "qsvit", 3);
        world_destroy(w);
    }
}

static void test_energy(void **state)
{
    (void)state;
    struct world *w = world_create(24, 6);
    struct qsv_selection free_of_it = search(w);
    double energy = free_of_it.judged.energy.total_pj;

    /* Less energy than the smallest setting within the drop takes, at a drop that leaves room. */
    w->spec.constraint.max_top1_drop = 4;
    w->spec.constraint.max_energy_pj = energy * 0.9;
    struct qsv_selection s = search(w);
    assert_consistent(w, &s);
    assert_true(s.meets);
    assert_true(s.judged.energy.total_pj <= energy * 0.9);
    qsv_selection_fini(&s);

    w->spec.constraint.max_top1_drop = NAN; /* energy alone: as little divergence as it allows */
    w->spec.constraint.max_energy_pj = energy;
    s = search(w);
    assert_consistent(w, &s);
    assert_true(s.meets);
    assert_true(qsv_metrics_kl(&s.judged) < 1.1 * qsv_metrics_kl(&free_of_it.judged));
    qsv_selection_fini(&s);
    qsv_selection_fini(&free_of_it);
    world_destroy(w);
}

/* A size that can't be had within the drop: the nearest is the smallest that keeps the drop. */
static void test_size_and_drop_that_exclude_each_other(void **state)
{
    (void)state;
    struct world *w = world_create(24, 6);
    struct qsv_selection least = search(w);
    w->spec.constraint.max_bytes = least.judged.bytes.model_bytes;
    struct qsv_selection s = search(w);
    assert_true(s.meets);
    assert_int_equal(s.trial_id, least.trial_id);
    qsv_selection_fini(&s);

    w->spec.constraint.max_bytes--;
    s = search(w);
    assert_consistent(w, &s);
    assert_false(s.meets);
    assert_int_equal(s.trial_id, least.trial_id);
    qsv_selection_fini(&s);

    w->spec.constraint.max_bytes = 1; /* smaller than any: all at the narrowest */
    w->spec.constraint.max_top1_drop = NAN;
    s = search(w);
    assert_false(s.meets);
    for (uint32_t l = 0; l < 24; l++)
        assert_int_equal(s.formats[l], QSV_INT2);
    qsv_selection_fini(&s);
    qsv_selection_fini(&least);
    world_destroy(w);
}

/* Where the narrowest setting holds there is nothing to search. */
static void test_everything_narrow_holds(void **state)
{
    (void)state;
    struct world *w = world_create(16, 1);
    w->slope = 0.1;
    w->evaluator.count =
        NULL; /* without it there are no races, and a setting is asked about once */
    struct qsv_selection s = search(w);
    assert_true(s.meets);
    for (uint32_t l = 0; l < 16; l++)
        assert_int_equal(s.formats[l], QSV_INT2);
    assert_int_equal(w->asked[QSV_DECIDE], 3);
    assert_int_equal(w->asked[QSV_JUDGE], 2);
    qsv_selection_fini(&s);
    world_destroy(w);
}

static void test_small_spaces(void **state)
{
    (void)state;
    struct world *w = world_create(8, 1);
    static const uint8_t with_f32[] = {QSV_F32, QSV_INT3}, f32[] = {QSV_F32},
                         left_out[] = {QSV_BINARY, QSV_NONE};
    struct qsv_pin all = {(char *)"*", QSV_INT3, 1};
    struct qsv_selection s;

    w->spec.search.candidates = 1;
    w->spec.search.max_rounds = 0; /* the base settings are the answer */
    s = search(w);
    assert_consistent(w, &s);
    assert_true(s.meets);
    assert_memory_equal(s.formats, s.base_formats, 8);
    qsv_selection_fini(&s);

    memcpy(w->spec.search.formats, with_f32, sizeof with_f32);
    w->spec.search.n_formats = 2;
    w->spec.search.max_rounds = 3;
    s = search(w);
    assert_consistent(w, &s);
    assert_true(s.meets);
    for (uint32_t l = 0; l < 8; l++)
        assert_true(s.formats[l] == QSV_F32 || s.formats[l] == QSV_INT3);
    qsv_selection_fini(&s);

    memcpy(w->spec.search.formats, left_out, sizeof left_out);
    s = search(w);
    assert_consistent(w, &s);
    assert_true(s.meets);
    for (uint32_t l = 0; l < 8; l++)
        assert_true(s.formats[l] == QSV_F32 || s.formats[l] >= QSV_BINARY);
    qsv_selection_fini(&s);

    memcpy(w->spec.search.formats, f32, sizeof f32);
    w->spec.search.n_formats = 1;
    s = search(w);
    assert_int_equal(s.trial_id, s.baseline.trial_id);
    assert_true(s.meets);
    qsv_selection_fini(&s);

    w->spec.pins = &all;
    w->spec.n_pins = 1;
    s = search(w);
    for (uint32_t l = 0; l < 8; l++)
        assert_int_equal(s.formats[l], QSV_INT3);
    qsv_selection_fini(&s);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_to_the_optimum_of_few_layers),
        cmocka_unit_test(test_close_to_the_optimum_of_many_layers),
        cmocka_unit_test(test_meets_the_bound_in_a_noisy_world),
        cmocka_unit_test(test_same_answers_same_questions),
        cmocka_unit_test(test_images_that_did_not_decide),
        cmocka_unit_test(test_repairs_where_judging_images_disagree),
        cmocka_unit_test(test_keeps_a_reserve_where_deciding_images_are_easy),
        cmocka_unit_test(test_repairs_to_f32_in_the_end),
        cmocka_unit_test(test_nearest_where_pins_make_it_impossible),
        cmocka_unit_test(test_pins_are_kept),
        cmocka_unit_test(test_groups_share_a_format),
        cmocka_unit_test(test_size_alone),
        cmocka_unit_test(test_bits_alone),
        cmocka_unit_test(test_energy),
        cmocka_unit_test(test_size_and_drop_that_exclude_each_other),
        cmocka_unit_test(test_everything_narrow_holds),
        cmocka_unit_test(test_small_spaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
