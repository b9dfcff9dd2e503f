/* What simulations learn from a run: a ledger whose times follow from two speeds that were chosen
 * here, so that they must come out again. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/setting.h"
#include "runner/search/recorded.h"

enum { N_LAYERS = 4, SHARD_IMAGES = 16 };
static const double real_s = 0.1, integer_s = 0.02; /* of an image */

static struct qsv_error err;

/* Four equal layers. */
static struct qsv_layer layers[N_LAYERS] = {{.macs = 5}, {.macs = 5}, {.macs = 5}, {.macs = 5}};
static struct qsv_model model = {.graph = {.layers = layers, .n_layers = N_LAYERS}};

static const uint8_t none[N_LAYERS] = {0}, last[N_LAYERS] = {0, 0, 0, QSV_INT8},
                     all[N_LAYERS] = {QSV_INT4, QSV_INT4, QSV_INT4, QSV_INT4},
                     first[N_LAYERS] = {QSV_INT2, 0, 0, QSV_F16},
                     second[N_LAYERS] = {0, QSV_INT4, 0, 0};

static void add(struct qsv_ledger *l, const uint8_t *formats, uint32_t attempt, uint32_t rank,
                uint32_t shard, double end_s, double wall_s)
{
    struct qsv_trial_row *trial;
    struct qsv_evaluation *e;
    uint64_t id = qsv_setting_id(formats, N_LAYERS);
    struct qsv_record r = {.trial_id = id,
                           .attempt = attempt,
                           .rank = rank,
                           .shard = shard,
                           .n_images = SHARD_IMAGES,
                           .wall_s = wall_s,
                           .t_end_unix_s = end_s};
    assert_int_equal(qsv_ledger_add_trial(l, id, formats, &trial, &err), QSV_OK);
    assert_int_equal(qsv_ledger_add_record(l, &r, &e, &err), QSV_OK);
    assert_non_null(e);
}

static void add_attempt(struct qsv_ledger *l, uint32_t number, uint32_t ranks)
{
    assert_true(qsv_grow(&l->attempts, &l->cap_attempts, l->n_attempts + 1, sizeof *l->attempts));
    l->attempts[l->n_attempts++] = (struct qsv_attempt_row){.number = number, .ranks = ranks};
}

/* Attempt 1, seconds an image in whole networks (real + integer):
 *   rank 1, shard 0: baseline 1 + 0, and `last` 0 + 1/4 more      100.00 .. 101.68
 *   rank 1, shard 0: `all` 0 + 1, the baseline is known           102.68 .. 103.00
 *   rank 1, shard 1: baseline, not asked for, `last`, `all`       105.00 .. 107.00
 *   rank 2, shard 0: baseline, not asked for, `first` 3/4 + 1/4   101.12 .. 104.00
 *   rank 2, shard 0: `second` 3/4 + 1/4, after a long wait        134.00 .. 135.28
 * Attempt 2: a task that says nothing of the two speeds. */
static void make(struct qsv_ledger *l)
{
    *l = (struct qsv_ledger){.shape = {.n_layers = N_LAYERS},
                             .baseline = qsv_setting_id(none, N_LAYERS)};
    assert_int_equal(
        qsv_partition_init(&l->partition, (uint64_t)2 * SHARD_IMAGES, 0, SHARD_IMAGES, 1, &err),
        QSV_OK);
    add(l, none, 1, 1, 0, 101.68, 1.68 / 2);
    add(l, last, 1, 1, 0, 101.68, 1.68 / 2);
    add(l, all, 1, 1, 0, 103, 0.32);
    add(l, last, 1, 1, 1, 107, 1);
    add(l, all, 1, 1, 1, 107, 1);
    add(l, first, 1, 2, 0, 104, 2.88);
    add(l, second, 1, 2, 0, 135.28, 1.28);
    add(l, first, 2, 1, 1, 200, 8);
    add_attempt(l, 1, 3);
    add_attempt(l, 2, 2);
}

static void fini(struct qsv_ledger *l)
{
    qsv_partition_fini(&l->partition);
    qsv_ledger_fini(l);
}

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-9 * fabs(b)))
        fail_msg("%.12g is not %.12g", a, b);
}

static void speeds_come_out_again(void **state)
{
    static const double works[] = {1.6 + 0.08, 0.32, 2.0, 2.88, 1.28};
    struct qsv_ledger l;
    struct qsv_recorded_times t;
    double sum = 0;
    (void)state;
    make(&l);
    assert_int_equal(qsv_recorded_times_init(&t, &l, &model, 1, &err), QSV_OK);
    assert_near(t.tasks.real_s, real_s);
    assert_near(t.tasks.integer_s, integer_s);
    assert_int_equal(t.tasks.n, 5);
    for (size_t i = 0; i < t.tasks.n; i++) {
        assert_near(t.tasks.factors[i], 1);
        assert_near(t.tasks.upto[i], sum += works[i]);
    }
    assert_near(t.record_s, 1.5); /* of gaps of 1, 2 and 30 */
    assert_near(t.span_s, 35.28);
    assert_int_equal(t.ranks, 3);
    qsv_recorded_times_fini(&t);
    fini(&l);
}

/* Whatever noise there is, tasks take all together what they took. */
static void factors_keep_the_sum(void **state)
{
    struct qsv_ledger l;
    struct qsv_recorded_times t;
    double sum = 0, before = 0, took = 0;
    (void)state;
    make(&l);
    for (size_t i = 0; i < l.n_evaluations; i++) {
        struct qsv_record *r = &l.evaluations[i]->record;
        r->wall_s *= 1 + 0.3 * (double)(i % 3);
        took += r->attempt == 1 ? r->wall_s : 0;
    }
    assert_int_equal(qsv_recorded_times_init(&t, &l, &model, 1, &err), QSV_OK);
    for (size_t i = 0; i < t.tasks.n; i++) {
        sum += t.tasks.factors[i] * (t.tasks.upto[i] - before);
        before = t.tasks.upto[i];
    }
    assert_near(sum, took);
    assert_near(before, took);
    qsv_recorded_times_fini(&t);
    fini(&l);
}

static void one_speed_where_two_cannot_be_told_apart(void **state)
{
    struct qsv_ledger l;
    struct qsv_recorded_times t;
    (void)state;
    make(&l);
    assert_int_equal(qsv_recorded_times_init(&t, &l, &model, 0, &err), QSV_OK); /* the last one */
    assert_int_equal(t.tasks.n, 1);
    assert_near(t.tasks.real_s, 8.0 / (2 * SHARD_IMAGES)); /* the baseline, and `first` */
    assert_near(t.tasks.integer_s, t.tasks.real_s);
    assert_true(t.record_s == 0);
    assert_int_equal(t.ranks, 2);
    qsv_recorded_times_fini(&t);
    assert_int_equal(qsv_recorded_times_init(&t, &l, &model, 3, &err), QSV_EINPUT);
    assert_non_null(strstr(err.text, "attempt 3"));
    qsv_recorded_times_fini(&t);
    fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speeds_come_out_again),
        cmocka_unit_test(factors_keep_the_sum),
        cmocka_unit_test(one_speed_where_two_cannot_be_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
