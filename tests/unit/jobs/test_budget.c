/* Searches that may ask only so much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/jobs/synthetic.h"

static struct qsv_error err;

static const char *const strategies[] = {"frontier", "qsvit", "random"};
enum { N_STRATEGIES = sizeof strategies / sizeof *strategies };

/* 24 layers; the deciding images are others than those that judge. */
static struct world *create(const char *strategy)
{
    struct world *w = world_create(24, 3);
    world_know_losses(w, 5);
    w->easier = 0.1;
    world_add_images(w, 7, true);
    w->spec.search.strategy = (char *)strategy;
    w->spec.search.decision_images = 1000;
    w->spec.search.max_evaluations = 60;
    return w;
}

static enum qsv_status search(struct world *w, uint64_t budget, struct qsv_selection *out)
{
    struct qsv_space *space;
    *out = (struct qsv_selection){0};
    world_forget(w);
    w->spec.search.max_image_forwards = budget;
    assert_int_equal(qsv_space_create(&space, &w->model, &w->spec, &err), QSV_OK);
    enum qsv_status st = qsv_strategy_find(w->spec.search.strategy)
                             ->search(space, &w->spec, &w->evaluator, out, &err);
    qsv_space_destroy(space);
    return st;
}

static uint64_t spent(const struct qsv_selection *s)
{
    return s->image_forwards - s->certifying_forwards;
}

/* The baseline and the selected setting on all judging images, and it on the deciding ones where it
 * was not measured there before. */
static void assert_certified(const struct world *w, const struct qsv_selection *s)
{
    const uint64_t judging = 2 * w->n_images[QSV_JUDGE];
    const uint64_t deciding = w->spec.search.decision_images;
    assert_true(s->certifying_forwards == judging || s->certifying_forwards == judging + deciding);
    assert_int_equal(s->judged.n_images, w->n_images[QSV_JUDGE]);
    assert_int_equal(s->baseline.n_images, w->n_images[QSV_JUDGE]);
    assert_int_equal(s->decided.n_images, deciding);
}

/* What an unlimited search spends is enough, if its last question could be asked to the end; half
 * of it is not. */
static void a_budget_that_is_enough_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_STRATEGIES; i++) {
        struct world *w = create(strategies[i]);
        struct qsv_selection all, same, less;
        assert_int_equal(search(w, 0, &all), QSV_OK);
        const uint64_t log = w->log;
        assert_false(all.exhausted);
        assert_certified(w, &all);
        const uint64_t question = w->spec.search.candidates * w->n_images[QSV_JUDGE];
        assert_int_equal(search(w, spent(&all) + question, &same), QSV_OK);
        assert_int_equal(w->log, log);
        assert_int_equal(same.trial_id, all.trial_id);
        assert_false(same.exhausted);
        assert_int_equal(search(w, spent(&all) / 2, &less), QSV_OK);
        assert_true(less.exhausted);
        assert_true(w->log != log);
        qsv_selection_fini(&all);
        qsv_selection_fini(&same);
        qsv_selection_fini(&less);
        world_destroy(w);
    }
}

static void no_budget_is_exceeded(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_STRATEGIES; i++) {
        struct world *w = create(strategies[i]);
        struct qsv_selection all, s;
        uint64_t before = 0;
        assert_int_equal(search(w, 0, &all), QSV_OK);
        for (int part = 1; part <= 20; part++) {
            const uint64_t budget = spent(&all) * (unsigned)part / 20;
            enum qsv_status st = search(w, budget, &s);
            if (st == QSV_EINPUT) {
                qsv_selection_fini(&s);
                continue;
            }
            assert_int_equal(st, QSV_OK);
            assert_true(spent(&s) <= budget);
            assert_true(spent(&s) >= before); /* more is used of more */
            assert_int_equal(s.exhausted, part < 20);
            assert_certified(w, &s);
            before = spent(&s);
            qsv_selection_fini(&s);
        }
        assert_true(before > 0);
        qsv_selection_fini(&all);
        world_destroy(w);
    }
}

/* The message says what is needed; that much is enough. */
static void too_little_to_begin_with_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_STRATEGIES; i++) {
        struct world *w = create(strategies[i]);
        struct qsv_selection s;
        uint64_t least = 1;
        int refused = 0;
        enum qsv_status st;
        while ((st = search(w, least, &s)) == QSV_EINPUT) {
            char says[64];
            snprintf(says, sizeof says, "search.max_image_forwards: found %lu, expected at least ",
                     (unsigned long)least);
            const char *at = strstr(err.text, says);
            assert_non_null(at);
            uint64_t next = strtoull(at + strlen(says), NULL, 10);
            assert_true(next > least);
            least = next;
            refused++;
            qsv_selection_fini(&s);
        }
        assert_int_equal(st, QSV_OK);
        assert_int_equal(spent(&s), least);
        assert_in_range(refused, 1, 3);
        assert_certified(w, &s);
        qsv_selection_fini(&s);
        world_destroy(w);
    }
}

/* Of what was measured on the deciding images the best is taken: after step 1 and the ends of the
 * frontier alone that is one of the ends. */
static void the_best_so_far_is_taken(void **state)
{
    (void)state;
    struct world *w = create("frontier");
    struct qsv_selection s;
    const uint64_t least = 25 * 384 + 3 * 1000;
    assert_int_equal(search(w, least, &s), QSV_OK);
    assert_true(spent(&s) <= least);
    for (uint32_t l = 0; l < w->n_layers; l++)
        assert_int_equal(s.formats[l], QSV_F32);
    qsv_selection_fini(&s);
    w->spec.constraint.max_top1_drop = 100;
    assert_int_equal(search(w, least, &s), QSV_OK);
    for (uint32_t l = 0; l < w->n_layers; l++)
        assert_int_equal(s.formats[l], QSV_INT2);
    assert_true(s.meets);
    qsv_selection_fini(&s);
    world_destroy(w);
}

/* Who can't tell how many images a question takes keeps no budget. */
static void without_a_count_there_is_no_budget(void **state)
{
    (void)state;
    struct world *w = create("frontier");
    struct qsv_selection s;
    w->evaluator.count = NULL;
    assert_int_equal(search(w, 1, &s), QSV_OK);
    assert_false(s.exhausted);
    qsv_selection_fini(&s);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_budget_that_is_enough_changes_nothing),
        cmocka_unit_test(no_budget_is_exceeded),
        cmocka_unit_test(too_little_to_begin_with_is_refused),
        cmocka_unit_test(the_best_so_far_is_taken),
        cmocka_unit_test(without_a_count_there_is_no_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
