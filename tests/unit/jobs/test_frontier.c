/* The strategy `frontier` in synthetic worlds: what it measures and foretells, that its base
 * settings lie on the frontier of divergence against bytes, and how near to the optimum it ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "jobs/strategies/qsvit.h"
#include "tests/unit/jobs/optimum.h"

static void offer(struct world *w, const uint8_t *formats, uint32_t n)
{
    memcpy(w->spec.search.formats, formats, n);
    w->spec.search.n_formats = n;
}

/* KL adds up and losses tell it; int4 down to binary are offered. */
static struct world *frontier_world(uint32_t n_layers, uint64_t seed)
{
    static const uint8_t low[] = {QSV_INT4, QSV_INT3, QSV_INT2, QSV_TERNARY, QSV_BINARY};
    struct world *w = world_create(n_layers, seed);
    offer(w, low, 5);
    memset(w->floor, 0, sizeof w->floor);
    world_know_losses(w, seed);
    return w;
}

static struct qsv_selection search(struct world *w)
{
    return search_by(w, "frontier");
}

struct stage { /* a search after its first step */
    struct world *w;
    struct qsv_space *space;
    struct qsv_selection out;
    struct qsv_error err;
    struct qsv_qsvit q;
};

static void begin(struct stage *s, struct world *w)
{
    *s = (struct stage){.w = w};
    assert_int_equal(qsv_space_create(&s->space, &w->model, &w->spec, &s->err), QSV_OK);
    s->q = (struct qsv_qsvit){
        .frontier = true,
        .search = {s->space, &w->spec, &w->evaluator, &s->out, &s->err},
        .decided = {.set = QSV_DECIDE, .n_images = w->spec.search.decision_images},
        .final = {.set = QSV_JUDGE},
    };
    assert_int_equal(qsv_outlook_init(&s->q.outlook, s->space, &s->err), QSV_OK);
    assert_int_equal(qsv_qsvit_sensitivity(&s->q), QSV_OK);
}

static void end(struct stage *s)
{
    qsv_outlook_fini(&s->q.outlook);
    qsv_selection_fini(&s->out);
    qsv_space_destroy(s->space);
    world_destroy(s->w);
}

static void test_probe(void **state)
{
    (void)state;
    static const struct {
        struct qsv_space space;
        uint8_t probe;
    } rows[] = {
        {{.formats = {QSV_BINARY}, .n_formats = 1}, QSV_BINARY},
        {{.formats = {QSV_F32}, .n_formats = 1}, QSV_F32},
        {{.formats = {QSV_F32, QSV_BINARY}, .n_formats = 2}, QSV_BINARY},
        {{.formats = {QSV_F32, QSV_F16}, .n_formats = 2}, QSV_F16},
        {{.formats = {QSV_INT8}, .n_formats = 1}, QSV_INT8},
        {{.formats = {QSV_INT8, QSV_INT3}, .n_formats = 2}, QSV_INT3},
        {{.formats = {QSV_INT4, QSV_INT2, QSV_BINARY}, .n_formats = 3}, QSV_INT2},
        {{.formats = {QSV_INT2, QSV_TERNARY}, .n_formats = 2}, QSV_TERNARY},
        {{.formats = {QSV_F32, QSV_INT4, QSV_TERNARY, QSV_BINARY}, .n_formats = 4}, QSV_TERNARY},
        {{.formats = {QSV_TERNARY, QSV_NONE}, .n_formats = 2}, QSV_TERNARY},
        {{.formats = {QSV_F32, QSV_NONE}, .n_formats = 2}, QSV_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (qsv_frontier_probe(&rows[i].space) != rows[i].probe)
            fail_msg("row %zu: %s", i, qsv_format_info(qsv_frontier_probe(&rows[i].space))->name);
}

static void test_one_format_of_every_group_is_measured(void **state)
{
    (void)state;
    struct world *w = frontier_world(24, 1);
    for (int by = 0; by < 2; by++) {
        const uint8_t probe = by ? QSV_INT3 : QSV_TERNARY;
        static const uint8_t others[] = {QSV_INT6, QSV_INT3, QSV_BINARY};
        if (by)
            offer(w, others, 3);
        struct qsv_selection s = search(w);
        assert_int_equal(s.n_probes, 1);
        assert_int_equal(s.probes[0], probe);
        assert_int_equal(w->probed, 1 + 24);
        assert_int_equal(s.n_evaluations, 1 + 24 + w->asked[QSV_DECIDE] + w->asked[QSV_JUDGE]);
        for (uint32_t g = 0; g < 24; g++) {
            uint8_t alone[24] = {0};
            alone[g] = probe;
            assert_int_equal(s.sensitivity[g].metrics.trial_id, qsv_setting_id(alone, 24));
        }
        qsv_selection_fini(&s);
    }
    world_destroy(w);
}

/* By output losses: exactly, where they are what the divergence is proportional to. */
static void test_foretells_by_losses(void **state)
{
    (void)state;
    struct stage s;
    begin(&s, frontier_world(24, 2));
    for (uint32_t g = 0; g < 24; g++)
        for (uint32_t i = 1; i < s.q.outlook.n_options; i++) {
            const uint8_t f = s.q.outlook.options[i];
            assert_true(fabs(s.q.outlook.kl[g][f] / s.w->kl[g][f] - 1) < 1e-9);
        }
    end(&s);
}

/* Where a layer's loss isn't known, by rounding errors: a fourth a bit. */
static void test_foretells_by_bits_what_has_no_losses(void **state)
{
    (void)state;
    for (int none = 0; none < 2; none++) {
        struct stage s;
        struct world *w = frontier_world(24, 2);
        if (none)
            w->evaluator.loss = NULL;
        else
            w->output[7] = NAN;
        begin(&s, w);
        for (uint32_t g = 0; g < 24; g++) {
            const double *kl = s.q.outlook.kl[g];
            const bool known = !none && g != 7;
            assert_true(fabs(kl[QSV_TERNARY] / w->kl[g][QSV_TERNARY] - 1) < 1e-9);
            assert_true(fabs(kl[QSV_INT2] / kl[QSV_INT3] - 4) < 1e-9 || known);
            assert_true(fabs(kl[QSV_BINARY] / kl[QSV_TERNARY] - 2.2973967) < 1e-6 || known);
            assert_true(fabs(kl[QSV_INT2] / w->kl[g][QSV_INT2] - 1) < 1e-9 || !known);
        }
        end(&s);
    }
}

/* A group of several layers: each layer's ratio counts by its part of the weights. */
static void test_foretells_groups_by_weights(void **state)
{
    (void)state;
    struct stage s;
    struct world *w = frontier_world(8, 3);
    w->spec.search.granularity = QSV_BY_BLOCK;
    begin(&s, w);
    assert_int_equal(s.space->n_groups, 2);
    for (uint32_t g = 0; g < 2; g++) {
        double measured = 0, ratio = 0;
        for (uint32_t l = 4 * g; l < 4 * g + 4; l++) {
            measured += w->kl[l][QSV_TERNARY];
            ratio += (double)w->layers[l].n_weights / (double)s.space->groups[g].n_weights *
                     w->kl[l][QSV_INT3] / w->kl[l][QSV_TERNARY];
        }
        assert_true(fabs(s.q.outlook.kl[g][QSV_TERNARY] / measured - 1) < 1e-9);
        assert_true(fabs(s.q.outlook.kl[g][QSV_INT3] / (measured * ratio) - 1) < 1e-9);
    }
    end(&s);
}

/* f32 among the formats is no probe: everything would be foretold to cost nothing. */
static void test_f32_foretells_nothing(void **state)
{
    (void)state;
    static const uint8_t formats[] = {QSV_F32, QSV_BINARY};
    struct stage s;
    struct world *w = frontier_world(8, 3);
    offer(w, formats, 2);
    begin(&s, w);
    for (uint32_t g = 0; g < 8; g++) {
        assert_true(fabs(s.q.outlook.kl[g][QSV_BINARY] / w->kl[g][QSV_BINARY] - 1) < 1e-9);
        assert_true(isfinite(s.q.outlook.energy[g][QSV_BINARY]));
    }
    end(&s);
}

/* What leaving a layer out does is measured, whatever its loss says, and done where that pays. */
static void test_none_is_measured(void **state)
{
    (void)state;
    static const uint8_t formats[] = {QSV_INT4, QSV_TERNARY, QSV_BINARY, QSV_NONE};
    for (int known = 0; known < 2; known++) {
        struct stage s;
        struct world *w = frontier_world(24, 4);
        offer(w, formats, 4);
        if (!known)
            w->evaluator.loss = NULL;
        for (uint32_t l = 0; l < 24; l += 4)
            w->kl[l][QSV_NONE] = 1.1 * w->kl[l][QSV_BINARY];
        struct qsv_selection found = search(w);
        assert_consistent(w, &found);
        assert_true(found.meets);
        assert_int_equal(found.n_probes, 2);
        assert_int_equal(w->probed, 1 + 2 * 24 + 1);
        assert_non_null(memchr(found.formats, QSV_NONE, 24));
        qsv_selection_fini(&found);
        begin(&s, w);
        for (uint32_t g = 0; g < 24; g++) {
            const struct qsv_outlook *o = &s.q.outlook;
            assert_true(fabs(o->kl[g][QSV_NONE] / w->kl[g][QSV_NONE] - 1) < 1e-9);
            assert_true(fabs(o->kl[g][QSV_TERNARY] / w->kl[g][QSV_TERNARY] - 1) < 1e-9);
            assert_true(!known || fabs(o->kl[g][QSV_BINARY] / w->kl[g][QSV_BINARY] - 1) < 1e-9);
            assert_true(o->bytes[g][QSV_NONE] < o->bytes[g][QSV_BINARY]);
            assert_true(o->energy[g][QSV_NONE] < o->energy[g][QSV_BINARY]);
        }
        end(&s);
    }
}

/* Where codes do less together than alone, what adds up counts for more. */
static void test_none_adds_up(void **state)
{
    (void)state;
    static const uint8_t formats[] = {QSV_TERNARY, QSV_BINARY, QSV_NONE};
    struct stage s;
    struct world *w = frontier_world(24, 4);
    offer(w, formats, 3);
    for (uint32_t l = 0; l < 24; l++)
        w->among[l] = 0.25;
    begin(&s, w);
    for (uint32_t g = 0; g < 24; g++) {
        const double *kl = s.q.outlook.kl[g];
        assert_true(fabs(kl[QSV_NONE] / (4 * w->kl[g][QSV_NONE]) - 1) < 1e-9);
        assert_true(fabs(kl[QSV_TERNARY] / w->kl[g][QSV_TERNARY] - 1) < 1e-9);
    }
    end(&s);
}

/* What a group costs at a format and a price. */
static double cost(const struct qsv_outlook *o, uint32_t g, uint8_t f, double price)
{
    return o->factor[g] * o->kl[g][f] + price * o->bytes[g][f];
}

/* By trying every format: the least divergence + price x bytes. */
static void minimise(const struct qsv_outlook *o, double price, uint8_t *formats)
{
    for (uint32_t g = 0; g < o->space->n_groups; g++) {
        formats[g] = QSV_F32;
        for (uint32_t i = 1; i < o->n_options; i++)
            if (cost(o, g, o->options[i], price) < cost(o, g, formats[g], price))
                formats[g] = o->options[i];
    }
}

/* The prices at which no other format of any group would be better; false: there are none. */
static bool price_exists(const struct qsv_outlook *o, const uint8_t *formats)
{
    double low = 0, high = INFINITY;
    for (uint32_t g = 0; g < o->space->n_groups; g++)
        for (uint32_t i = 0; i < o->n_options; i++) {
            const uint8_t f = o->options[i], at = formats[g];
            const double more = o->factor[g] * (o->kl[g][f] - o->kl[g][at]);
            const double saved = o->bytes[g][at] - o->bytes[g][f];
            if (saved > 0)
                high = fmin(high, more / saved);
            else if (saved < 0)
                low = fmax(low, more / saved);
        }
    return low <= high * (1 + 1e-9);
}

static void teach(struct stage *s, uint64_t seed)
{
    struct qsv_rng r;
    qsv_rng_seed(&r, seed);
    for (uint32_t g = 0; g < s->space->n_groups; g++)
        s->q.outlook.factor[g] = 0.25 + 3.75 * world_unit(&r);
}

static void test_prices_lead_to_the_settings_that_they_are_least_at(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct stage s;
        uint8_t want[24], got[24], before[24] = {0};
        uint32_t distinct = 0;
        begin(&s, frontier_world(24, seed));
        teach(&s, seed);
        for (double price = 1e-9; price < 1e-2; price *= 1.31) {
            minimise(&s.q.outlook, price, want);
            const double kl = qsv_outlook_kl(&s.q.outlook, want);
            assert_int_equal(qsv_frontier_at(&s.q, kl * (1 + 1e-12), got), QSV_OK);
            assert_memory_equal(got, want, 24);
            distinct += memcmp(want, before, 24) != 0;
            memcpy(before, want, 24);
        }
        assert_true(distinct > 20);
        end(&s);
    }
}

static void test_bytes_fall_as_divergence_rises(void **state)
{
    (void)state;
    struct stage s;
    begin(&s, frontier_world(24, 5));
    teach(&s, 5);
    double last_bytes = INFINITY, last_kl = -1;
    uint32_t distinct = 0;
    for (double kl = 1e-6; kl < 100; kl *= 1.01) {
        uint8_t formats[24];
        assert_int_equal(qsv_frontier_at(&s.q, kl, formats), QSV_OK);
        const double bytes = qsv_outlook_bytes(&s.q.outlook, formats);
        const double foretold = qsv_outlook_kl(&s.q.outlook, formats);
        assert_true(foretold <= kl);
        assert_true(price_exists(&s.q.outlook, formats));
        if (foretold == last_kl) {
            assert_true(bytes == last_bytes);
            continue;
        }
        assert_true(foretold > last_kl && bytes < last_bytes);
        last_kl = foretold;
        last_bytes = bytes;
        distinct++;
    }
    assert_true(distinct > 40);
    /* The ends: nothing quantized, and everything as far as it goes. */
    uint8_t least[24], most[24];
    assert_int_equal(qsv_frontier_at(&s.q, 0, least), QSV_OK);
    assert_int_equal(qsv_frontier_at(&s.q, INFINITY, most), QSV_OK);
    for (uint32_t g = 0; g < 24; g++) {
        assert_int_equal(least[g], QSV_F32);
        assert_int_equal(most[g], QSV_BINARY);
    }
    assert_int_equal(qsv_frontier_at(&s.q, -1, least), QSV_OK);
    assert_int_equal(least[0], QSV_F32);
    end(&s);
}

static void test_close_to_the_optimum_of_few_layers(void **state)
{
    (void)state;
    double sum = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct world *w = frontier_world(8, seed);
        struct qsv_selection s = search(w);
        struct least e = {w, most_kl(w), INFINITY, false};
        enumerate(&e, 0, 0, 0);
        assert_consistent(w, &s);
        assert_true(s.meets);
        const double ratio = (double)s.judged.bytes.weights_bytes / e.best;
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
    double sum = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct world *w = frontier_world(40, seed);
        w->judge_shift = seed % 2 ? 0.4 : 0; /* judging images may lose more */
        struct qsv_selection s = search(w);
        const double ratio = (double)s.judged.bytes.weights_bytes / lower_bound(w, most_kl(w));
        assert_consistent(w, &s);
        assert_true(s.meets);
        if (ratio < 1 || ratio > 1.07)
            fail_msg("seed %u: %.4f of the optimum's lower bound", (unsigned)seed, ratio);
        sum += ratio;
        qsv_selection_fini(&s);
        world_destroy(w);
    }
    assert_true(sum / 6 < 1.015);
}

/* Images that differ, layers that act otherwise among others, floors; losses known of all layers,
 * of all but one, of none. The bound holds on the images that decide, with the caution asked for,
 * and then on the judging ones; one probe a group is enough to come near `qsvit`, which measures
 * five. */
static void test_meets_the_bound_in_a_noisy_world(void **state)
{
    (void)state;
    double to_qsvit = 0;
    int n_meet = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct world *w = frontier_world(36, seed);
        struct qsv_selection other = {0};
        struct qsv_space *space = NULL;
        for (uint32_t l = 0; l < 36; l++)
            w->floor[l] = 0.01 * (1 - l / 36.0);
        world_add_images(w, seed, true);
        w->spec.has_calibration = true;
        w->spec.constraint.caution = (struct qsv_caution){1.28, 0.25};
        w->easier = 0.1;
        if (seed % 3 == 1)
            w->output[5] = NAN;
        if (seed % 3 == 2)
            w->evaluator.loss = NULL;
        struct qsv_selection s = search(w);
        assert_consistent(w, &s);
        n_meet += s.meets;
        assert_true(qsv_metrics_drop_bound(&s.decided) <= 1.5);
        assert_true(s.decided.caution.reserve == 0.25 && s.judged.caution.reserve == 0);
        assert_int_equal(w->asked[QSV_JUDGE], 2);
        assert_int_equal(qsv_space_create(&space, &w->model, &w->spec, NULL), QSV_OK);
        assert_int_equal(
            qsv_strategy_find("qsvit")->search(space, &w->spec, &w->evaluator, &other, NULL),
            QSV_OK);
        to_qsvit += (double)s.judged.bytes.model_bytes / (double)other.judged.bytes.model_bytes / 6;
        qsv_selection_fini(&other);
        qsv_selection_fini(&s);
        qsv_space_destroy(space);
        world_destroy(w);
    }
    assert_true(n_meet >= 5);
    if (to_qsvit > 1.05)
        fail_msg("%.4f of what qsvit needs", to_qsvit);
}

/* Where others decide, what is selected does not depend on the judging images, nor on how it fares
 * there. */
static void test_judging_images_decide_nothing(void **state)
{
    (void)state;
    struct qsv_selection s[2];
    uint64_t log[2];
    for (int i = 0; i < 2; i++) {
        struct world *w = frontier_world(24, 9);
        w->spec.has_calibration = true;
        w->judge_shift = i ? 3 : 0;
        s[i] = search(w);
        log[i] = w->log;
        assert_int_equal(w->asked[QSV_JUDGE], 2);
        world_destroy(w);
    }
    assert_true(s[0].meets && !s[1].meets && log[0] == log[1]);
    assert_memory_equal(s[0].formats, s[1].formats, 24);
    for (int i = 0; i < 2; i++)
        qsv_selection_fini(&s[i]);
}

static void test_same_answers_same_questions(void **state)
{
    (void)state;
    struct world *w = frontier_world(24, 3);
    world_add_images(w, 3, false);
    assert_same_questions(w, "frontier");
    world_destroy(w);
}

/* Losses count within a layer only: in other units the same is asked. */
static void test_the_unit_of_losses_is_of_no_account(void **state)
{
    (void)state;
    struct world *w = frontier_world(24, 3);
    struct qsv_selection s = search(w);
    const uint64_t log = w->log;
    qsv_selection_fini(&s);
    for (uint32_t l = 0; l < 24; l++)
        w->output[l] *= l % 2 ? 0x1p40 : 0x1p-40;
    s = search(w);
    assert_true(log == w->log);
    qsv_selection_fini(&s);
    world_destroy(w);
}

static void test_size_alone(void **state)
{
    (void)state;
    double sum = 0;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct world *w = frontier_world(8, seed);
        const double ratio = divergence_within(w, "frontier", 2);
        if (ratio < 1 - 1e-9 || ratio > 1.1)
            fail_msg("seed %u: %.4f of the least divergence", (unsigned)seed, ratio);
        sum += ratio;
        world_destroy(w);
    }
    assert_true(sum / 8 < 1.02);
}

static void test_bits_alone(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct world *w = frontier_world(8, seed);
        assert_bits_are_bytes(w, "frontier", 2);
        world_destroy(w);
    }
}

static void test_energy_alone(void **state)
{
    (void)state;
    struct world *w = frontier_world(24, 6);
    struct qsv_selection bounded = search(w);
    w->spec.constraint.max_top1_drop = NAN;
    w->spec.constraint.max_energy_pj = bounded.judged.energy.total_pj;
    struct qsv_selection s = search(w);
    assert_consistent(w, &s);
    assert_true(s.meets);
    assert_true(s.judged.energy.total_pj <= w->spec.constraint.max_energy_pj);
    assert_true(qsv_metrics_kl(&s.judged) < 1.1 * qsv_metrics_kl(&bounded.judged));
    qsv_selection_fini(&s);
    qsv_selection_fini(&bounded);
    world_destroy(w);
}

static void test_pins_are_kept(void **state)
{
    (void)state;
    struct world *w = frontier_world(24, 7);
    struct qsv_pin pins[] = {{(char *)"block0.*", QSV_INT8, 1}, {(char *)"*.layer3", QSV_F32, 2}};
    w->spec.pins = pins;
    w->spec.n_pins = 2;
    struct qsv_selection s = search(w);
    assert_consistent(w, &s);
    assert_true(s.meets);
    assert_int_equal(w->probed % (1 + 15 + 1), 0); /* baseline, 15 free layers, pins alone */
    for (uint32_t l = 0; l < 24; l++) {
        const bool wide = l % 4 == 3;
        assert_true(s.formats[l] == (wide ? QSV_F32 : QSV_INT8) || (!wide && l >= 4));
    }
    qsv_selection_fini(&s);
    world_destroy(w);
}

static void test_groups_share_a_format(void **state)
{
    (void)state;
    struct world *w = frontier_world(32, 4);
    w->spec.search.granularity = QSV_BY_BLOCK;
    struct qsv_selection s = search(w);
    assert_consistent(w, &s);
    assert_true(s.meets);
    assert_int_equal(w->probed % (1 + 8), 0);
    for (uint32_t l = 0; l < 32; l++)
        assert_int_equal(s.formats[l], s.formats[l / 4 * 4]);
    qsv_selection_fini(&s);
    world_destroy(w);
}

/* No group at all, one, one format, f32 alone. */
static void test_small_spaces(void **state)
{
    (void)state;
    static const uint8_t one[] = {QSV_INT3}, f32[] = {QSV_F32}, low[] = {QSV_F32, QSV_BINARY};
    struct world *w = frontier_world(1, 1);
    struct qsv_pin all = {(char *)"*", QSV_INT3, 1};
    struct qsv_selection s = search(w);
    struct least e = {w, most_kl(w), INFINITY, false};
    enumerate(&e, 0, 0, 0);
    assert_consistent(w, &s);
    assert_true(s.meets && (double)s.judged.bytes.weights_bytes == e.best);
    qsv_selection_fini(&s);
    world_destroy(w);

    w = frontier_world(8, 1);
    offer(w, one, 1);
    s = search(w);
    assert_consistent(w, &s);
    assert_true(s.meets);
    for (uint32_t l = 0; l < 8; l++)
        assert_true(s.formats[l] == QSV_F32 || s.formats[l] == QSV_INT3);
    qsv_selection_fini(&s);

    offer(w, low, 2);
    s = search(w);
    assert_consistent(w, &s);
    assert_true(s.meets);
    qsv_selection_fini(&s);

    offer(w, f32, 1);
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

/* Losses that say nothing: 0 at every format, endless, below 0. */
static double no_loss(void *context, uint32_t layer, uint8_t format)
{
    (void)context;
    static const double values[] = {0, INFINITY, -1, NAN};
    return values[(layer + (format == QSV_INT2)) % 4];
}

static void test_losses_that_say_nothing(void **state)
{
    (void)state;
    struct world *w = frontier_world(24, 8);
    w->evaluator.loss = no_loss;
    struct qsv_selection s = search(w);
    assert_consistent(w, &s);
    assert_true(s.meets);
    qsv_selection_fini(&s);
    world_destroy(w);
}

/* Every step is gone through, repairs on the judging images included. */
static struct world *small_world(void)
{
    struct world *w = frontier_world(6, 4);
    w->judge_shift = 0.4;
    w->spec.search.candidates = 3;
    w->spec.search.max_rounds = 3;
    return w;
}

static void test_a_failing_evaluator_ends_the_search(void **state)
{
    (void)state;
    struct world *w = small_world();
    struct qsv_selection out = search(w);
    const uint32_t calls = w->calls;
    qsv_selection_fini(&out);
    assert_true(calls >= 6);
    assert_ends_with_evaluator(w, "frontier", calls);
    world_destroy(w);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct world *w = small_world();
    assert_ends_without_memory(w, "frontier", 20);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_one_format_of_every_group_is_measured),
        cmocka_unit_test(test_foretells_by_losses),
        cmocka_unit_test(test_foretells_by_bits_what_has_no_losses),
        cmocka_unit_test(test_foretells_groups_by_weights),
        cmocka_unit_test(test_f32_foretells_nothing),
        cmocka_unit_test(test_none_is_measured),
        cmocka_unit_test(test_none_adds_up),
        cmocka_unit_test(test_prices_lead_to_the_settings_that_they_are_least_at),
        cmocka_unit_test(test_bytes_fall_as_divergence_rises),
        cmocka_unit_test(test_close_to_the_optimum_of_few_layers),
        cmocka_unit_test(test_close_to_the_optimum_of_many_layers),
        cmocka_unit_test(test_meets_the_bound_in_a_noisy_world),
        cmocka_unit_test(test_judging_images_decide_nothing),
        cmocka_unit_test(test_same_answers_same_questions),
        cmocka_unit_test(test_the_unit_of_losses_is_of_no_account),
        cmocka_unit_test(test_size_alone),
        cmocka_unit_test(test_bits_alone),
        cmocka_unit_test(test_energy_alone),
        cmocka_unit_test(test_pins_are_kept),
        cmocka_unit_test(test_groups_share_a_format),
        cmocka_unit_test(test_small_spaces),
        cmocka_unit_test(test_losses_that_say_nothing),
        cmocka_unit_test(test_a_failing_evaluator_ends_the_search),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
