/* Races: what surely exceeds the drop is left before the end, and it is noted why; what keeps it is
 * measured to the end; an image counts once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jobs/strategies/search.h"
#include "tests/unit/jobs/synthetic.h"

struct meet { /* a pool with every layer at int6, int4, int3 and int2 */
    struct world *w;
    struct qsv_space *space;
    struct qsv_selection out;
    struct qsv_error err;
    struct qsv_search search;
    struct qsv_pool pool;
};

static void begin(struct meet *m, double slope, uint64_t n_images, double reserve)
{
    static const uint8_t formats[] = {QSV_INT6, QSV_INT4, QSV_INT3, QSV_INT2};
    *m = (struct meet){.w = world_create(16, 1)};
    m->w->slope = slope;
    assert_int_equal(qsv_space_create(&m->space, &m->w->model, &m->w->spec, &m->err), QSV_OK);
    m->search = (struct qsv_search){m->space, &m->w->spec, &m->w->evaluator, &m->out, &m->err};
    m->pool = (struct qsv_pool){
        .set = QSV_JUDGE, .n_images = n_images, .caution = {.reserve = reserve}, .races = true};
    for (int i = 0; i < 4; i++) {
        uint8_t groups[16];
        memset(groups, formats[i], sizeof groups);
        assert_int_equal(qsv_pool_add(&m->pool, &m->search, groups, 0, "all", NULL), QSV_OK);
    }
}

static void end(struct meet *m)
{
    qsv_pool_fini(&m->pool);
    qsv_selection_fini(&m->out);
    qsv_space_destroy(m->space);
    world_destroy(m->w);
}

static void test_what_surely_fails_is_left_early(void **state)
{
    (void)state;
    struct meet m;
    struct qsv_metrics baseline = {0};
    begin(&m, 40, 8192, 0);
    assert_int_equal(qsv_pool_race(&m.pool, &m.search, "step", &baseline), QSV_OK);
    assert_int_equal(m.pool.n_measured, 4);
    assert_int_equal(baseline.n_images, 8192);
    uint64_t forwards = 8192;
    uint32_t left = 0;
    for (size_t i = 0; i < 4; i++) {
        const struct qsv_metrics *e = &m.pool.entries[i].metrics;
        forwards += e->n_images;
        left += e->n_images < 8192;
        if (e->n_images < 8192)
            assert_true(qsv_metrics_top1_drop(e) > m.w->spec.constraint.max_top1_drop);
        if (qsv_metrics_top1_drop(e) <= m.w->spec.constraint.max_top1_drop)
            assert_int_equal(e->n_images, 8192);
    }
    assert_true(left >= 1 && left <= 3);
    assert_true(m.pool.entries[3].metrics.n_images <= 2048); /* int2 is far off */
    assert_int_equal(m.out.image_forwards, forwards);
    /* And finished, where it is selected after all. */
    assert_int_equal(qsv_pool_finish(&m.pool, &m.search, "step", 3), QSV_OK);
    assert_int_equal(m.pool.entries[3].metrics.n_images, 8192);
    assert_true(m.out.image_forwards > forwards);
    end(&m);
}

static struct {
    uint32_t n;
    uint64_t trial_id[4];
    char why[4][160];
} notes;

static enum qsv_status keep_note(void *context, const struct qsv_step *step, struct qsv_error *err)
{
    (void)context;
    (void)err;
    assert_string_equal(step->name, "step");
    assert_string_equal(step->decision, "leave");
    assert_true(notes.n < 4);
    notes.trial_id[notes.n] = step->trial_id;
    snprintf(notes.why[notes.n++], sizeof notes.why[0], "%s", step->why);
    return QSV_OK;
}

/* One note for each that is left, whose interval lies above the bound and holds the drop that all
 * images show. */
static void test_why_one_is_left_is_noted(void **state)
{
    (void)state;
    struct meet m;
    begin(&m, 40, 8192, 0.1);
    m.w->evaluator.note = keep_note;
    assert_int_equal(qsv_pool_race(&m.pool, &m.search, "step", NULL), QSV_OK);
    uint32_t n = 0;
    for (size_t i = 0; i < 4; i++) {
        const struct qsv_metrics *e = &m.pool.entries[i].metrics;
        double bound, drop, low, high;
        unsigned seen, all;
        if (e->n_images == 8192)
            continue;
        assert_true(notes.trial_id[n] == e->trial_id);
        assert_int_equal(sscanf(notes.why[n++],
                                "all: surely above %lf points: drop %lf after %u of %u images, "
                                "[%lf, %lf] on all of them",
                                &bound, &drop, &seen, &all, &low, &high),
                         6);
        assert_true(bound == 1.35 && fabs(drop - qsv_metrics_top1_drop(e)) < 0.006);
        assert_true(seen == 1024 && all == 8192);
        assert_int_equal(qsv_pool_finish(&m.pool, &m.search, "step", i), QSV_OK);
        assert_true(bound < low && low < high);
        assert_true(low <= qsv_metrics_top1_drop(e) && qsv_metrics_top1_drop(e) <= high);
    }
    assert_true(n >= 1 && n == notes.n);
    end(&m);
}

/* Few images, or no bound on the drop: one question. */
static void test_where_nothing_is_raced_for(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct meet m;
        begin(&m, 40, i ? 8192 : 512, 0);
        if (i)
            m.w->spec.constraint.max_top1_drop = NAN;
        assert_int_equal(qsv_pool_race(&m.pool, &m.search, "step", NULL), QSV_OK);
        assert_int_equal(m.w->calls, 1);
        for (size_t e = 0; e < 4; e++)
            assert_int_equal(m.pool.entries[e].metrics.n_images, i ? 8192 : 512);
        end(&m);
    }
}

/* What is kept of the bound in reserve is no part of it: more is left early, and never less. */
static void test_a_reserve_counts(void **state)
{
    (void)state;
    uint32_t fewer = 0;
    for (double slope = 1; slope < 100; slope *= 1.5) {
        uint64_t forwards[2];
        for (int i = 0; i < 2; i++) {
            struct meet m;
            begin(&m, slope, 8192, i ? 0.9 : 0);
            assert_int_equal(qsv_pool_race(&m.pool, &m.search, "step", NULL), QSV_OK);
            forwards[i] = m.out.image_forwards;
            end(&m);
        }
        assert_true(forwards[1] <= forwards[0]);
        fewer += forwards[1] < forwards[0];
    }
    assert_true(fewer >= 2);
}

static void test_a_failing_evaluator_ends_it(void **state)
{
    (void)state;
    for (uint32_t at = 1; at <= 2; at++) {
        struct meet m;
        begin(&m, 40, 8192, 0);
        m.w->fail_at = at;
        assert_int_equal(qsv_pool_race(&m.pool, &m.search, "step", NULL), QSV_ESTOPPED);
        assert_int_equal(m.pool.n_measured, 0);
        end(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_surely_fails_is_left_early),
        cmocka_unit_test(test_why_one_is_left_is_noted),
        cmocka_unit_test(test_where_nothing_is_raced_for),
        cmocka_unit_test(test_a_reserve_counts),
        cmocka_unit_test(test_a_failing_evaluator_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
