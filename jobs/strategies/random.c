/* `random`: settings drawn by the seed, measured on the deciding images; of those that meet the
 * constraint the cheapest, where judging images decide the cheapest that meets it on all of them
 * too. What a guided search has to beat.
 *
 * A setting is drawn around a level: each group's format lies within a spread of it, both uniform a
 * setting. So sizes cover the whole range; were every group drawn by itself, all settings of many
 * groups would be of middle size.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "jobs/constraint.h"
#include "jobs/strategies/search.h"
#include "jobs/strategies/strategies.h"

static void draw(struct qsv_rng *rng, const struct qsv_space *space, uint8_t *formats)
{
    double last = space->n_formats - 1;
    double level = qsv_rng_unit(rng) * last, spread = qsv_rng_unit(rng) * last;
    for (uint32_t g = 0; g < space->n_groups; g++) {
        double at = rint(level + spread * (2 * qsv_rng_unit(rng) - 1));
        formats[g] = space->formats[(size_t)fmin(fmax(at, 0), last)];
    }
}

static uint64_t wanted(const struct qsv_spec *spec)
{
    uint64_t n = spec->search.max_evaluations;
    return n ? n : QSV_RANDOM_EVALUATIONS;
}

/* Draws all settings and measures them, `candidates` at once. */
static enum qsv_status measure(struct qsv_pool *pool, struct qsv_search *s)
{
    uint64_t n = wanted(s->spec);
    struct qsv_metrics *baseline = &s->out->baseline_decided;
    struct qsv_rng rng;
    uint8_t *formats = qsv_alloc(s->space->n_groups, 1);
    enum qsv_status status = formats ? QSV_OK : qsv_fail_memory(s->err, "a random setting");
    qsv_rng_seed(&rng, s->spec->search.seed);
    for (uint64_t i = 1; i <= n && !status && !s->out->exhausted; i++) {
        char what[QSV_WHAT];
        draw(&rng, s->space, formats);
        snprintf(what, sizeof what, "random setting %llu", (unsigned long long)i);
        status = qsv_pool_add(pool, s, formats, 0, what, NULL);
        if (status || (i < n && pool->n - pool->n_measured < s->spec->search.candidates))
            continue;
        status = qsv_pool_measure(pool, s, "random", baseline);
        baseline = NULL;
    }
    free(formats);
    return status;
}

/* The best entry that was not judged yet; pool->n: none left. */
static size_t next_best(const struct qsv_pool *pool, const struct qsv_spec *spec, const bool *taken)
{
    size_t best = pool->n;
    for (size_t i = 0; i < pool->n; i++) {
        if (taken[i])
            continue;
        if (best == pool->n || qsv_constraint_compare(spec, &pool->entries[i].metrics,
                                                      &pool->entries[best].metrics) < 0)
            best = i;
    }
    return best;
}

/* Judges settings from the best upward until one holds; those that fail on the deciding images only
 * where none holds there, and then the nearest alone. */
static enum qsv_status judge(const struct qsv_pool *pool, struct qsv_search *s, bool *taken,
                             struct qsv_pool *judged, size_t *decided)
{
    struct qsv_metrics *baseline = &s->out->baseline;
    enum qsv_status status = QSV_OK;
    size_t at;
    while (!status && (at = next_best(pool, s->spec, taken)) < pool->n) {
        const struct qsv_pool_entry *e = &pool->entries[at];
        bool holds = qsv_constraint_holds(s->spec, &e->metrics);
        if (judged->n && !holds)
            break;
        taken[at] = true;
        const size_t before = judged->n;
        decided[before] = at;
        status = qsv_pool_add(judged, s, e->formats, 0, e->what, NULL);
        if (!status)
            status = qsv_pool_measure(judged, s, "select", baseline);
        baseline = NULL;
        if (status || judged->n == before)
            break;
        status = qsv_search_note_entry(s, "select", &judged->entries[judged->n - 1]);
        if (!holds || status || s->spec->has_calibration || /* judging images decide nothing */
            qsv_constraint_holds(s->spec, &judged->entries[judged->n - 1].metrics))
            break;
    }
    return status;
}

static enum qsv_status select_best(struct qsv_pool *pool, struct qsv_search *s)
{
    struct qsv_pool judged = {.set = QSV_JUDGE};
    bool *taken = qsv_alloc(pool->n, sizeof *taken);
    size_t *decided = qsv_alloc(pool->n, sizeof *decided);
    enum qsv_status status = QSV_OK;
    if (!taken || !decided)
        status = qsv_fail_memory(s->err, "the selection");
    if (!status)
        status = judge(pool, s, taken, &judged, decided);
    const size_t best = status ? 0 : qsv_pool_best(&judged, s->spec);
    if (!status)
        status = qsv_pool_finish(pool, s, "select", decided[best]);
    if (!status)
        status = qsv_search_select(s, &judged.entries[best], &pool->entries[decided[best]].metrics,
                                   !s->spec->has_calibration);
    free(taken);
    free(decided);
    qsv_pool_fini(&judged);
    return status;
}

static enum qsv_status search(const struct qsv_space *space, const struct qsv_spec *spec,
                              struct qsv_evaluator *evaluator, struct qsv_selection *out,
                              struct qsv_error *err)
{
    struct qsv_search s = {space, spec, evaluator, out, err};
    struct qsv_pool pool = {
        .set = QSV_DECIDE, .n_images = spec->search.decision_images, .races = true};
    if (spec->has_calibration)
        pool.caution = spec->constraint.caution;
    enum qsv_status status = measure(&pool, &s);
    if (!status)
        status = select_best(&pool, &s);
    qsv_pool_fini(&pool);
    return status;
}

const struct qsv_strategy qsv_strategy_random = {
    .name = "random",
    .summary = "settings drawn at random: the cheapest that meets the constraint",
    .search = search,
    .keeps_budget = true,
};
