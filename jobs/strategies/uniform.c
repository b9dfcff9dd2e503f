/* `uniform`: every layer the same format, apart from pins. Measures f32, the common formats and the
 * search's on all judging images, and where others decide on those; the answer to "is a search
 * worth it". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/strategies/search.h"
#include "jobs/strategies/strategies.h"

static bool wanted(const struct qsv_space *space, uint8_t format)
{
    if (format <= QSV_INT2)
        return true;
    return memchr(space->formats, format, space->n_formats) != NULL;
}

static enum qsv_status propose(struct qsv_pool *pool, struct qsv_search *s)
{
    uint32_t n = s->space->n_groups;
    uint8_t *formats = qsv_alloc(n, 1);
    enum qsv_status status = formats ? QSV_OK : qsv_fail_memory(s->err, "a uniform setting");
    for (uint8_t f = 0; f < QSV_N_FORMATS && !status; f++) {
        char what[QSV_WHAT];
        if (!wanted(s->space, f))
            continue;
        memset(formats, f, n);
        snprintf(what, sizeof what, "all %s", qsv_format_info(f)->name);
        status = qsv_pool_add(pool, s, formats, 0, what, NULL);
    }
    free(formats);
    return status;
}

static enum qsv_status note_all(const struct qsv_pool *pool, struct qsv_search *s)
{
    enum qsv_status status = QSV_OK;
    for (size_t i = 0; i < pool->n && !status; i++)
        status = qsv_search_note_entry(s, "uniform", &pool->entries[i]);
    return status;
}

static enum qsv_status measure(struct qsv_pool *pool, struct qsv_search *s,
                               struct qsv_metrics *baseline)
{
    enum qsv_status status = propose(pool, s);
    if (!status)
        status = qsv_pool_measure(pool, s, "uniform", baseline);
    return status ? status : note_all(pool, s);
}

static enum qsv_status search(const struct qsv_space *space, const struct qsv_spec *spec,
                              struct qsv_evaluator *evaluator, struct qsv_selection *out,
                              struct qsv_error *err)
{
    struct qsv_search s = {space, spec, evaluator, out, err};
    const bool apart = spec->has_calibration;
    struct qsv_pool judged = {.set = QSV_JUDGE};
    struct qsv_pool decided = {.set = QSV_DECIDE,
                               .n_images = spec->search.selection_images,
                               .caution = spec->constraint.caution};
    enum qsv_status status = apart ? measure(&decided, &s, &out->baseline_decided) : QSV_OK;
    if (!status)
        status = measure(&judged, &s, &out->baseline);
    if (!status) {
        const struct qsv_pool *by = apart ? &decided : &judged;
        const size_t best = qsv_pool_best(by, spec);
        if (!apart)
            out->baseline_decided = out->baseline;
        status = qsv_search_select(&s, &judged.entries[best], &by->entries[best].metrics, !apart);
    }
    qsv_pool_fini(&decided);
    qsv_pool_fini(&judged);
    return status;
}

const struct qsv_strategy qsv_strategy_uniform = {
    .name = "uniform",
    .summary = "every layer the same format: the cheapest that meets the constraint",
    .search = search,
    .any_format = true,
};
