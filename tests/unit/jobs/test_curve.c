/* The line through what is measured, against numpy's figures; and the predicted curve in worlds
 * whose law is known, played from what a search has recorded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "jobs/strategies/curve.h"
#include "jobs/strategies/line.h"
#include "tests/unit/jobs/synthetic.h"

static struct qsv_line line_of(const double *x, const double *y, const double *e, int n)
{
    struct qsv_line_sums sums = {0};
    for (int i = 0; i < n; i++)
        qsv_line_add(&sums, x[i], y[i], e[i]);
    return qsv_line_fit(&sums);
}

static void assert_near(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-4 * fabs(expected)))
        fail_msg("%.9g in place of %.9g", found, expected);
}

static const double xs[] = {1, 2, 3, 5, 8}, errors[] = {0.2, 0.3, 0.25, 0.5, 0.4};

static void test_a_line_is_that_of_least_squares(void **state)
{
    (void)state;
    static const double close[] = {0.7, 1.4, 2.9, 4.1, 7.6}, far[] = {0.7, 3.4, 0.9, 6.1, 7.6};
    struct qsv_line l = line_of(xs, close, errors, 5);
    assert_int_equal(l.degrees, 3);
    assert_near(qsv_line_y(&l, 6), 5.580096);
    assert_near(qsv_line_x(&l, 5.580096), 6);
    assert_near(qsv_line_margin(&l, 6, 0.35), 1.5700706);
    l = line_of(xs, far, errors, 5);
    assert_near(l.scatter, 30.2973778);
    assert_near(qsv_line_y(&l, 6), 5.46839553);
    assert_near(qsv_line_margin(&l, 6, 0.35), 8.64214807);
}

static void test_few_points_make_a_line_through_0(void **state)
{
    (void)state;
    static const double y[] = {1.2, 1.9}, falling[] = {9, 5, 4, 3, 2};
    struct qsv_line l = line_of(xs, y, errors, 2);
    assert_near(l.slope, 1.08235294);
    assert_true(fabs(qsv_line_y(&l, 0)) < 1e-12);
    assert_near(qsv_line_margin(&l, 4, 0.1), 9.79282717);
    l = line_of(xs, y, errors, 1);
    assert_near(qsv_line_y(&l, 3), 3.6);
    assert_true(isnan(qsv_line_margin(&l, 3, 0.1)));
    l = line_of(xs, falling, errors, 5);
    assert_true(fabs(qsv_line_y(&l, 0)) < 1e-12);
    l = line_of(xs, y, errors, 0);
    assert_true(isnan(qsv_line_y(&l, 1)) && isnan(qsv_line_x(&l, 1)));
}

/* Student's quantile beyond the table: scipy.stats.t.ppf(0.975, n). */
static void test_margins_of_many_points(void **state)
{
    (void)state;
    static const struct {
        int n;
        double t;
    } rows[] = {{14, 2.178813}, {15, 2.160369}, {22, 2.085963}, {102, 1.983972}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct qsv_line_sums sums = {0};
        for (int k = 0; k < rows[i].n; k++)
            qsv_line_add(&sums, k + 1, 2 * (k + 1) - 1, 0.5);
        const struct qsv_line l = qsv_line_fit(&sums);
        assert_near(qsv_line_margin(&l, l.x_mean, 1.2), rows[i].t * 1.3); /* 0.5^2 + 1.2^2 */
    }
}

/* Five formats, KL that adds up and losses that tell it. */
static struct world *curve_world(uint32_t n_layers, uint64_t seed)
{
    static const uint8_t low[] = {QSV_INT4, QSV_INT3, QSV_INT2, QSV_TERNARY, QSV_BINARY};
    struct world *w = world_create(n_layers, seed);
    memcpy(w->spec.search.formats, low, sizeof low);
    w->spec.search.n_formats = sizeof low;
    memset(w->floor, 0, sizeof w->floor);
    world_know_losses(w, seed);
    return w;
}

static enum qsv_status try_trace(struct world *w, uint32_t most, struct qsv_curve *out,
                                 struct qsv_error *err)
{
    struct qsv_space *space = NULL;
    world_forget(w);
    enum qsv_status status = qsv_space_create(&space, &w->model, &w->spec, err);
    if (!status)
        status = qsv_curve_trace(out, space, &w->spec, &w->evaluator, most, err);
    qsv_space_destroy(space);
    return status;
}

static struct qsv_curve trace(struct world *w, uint32_t most)
{
    struct qsv_curve c;
    struct qsv_error err = {0};
    if (try_trace(w, most, &c, &err))
        fail_msg("%s", err.text);
    return c;
}

static enum qsv_status find_at(struct world *w, double bound, struct qsv_curve_point *p,
                               struct qsv_error *err)
{
    struct qsv_space *space = NULL;
    world_forget(w);
    enum qsv_status status = qsv_space_create(&space, &w->model, &w->spec, err);
    if (!status)
        status = qsv_curve_at(p, space, &w->spec, &w->evaluator, bound, err);
    qsv_space_destroy(space);
    return status;
}

static struct qsv_metrics judge(struct world *w, const uint8_t *formats)
{
    struct qsv_metrics m;
    world_answer(w, formats, QSV_JUDGE, 0, &m);
    return m;
}

static void test_an_exact_world_is_foretold(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct world *w = curve_world(24, seed);
        struct qsv_curve c = trace(w, 1000);
        assert_true(c.n > 50);
        for (size_t i = 0; i < c.n; i++) {
            const struct qsv_curve_point *p = &c.points[i];
            const struct qsv_metrics m = judge(w, p->formats);
            assert_true(fabs(p->drop - qsv_metrics_top1_drop(&m)) < 0.06); /* of whole images */
            assert_true(fabs(p->kl - qsv_metrics_kl(&m)) <= 1e-9 * p->kl);
            assert_int_equal(p->bytes.model_bytes, m.bytes.model_bytes);
            assert_true(p->low < p->drop && p->drop < p->high && p->n_images == 0);
            if (i) {
                assert_true(p[-1].bytes.model_bytes < p->bytes.model_bytes);
                assert_true(p[-1].drop >= p->drop);
            }
        }
        assert_true(c.points[0].drop <= 7.5 && c.points[0].drop > 6);
        qsv_curve_fini(&c);
        world_destroy(w);
    }
}

static void test_thinning_keeps_the_ends(void **state)
{
    (void)state;
    static const uint32_t most[] = {2, 3, 7, 24, 50};
    struct world *w = curve_world(40, 3);
    struct qsv_curve all = trace(w, 100000);
    for (size_t k = 0; k < sizeof most / sizeof *most; k++) {
        struct qsv_curve c = trace(w, most[k]);
        const struct qsv_curve_point *a = &all.points[all.n - 1], *b = &c.points[c.n - 1];
        assert_true(c.n <= most[k] && c.n >= (most[k] + 1) / 2);
        assert_memory_equal(c.points[0].formats, all.points[0].formats, 40);
        assert_memory_equal(a->formats, b->formats, 40);
        /* Nowhere more than two of as many steps as there may be, beside a move that is large. */
        const double range = all.points[0].drop - a->drop, step = 2.0 / (most[k] - 1);
        for (size_t i = 1; i < c.n; i++)
            assert_true(c.points[i - 1].drop - c.points[i].drop <= range * (2 * step + 0.1));
        qsv_curve_fini(&c);
    }
    qsv_curve_fini(&all);
    world_destroy(w);
}

/* In noisy worlds, whose deciding images are others, of each a few points. */
static void test_intervals_cover(void **state)
{
    (void)state;
    enum { WORLDS = 200, POINTS = 5 };
    int covered = 0, n = 0;
    double width = 0;
    for (uint64_t seed = 1; seed <= WORLDS; seed++) {
        struct world *w = curve_world(16, seed);
        w->n_images[QSV_JUDGE] = 2000;
        w->spec.has_calibration = true;
        world_add_images(w, seed, true);
        struct qsv_curve c = trace(w, POINTS);
        for (size_t i = 0; i < c.n; i++, n++) {
            const struct qsv_metrics m = judge(w, c.points[i].formats);
            const double drop = qsv_metrics_top1_drop(&m);
            covered += c.points[i].low <= drop && drop <= c.points[i].high;
            width += c.points[i].high - c.points[i].low;
        }
        qsv_curve_fini(&c);
        world_destroy(w);
    }
    printf("# %d of %d covered, mean width %.2f\n", covered, n, width / n);
    assert_true(n > 4 * WORLDS);
    assert_true(covered >= 0.92 * n && covered <= 0.995 * n);
}

static struct qsv_selection search(struct world *w)
{
    struct qsv_space *space = NULL;
    struct qsv_selection out = {0};
    world_forget(w);
    assert_int_equal(qsv_space_create(&space, &w->model, &w->spec, NULL), QSV_OK);
    assert_int_equal(
        qsv_strategy_find("frontier")->search(space, &w->spec, &w->evaluator, &out, NULL), QSV_OK);
    qsv_space_destroy(space);
    return out;
}

static struct qsv_curve_point at(struct world *w, double bound)
{
    struct qsv_curve_point p;
    struct qsv_error err = {0};
    if (find_at(w, bound, &p, &err))
        fail_msg("bound %g: %s", bound, err.text);
    return p;
}

/* What a search at 1.5 points says of other bounds, beside what searches at these select. */
static void test_other_bounds_are_answered(void **state)
{
    (void)state;
    static const double bounds[] = {0.5, 1, 2, 3};
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct world *w = curve_world(40, seed);
        for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
            struct qsv_curve_point p = at(w, bounds[i]);
            w->spec.constraint.max_top1_drop = bounds[i];
            struct qsv_selection s = search(w);
            w->spec.constraint.max_top1_drop = 1.5;
            const struct qsv_metrics m = judge(w, p.formats);
            assert_int_equal(m.bytes.model_bytes, p.bytes.model_bytes);
            assert_true(qsv_metrics_top1_drop(&m) <= bounds[i] + 0.02);
            assert_true((double)p.bytes.model_bytes < 1.05 * (double)s.judged.bytes.model_bytes);
            qsv_curve_point_fini(&p);
            qsv_selection_fini(&s);
        }
        world_destroy(w);
    }
}

/* At its own bound a search has measured the answer already. */
static void test_its_own_bound_is_answered_by_what_it_selected(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct world *w = curve_world(24, seed);
        struct qsv_selection s = search(w);
        struct qsv_curve_point p = at(w, 1.5);
        assert_true(s.meets);
        assert_memory_equal(p.formats, s.formats, 24);
        assert_true(p.n_images == s.judged.n_images);
        assert_true(p.drop == qsv_metrics_top1_drop(&s.judged));
        qsv_selection_fini(&s);
        qsv_curve_point_fini(&p);
        world_destroy(w);
    }
}

/* With margin and reserve, on images that the network has learned from. */
static void test_noisy_worlds_keep_other_bounds(void **state)
{
    (void)state;
    int kept = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct world *w = curve_world(24, seed);
        w->spec.has_calibration = true;
        w->spec.constraint.caution = (struct qsv_caution){2, 0.1};
        w->easier = 0.1;
        world_add_images(w, seed, true);
        struct qsv_curve_point p = at(w, 2.5);
        const struct qsv_metrics m = judge(w, p.formats);
        kept += qsv_metrics_top1_drop(&m) <= 2.5;
        assert_true(p.n_images || p.drop < 2.5);
        qsv_curve_point_fini(&p);
        world_destroy(w);
    }
    assert_true(kept >= 36);
}

/* Interrupted at any question: it says so, or predicts from what there is. */
static void test_an_interrupted_search_tells_what_it_knows(void **state)
{
    (void)state;
    struct world *w = curve_world(24, 2);
    struct qsv_curve c = trace(w, 24);
    const uint32_t calls = w->calls;
    qsv_curve_fini(&c);
    bool known = false;
    for (uint32_t fail_at = 1; fail_at <= calls; fail_at++) {
        struct qsv_error err = {0};
        w->fail_at = fail_at;
        const enum qsv_status status = try_trace(w, 24, &c, &err);
        assert_true(!known || status == QSV_OK);
        known = status == QSV_OK;
        if (known) {
            assert_true(c.n > 2);
        } else {
            assert_int_equal(status, QSV_EINPUT);
            assert_true(strstr(err.text, "interrupted") || strstr(err.text, "too few"));
        }
        qsv_curve_fini(&c);
    }
    assert_true(known);
    world_destroy(w);
}

static void test_what_no_setting_keeps(void **state)
{
    (void)state;
    struct world *w = curve_world(24, 2);
    struct qsv_curve_point p;
    struct qsv_error err = {0};
    w->spec.constraint.max_top1_drop = 50;
    w->evaluator.count = NULL; /* no races: a question a step */
    w->fail_at = 3;            /* nothing but the ends is measured: a line through 0 */
    assert_int_equal(find_at(w, 0, &p, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "to keep a drop of 0 points"));
    assert_null(p.formats);
    world_destroy(w);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct world *w = curve_world(6, 4);
    for (int of = 0; of < 2; of++) {
        enum qsv_status status = QSV_ENOMEM;
        long n = 0;
        while (status == QSV_ENOMEM) {
            struct qsv_curve c = {0};
            struct qsv_curve_point p = {0};
            struct qsv_error err = {0};
            qsv_alloc_fail_at(++n);
            status = of ? find_at(w, 1, &p, &err) : try_trace(w, 3, &c, &err);
            qsv_alloc_fail_at(0);
            assert_true(status == QSV_OK || err.text[0]);
            qsv_curve_fini(&c);
            qsv_curve_point_fini(&p);
        }
        assert_int_equal(status, QSV_OK);
        assert_true(n > 20);
    }
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_is_that_of_least_squares),
        cmocka_unit_test(test_few_points_make_a_line_through_0),
        cmocka_unit_test(test_margins_of_many_points),
        cmocka_unit_test(test_an_exact_world_is_foretold),
        cmocka_unit_test(test_thinning_keeps_the_ends),
        cmocka_unit_test(test_intervals_cover),
        cmocka_unit_test(test_other_bounds_are_answered),
        cmocka_unit_test(test_its_own_bound_is_answered_by_what_it_selected),
        cmocka_unit_test(test_noisy_worlds_keep_other_bounds),
        cmocka_unit_test(test_an_interrupted_search_tells_what_it_knows),
        cmocka_unit_test(test_what_no_setting_keeps),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
