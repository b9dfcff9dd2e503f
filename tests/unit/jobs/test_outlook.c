/* The outlook: moves up and down and exchanges, on tables small enough to work out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

#include "jobs/strategies/outlook.h"

static const struct qsv_space space = {
    .n_groups = 3, .n_layers = 3, .formats = {QSV_INT4, QSV_INT2}, .n_formats = 2};

/* KL and bytes of three groups at f32, int4, int2:
 *   0: 0, 1, 2     320, 40, 20     down: 280 for 1 nat, then 20 for 1
 *   1: 0, 1, 9     640, 80, 40           560 for 1, then 40 for 8
 *   2: 0, 4, 4.2   160, 20, 10           150 for 4.2 at once is better than 140 for 4 */
static struct qsv_outlook tables(void)
{
    static const double kl[3][2] = {{1, 2}, {1, 9}, {4, 4.2}};
    static const double bytes[3] = {320, 640, 160};
    struct qsv_outlook o;
    assert_int_equal(qsv_outlook_init(&o, &space, NULL), QSV_OK);
    for (int g = 0; g < 3; g++) {
        o.kl[g][QSV_INT4] = kl[g][0];
        o.kl[g][QSV_INT2] = kl[g][1];
        o.bytes[g][QSV_INT4] = bytes[g] / 8 - bytes[g];
        o.bytes[g][QSV_INT2] = bytes[g] / 16 - bytes[g];
    }
    o.base_bytes = 1120;
    return o;
}

static void assert_formats(const uint8_t *formats, uint8_t a, uint8_t b, uint8_t c)
{
    assert_int_equal(formats[0], a);
    assert_int_equal(formats[1], b);
    assert_int_equal(formats[2], c);
}

static void test_sums(void **state)
{
    (void)state;
    struct qsv_outlook o = tables();
    uint8_t formats[] = {QSV_INT2, QSV_F32, QSV_INT4};
    o.pinned_kl = 0.5;
    o.factor[0] = 3;
    assert_true(fabs(qsv_outlook_kl(&o, formats) - 10.5) < 1e-12);
    assert_true(fabs(qsv_outlook_bytes(&o, formats) - 680) < 1e-12);
    qsv_outlook_fini(&o);
}

static void test_lowers_best_ratio_first(void **state)
{
    (void)state;
    struct qsv_outlook o = tables();
    static const struct {
        double kl;
        uint8_t formats[3];
    } rows[] = {
        {0.9, {QSV_F32, QSV_F32, QSV_F32}},
        {1, {QSV_F32, QSV_INT4, QSV_F32}},  /* 560 a nat before 280 */
        {2, {QSV_INT4, QSV_INT4, QSV_F32}}, /* then 280 */
        {3, {QSV_INT2, QSV_INT4, QSV_F32}}, /* 36 a nat doesn't fit, 20 a nat does */
        {6.3, {QSV_INT4, QSV_INT4, QSV_INT2}},
        {7.3, {QSV_INT2, QSV_INT4, QSV_INT2}},
        {15.3, {QSV_INT2, QSV_INT2, QSV_INT2}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t formats[3] = {QSV_F32, QSV_F32, QSV_F32};
        qsv_outlook_lower_within(&o, formats, rows[i].kl);
        assert_memory_equal(formats, rows[i].formats, 3);
    }
    qsv_outlook_fini(&o);
}

static void test_barred_groups_stay(void **state)
{
    (void)state;
    struct qsv_outlook o = tables();
    uint8_t formats[3] = {QSV_F32, QSV_F32, QSV_F32};
    uint32_t group;
    o.barred[1] = 1;
    assert_true(qsv_outlook_lower_one(&o, formats, &group));
    assert_int_equal(group, 0);
    qsv_outlook_lower_within(&o, formats, INFINITY);
    assert_formats(formats, QSV_INT2, QSV_F32, QSV_INT2);
    o.barred[0] = o.barred[2] = 1;
    assert_false(qsv_outlook_lower_one(&o, formats, &group));
    qsv_outlook_fini(&o);
}

static void test_lowers_by_a_saving(void **state)
{
    (void)state;
    struct qsv_outlook o = tables();
    uint8_t formats[3] = {QSV_F32, QSV_F32, QSV_F32};
    qsv_outlook_lower_by(&o, formats, 560);
    assert_formats(formats, QSV_F32, QSV_INT4, QSV_F32);
    qsv_outlook_lower_by(&o, formats, 0.5);
    assert_formats(formats, QSV_INT4, QSV_INT4, QSV_F32);
    qsv_outlook_lower_by(&o, formats, 1e9); /* all there is */
    assert_formats(formats, QSV_INT2, QSV_INT2, QSV_INT2);
    qsv_outlook_fini(&o);
}

static void test_raises_best_ratio_first(void **state)
{
    (void)state;
    struct qsv_outlook o = tables();
    uint8_t formats[3] = {QSV_INT2, QSV_INT2, QSV_INT2}; /* 15.2 nats */
    qsv_outlook_raise_to(&o, formats, 15);               /* 8 / 40 nats a byte */
    assert_formats(formats, QSV_INT2, QSV_INT4, QSV_INT2);
    qsv_outlook_raise_to(&o, formats, 7); /* 1 / 20 */
    assert_formats(formats, QSV_INT4, QSV_INT4, QSV_INT2);
    qsv_outlook_raise_to(&o, formats, 6); /* 4.2 / 150 beats 0.2 / 10 */
    assert_formats(formats, QSV_INT4, QSV_INT4, QSV_F32);
    qsv_outlook_raise_to(&o, formats, 0);
    assert_formats(formats, QSV_F32, QSV_F32, QSV_F32);
    qsv_outlook_raise_to(&o, formats, -1); /* nothing left */
    qsv_outlook_fini(&o);
}

static void test_raises_where_there_is_room(void **state)
{
    (void)state;
    struct qsv_outlook o = tables();
    uint8_t formats[3] = {QSV_INT2, QSV_INT2, QSV_INT2};
    struct qsv_room room = {INFINITY, 35, INFINITY}; /* not group 1 (40): 0 (20), then 2 (10) */
    qsv_outlook_raise_within(&o, formats, room);
    assert_formats(formats, QSV_INT4, QSV_INT2, QSV_INT4);
    qsv_outlook_fini(&o);
}

/* Group 1 at int2 (40 bytes for 8 nats) is a bad bargain: exchanged for groups 2 (150 for 4.2) and
 * 0 (300 for 2). */
static void test_exchange(void **state)
{
    (void)state;
    struct qsv_outlook o = tables();
    uint8_t formats[3] = {QSV_F32, QSV_INT2, QSV_F32};
    double kl = qsv_outlook_kl(&o, formats);
    assert_int_equal(qsv_outlook_exchange(&o, formats, kl, 1), 1);
    assert_formats(formats, QSV_INT2, QSV_INT4, QSV_INT2);
    assert_true(qsv_outlook_kl(&o, formats) <= kl);
    assert_int_equal(qsv_outlook_exchange(&o, formats, kl, 9), 0);
    assert_formats(formats, QSV_INT2, QSV_INT4, QSV_INT2);
    qsv_outlook_fini(&o);
}

static void test_energy_counts_where_asked(void **state)
{
    (void)state;
    struct qsv_outlook o = tables();
    uint8_t formats[3] = {QSV_F32, QSV_F32, QSV_F32};
    uint32_t group;
    o.energy[0][QSV_INT4] = -10;
    o.energy[1][QSV_INT4] = -5;
    o.energy[2][QSV_INT4] = -1;
    o.by_energy = true;
    assert_true(qsv_outlook_lower_one(&o, formats, &group));
    assert_int_equal(group, 0);
    assert_int_equal(formats[0], QSV_INT4);
    assert_true(fabs(qsv_outlook_energy(&o, formats) + 10) < 1e-12);
    qsv_outlook_fini(&o);
}

static void test_learns_half_way(void **state)
{
    (void)state;
    struct qsv_outlook o = tables();
    uint8_t from[3] = {QSV_INT4, QSV_INT4, QSV_F32}, to[3] = {QSV_INT2, QSV_INT4, QSV_F32};
    qsv_outlook_learn(&o, from, 5, to, 6.44, 1); /* 1 nat foretold, 1.44 measured */
    assert_true(fabs(o.factor[0] - 1.2) < 1e-12);
    assert_true(o.factor[1] == 1 && o.factor[2] == 1);
    qsv_outlook_learn(&o, from, 5, to, 4, 1); /* less than nothing: by half at most */
    assert_true(fabs(o.factor[0] - 1.2 * sqrt(0.5)) < 1e-12);
    qsv_outlook_learn(&o, from, 5, from, 6, 1); /* no difference teaches nothing */
    assert_true(fabs(o.factor[0] - 1.2 * sqrt(0.5)) < 1e-12);
    for (int i = 0; i < 20; i++)
        qsv_outlook_learn(&o, from, 5, to, 50, 1);
    assert_true(o.factor[0] == 4);
    qsv_outlook_fini(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_lowers_best_ratio_first),
        cmocka_unit_test(test_barred_groups_stay),
        cmocka_unit_test(test_lowers_by_a_saving),
        cmocka_unit_test(test_raises_best_ratio_first),
        cmocka_unit_test(test_raises_where_there_is_room),
        cmocka_unit_test(test_exchange),
        cmocka_unit_test(test_energy_counts_where_asked),
        cmocka_unit_test(test_learns_half_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
