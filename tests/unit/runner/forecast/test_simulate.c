/* Simulated sweeps of a network in outline: small, with the strategy and the coordinator as they
 * are. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runner/inputs/blueprint.h"
#include "runner/forecast/simulate.h"

static struct qsv_error err;

static const char text[] = "model: none.h5\n"
                           "dataset:\n  images: none\n  count: 640\n"
                           "search:\n  strategy: qsvit\n  granularity: stage\n  candidates: 4\n"
                           "  max_rounds: 3\n  sensitivity_images: 0\n"
                           "  formats: [int6, int4, int3, int2]\n"
                           "quantizer:\n  method: round\n"
                           "constraint:\n  max_top1_drop: 1.5\n"
                           "shard_images: 8\ntask_seconds: 10\nrun: none\n";

struct subject {
    struct qsv_spec *spec;
    struct qsv_model *model;
};

static int setup(void **state)
{
    static struct subject s;
    static const uint32_t widths[QSV_N_WIDTHS] = {16, 32, 64, 80};
    assert_int_equal(qsv_spec_parse(&s.spec, text, sizeof text - 1, "s.yaml", &err), QSV_OK);
    assert_int_equal(qsv_blueprint_create(&s.model, widths, &err), QSV_OK);
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    struct subject *s = *state;
    qsv_spec_destroy(s->spec);
    qsv_model_destroy(s->model);
    return 0;
}

static struct qsv_plan plan_of(const struct subject *s, uint32_t ranks)
{
    return (struct qsv_plan){.spec = s->spec,
                             .model = s->model,
                             .n_judge = 640,
                             .ranks = ranks,
                             .how = {.seed = 3,
                                     .images_per_s = 2,
                                     .rank_spread = 0.05,
                                     .task_spread = 0.05,
                                     .restart_s = 60,
                                     .record_s = 0.01,
                                     .latency_s = 1e-3,
                                     .message_s = 1e-5}};
}

static struct qsv_forecast simulate(const struct qsv_plan *plan)
{
    struct qsv_forecast f;
    if (qsv_simulate(&f, plan, &err))
        fail_msg("%s", err.text);
    return f;
}

static void assert_same(const struct qsv_forecast *a, const struct qsv_forecast *b)
{
    assert_true(a->makespan_s == b->makespan_s);
    assert_true(a->asked_s == b->asked_s);
    assert_int_equal(a->troop.n_tasks, b->troop.n_tasks);
    assert_int_equal(a->troop.n_failures, b->troop.n_failures);
    assert_int_equal(a->n_twice, b->n_twice);
}

static void the_same_seed_gives_the_same_forecast(void **state)
{
    struct qsv_plan plan = plan_of(*state, 9);
    plan.how.failures_per_hour = 5;
    struct qsv_forecast a = simulate(&plan), b = simulate(&plan);
    assert_same(&a, &b);
    plan.how.seed = 4;
    b = simulate(&plan);
    assert_true(a.makespan_s != b.makespan_s);
}

/* The search is the same on any number of ranks, and so are the records; nobody works for longer
 * than there is time. */
static void work_is_conserved(void **state)
{
    static const uint32_t ranks[] = {2, 3, 8, 65};
    struct qsv_forecast first = {0};
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++) {
        struct qsv_plan plan = plan_of(*state, ranks[i]);
        struct qsv_forecast f = simulate(&plan);
        uint64_t trials = 0;
        if (i == 0)
            first = f;
        assert_int_equal(f.n_records, first.n_records);
        assert_int_equal(f.selected, first.selected);
        assert_int_equal(f.n_steps, first.n_steps);
        for (size_t k = 0; k < f.n_steps; k++) {
            assert_int_equal(f.steps[k].n_trials, first.steps[k].n_trials);
            trials += f.steps[k].n_trials;
        }
        assert_true(f.n_records >= 80 * 20 && f.n_records <= 80 * trials);
        assert_true(f.troop.worked_s <= (ranks[i] - 1) * f.makespan_s * 1.0001);
        assert_true(f.asked_s <= f.troop.worked_s);
        assert_true(f.efficiency > (ranks[i] < 65 ? 0.7 : 0.4) * (ranks[i] - 1) / ranks[i]);
    }
}

/* Idle ranks begin with what is asked next: the path and what is recorded stay the same, and one
 * worker alone never does. */
static void looking_ahead_changes_no_record(void **state)
{
    for (uint32_t ranks = 2; ranks <= 128; ranks *= 4) {
        struct qsv_plan plan = plan_of(*state, ranks);
        struct qsv_forecast blind = simulate(&plan);
        plan.look_ahead = true;
        struct qsv_forecast f = simulate(&plan);
        assert_int_equal(blind.n_ahead, 0);
        assert_int_equal(f.n_ahead > 0, ranks > 2);
        assert_true(f.n_foreseen <= f.n_ahead);
        if (ranks > 30)
            assert_true(f.n_foreseen > f.n_ahead / 2);
        assert_int_equal(f.n_records, blind.n_records);
        assert_int_equal(f.selected, blind.selected);
        assert_int_equal(f.n_steps, blind.n_steps);
        for (size_t i = 0; i < f.n_steps; i++)
            assert_int_equal(f.steps[i].n_trials, blind.steps[i].n_trials);
        assert_true(f.makespan_s < 1.05 * blind.makespan_s);
    }
}

/* What a failing rank holds up at the end is done by others. */
static void failures_cost_little_beyond_themselves(void **state)
{
    struct qsv_plan plan = plan_of(*state, 17);
    struct qsv_forecast sound = simulate(&plan);
    plan.how.failures_per_hour = 2;
    plan.how.restart_s = 600;
    struct qsv_forecast f = simulate(&plan);
    assert_true(f.troop.n_failures > 0);
    assert_int_equal(f.n_records, sound.n_records);
    assert_int_equal(f.selected, sound.selected);
    assert_true(f.makespan_s > sound.makespan_s);
    double lost_s = (double)f.troop.n_failures * 600 / 16;
    assert_true(f.makespan_s < 1.5 * sound.makespan_s + 3 * lost_s);
}

/* One factor for all: the longer an image takes, the longer a sweep. What has no weight is never
 * drawn. */
static void measured_times_take_the_place_of_speeds(void **state)
{
    double factors[] = {1, 50}, upto[] = {1, 1};
    struct qsv_troop_times times = {0.5, 0.5, factors, upto, 1};
    struct qsv_plan plan = plan_of(*state, 2);
    plan.how.times = &times;
    double even_s = simulate(&plan).troop.worked_s;
    plan.how.images_per_s = 7; /* of no account now */
    plan.how.task_spread = 3;
    times.n = 2;
    assert_true(simulate(&plan).troop.worked_s == even_s);
    times.integer_s = 0.25;
    double fast_s = simulate(&plan).troop.worked_s;
    assert_true(fast_s > 0.5 * even_s && fast_s < 0.95 * even_s);
    times.real_s = 0.25;
    assert_true(fabs(simulate(&plan).troop.worked_s / even_s - 0.5) < 0.05);
    upto[0] = 0;
    upto[1] = 1;
    factors[1] = 2;
    assert_true(fabs(simulate(&plan).troop.worked_s / even_s - 1) < 0.05);
}

static void assert_work(struct qsv_troop_work work, double real, double integer)
{
    assert_true(work.real == real && work.integer == integer);
}

/* By hand: a network of four equal layers. */
static void a_task_costs_what_it_does_not_share(void **state)
{
    (void)state;
    static const double prefix[] = {0, 1, 2, 3, 4};
    uint8_t formats[][4] = {
        {0, 0, 0, 0}, {0, 0, 0, QSV_INT4}, {0, 0, QSV_F16, QSV_INT4}, {QSV_INT2, 0, 0, 0}};
    struct qsv_trial_setting trials[4];
    for (int i = 0; i < 4; i++)
        trials[i] = (struct qsv_trial_setting){(uint64_t)i + 1, formats[i]};
    struct qsv_task all = {.n_trials = 4, .trials = trials};
    struct qsv_task last = {.n_trials = 2, .trials = trials + 2};
    assert_work(qsv_troop_work(&all, 4, prefix, false), 1 + 0.25 + 0.75, 0.25 + 0.25 + 0.25);
    assert_work(qsv_troop_work(&all, 4, prefix, true), 0.75 + 0.25 + 0.75, 0.25 + 0.25 + 0.25);
    assert_work(qsv_troop_work(&last, 4, prefix, false), 1 + 0.25 + 0.75, 0.25 + 0.25);
    assert_work(qsv_troop_work(&last, 4, prefix, true), 0.75 + 0.75, 0.25 + 0.25);
}

static void an_outline_is_the_published_network(void **state)
{
    (void)state;
    uint32_t widths[QSV_N_WIDTHS];
    struct qsv_model *m;
    assert_int_equal(qsv_widths_parse(widths, "128,256,512,640", &err), QSV_OK);
    assert_int_equal(qsv_blueprint_create(&m, widths, &err), QSV_OK);
    assert_int_equal(m->graph.n_layers, 138);
    assert_int_equal(m->graph.n_blocks, 26);
    assert_true(m->graph.n_weights > 54000000 && m->graph.n_weights < 56000000);
    qsv_model_destroy(m);
    static const char *const bad[] = {"", "1,2,3", "8,8,8,8,", "8,8,8,9", "8,8,8,100000"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(qsv_widths_parse(widths, bad[i], &err), QSV_EUSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_forecast),
        cmocka_unit_test(work_is_conserved),
        cmocka_unit_test(looking_ahead_changes_no_record),
        cmocka_unit_test(failures_cost_little_beyond_themselves),
        cmocka_unit_test(measured_times_take_the_place_of_speeds),
        cmocka_unit_test(a_task_costs_what_it_does_not_share),
        cmocka_unit_test(an_outline_is_the_published_network),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
