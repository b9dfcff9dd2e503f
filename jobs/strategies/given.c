/* `given`: no search. A setting that a file gives is certified: measured with the baseline on all
 * judging images, and selected if it meets the constraint. What it was chosen by is not this
 * search's to say: nothing decides here. */
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/strategies/search.h"
#include "jobs/strategies/strategies.h"

static bool is_offered(const struct qsv_space *space, uint8_t format)
{
    return format == QSV_F32 || memchr(space->formats, format, space->n_formats);
}

/* Codes are there for the search's formats and the pins. */
static enum qsv_status check(const struct qsv_space *space, const struct qsv_spec *spec,
                             const uint8_t *formats, struct qsv_error *err)
{
    for (uint32_t l = 0; l < space->n_layers; l++) {
        const char *layer = space->model->graph.layers[l].name;
        const char *found = qsv_format_info(formats[l])->name;
        const uint8_t pinned = space->pinned[l];
        if (pinned != QSV_N_FORMATS && pinned != formats[l])
            return qsv_spec_fail(spec, "search.setting", err,
                                 "%s: layer '%s' is %s, expected %s, which it is pinned to",
                                 spec->search.setting, layer, found, qsv_format_info(pinned)->name);
        if (pinned == QSV_N_FORMATS && !is_offered(space, formats[l]))
            return qsv_spec_fail(spec, "search.setting", err,
                                 "%s: layer '%s' is %s, expected f32 or one of search.formats",
                                 spec->search.setting, layer, found);
    }
    return QSV_OK;
}

/* s->space: by layer, so that every setting is one of groups. */
static enum qsv_status certify(struct qsv_search *s, const uint8_t *formats)
{
    const struct qsv_space *space = s->space;
    struct qsv_pool_entry given = {.formats = qsv_alloc(space->n_groups, 1), .what = "as given"};
    if (!given.formats)
        return qsv_fail_memory(s->err, "the given setting");
    for (uint32_t g = 0; g < space->n_groups; g++)
        given.formats[g] = formats[space->groups[g].layers[0]];
    enum qsv_status status = qsv_search_judge(s, &given);
    free(given.formats);
    return status;
}

static enum qsv_status search(const struct qsv_space *space, const struct qsv_spec *spec,
                              struct qsv_evaluator *evaluator, struct qsv_selection *out,
                              struct qsv_error *err)
{
    struct qsv_spec by_layer = *spec;
    struct qsv_space *layers = NULL;
    uint8_t *formats = qsv_alloc(space->n_layers, 1);
    if (!formats)
        return qsv_fail_memory(err, "the given setting");
    by_layer.search.granularity = QSV_BY_LAYER;
    enum qsv_status status =
        qsv_setting_read(spec->search.setting, &space->model->graph, formats, err);
    if (!status)
        status = check(space, spec, formats, err);
    if (!status)
        status = qsv_space_create(&layers, space->model, &by_layer, err);
    if (!status) {
        struct qsv_search s = {layers, spec, evaluator, out, err};
        status = certify(&s, formats);
    }
    qsv_space_destroy(layers);
    free(formats);
    return status;
}

const struct qsv_strategy qsv_strategy_given = {
    .name = "given",
    .summary = "the setting of a file, measured on all judging images",
    .search = search,
    .keeps_budget = true,
};
