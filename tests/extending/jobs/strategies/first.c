/* `first`: every layer the same format, one after another from the narrowest on; the first one that
 * holds is selected. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/constraint.h"
#include "jobs/strategies/search.h"
#include "jobs/strategies/strategies.h"

static enum qsv_status try_format(struct qsv_pool *pool, struct qsv_search *s, uint8_t format)
{
    struct qsv_metrics *baseline = pool->n ? NULL : &s->out->baseline_decided;
    char what[QSV_WHAT];
    size_t at;
    uint8_t *formats = qsv_alloc(s->space->n_groups, 1);
    if (!formats)
        return qsv_fail_memory(s->err, "a uniform setting");
    memset(formats, format, s->space->n_groups);
    snprintf(what, sizeof what, "all %s", qsv_format_info(format)->name);
    enum qsv_status status = qsv_pool_add(pool, s, formats, 0, what, &at);
    if (!status)
        status = qsv_pool_measure(pool, s, "first", baseline);
    if (!status)
        status = qsv_search_note_entry(s, "first", &pool->entries[at]);
    free(formats);
    return status;
}

/* What decides on other images than the judging ones is judged by these. */
static enum qsv_status conclude(struct qsv_search *s, const struct qsv_pool *pool)
{
    const struct qsv_pool_entry *best = &pool->entries[qsv_pool_best(pool, s->spec)];
    if (pool->set == QSV_DECIDE)
        return qsv_search_judge(s, best);
    s->out->baseline = s->out->baseline_decided;
    return qsv_search_select(s, best, &best->metrics, true);
}

static enum qsv_status search(const struct qsv_space *space, const struct qsv_spec *spec,
                              struct qsv_evaluator *evaluator, struct qsv_selection *out,
                              struct qsv_error *err)
{
    struct qsv_search s = {space, spec, evaluator, out, err};
    struct qsv_pool pool = {.set = QSV_JUDGE};
    enum qsv_status status = QSV_OK;
    bool holds = false;
    if (spec->has_calibration)
        pool = (struct qsv_pool){.set = QSV_DECIDE,
                                 .n_images = spec->search.selection_images,
                                 .caution = spec->constraint.caution};
    for (uint32_t f = space->n_formats; f > 0 && !holds && !status; f--) {
        status = try_format(&pool, &s, space->formats[f - 1]);
        holds = !status && qsv_constraint_holds(spec, &pool.entries[pool.n - 1].metrics);
    }
    if (!status)
        status = conclude(&s, &pool);
    qsv_pool_fini(&pool);
    return status;
}

const struct qsv_strategy qsv_strategy_first = {
    .name = "first",
    .summary = "every layer the same format: the narrowest that holds, tried one by one",
    .search = search,
};
