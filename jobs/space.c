#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/strategy.h"

/* The group that a layer would be in, were none pinned. */
static uint32_t group_key(const struct qsv_layer *layer, uint32_t index, enum qsv_granularity by)
{
    if (by == QSV_BY_BLOCK)
        return layer->block;
    return by == QSV_BY_STAGE ? layer->stage : index;
}

static uint32_t group_limit(const struct qsv_graph *g, enum qsv_granularity by)
{
    if (by == QSV_BY_BLOCK)
        return (uint32_t)g->n_blocks;
    return (uint32_t)(by == QSV_BY_STAGE ? g->n_stages : g->n_layers);
}

static const char *group_name(const struct qsv_graph *g, uint32_t key, enum qsv_granularity by)
{
    if (by == QSV_BY_BLOCK)
        return g->block_names[key];
    return by == QSV_BY_STAGE ? g->stage_names[key] : g->layers[key].name;
}

/* Layers of one group need not be neighbours in the network, so each key looks through all. */
static void fill_groups(struct qsv_space *s, enum qsv_granularity by)
{
    const struct qsv_graph *g = &s->model->graph;
    uint32_t *next = s->order, limit = group_limit(g, by);
    for (uint32_t key = 0; key < limit; key++) {
        struct qsv_group group = {.name = group_name(g, key, by), .layers = next};
        for (uint32_t l = 0; l < s->n_layers; l++) {
            assert(group_key(&g->layers[l], l, by) < limit);
            if (group_key(&g->layers[l], l, by) != key || s->pinned[l] != QSV_N_FORMATS)
                continue;
            group.layers[group.n_layers++] = l;
            group.n_weights += g->layers[l].n_weights;
        }
        next += group.n_layers;
        if (group.n_layers)
            s->groups[s->n_groups++] = group;
    }
}

enum qsv_status qsv_space_create(struct qsv_space **out, const struct qsv_model *model,
                                 const struct qsv_spec *spec, struct qsv_error *err)
{
    const struct qsv_graph *g = &model->graph;
    struct qsv_space *s = qsv_alloc(1, sizeof *s);
    enum qsv_status status = QSV_OK;
    *out = NULL;
    if (!s)
        return qsv_fail_memory(err, "the search space");
    s->model = model;
    s->affine = spec->quantizer.affine;
    s->n_layers = (uint32_t)g->n_layers;
    s->n_formats = spec->search.n_formats;
    memcpy(s->formats, spec->search.formats, sizeof s->formats);
    s->groups = qsv_alloc(group_limit(g, spec->search.granularity), sizeof *s->groups);
    s->pinned = qsv_alloc(s->n_layers, 1);
    s->order = qsv_alloc(s->n_layers, sizeof *s->order);
    if (!s->groups || !s->pinned || !s->order) {
        status = qsv_fail_memory(err, "the search space");
        goto out;
    }
    memset(s->pinned, QSV_N_FORMATS, s->n_layers);
    status = qsv_pins_apply(spec->pins, spec->n_pins, g, spec->path, s->pinned, err);
    if (status)
        goto out;
    fill_groups(s, spec->search.granularity);
    *out = s;
    s = NULL;
out:
    qsv_space_destroy(s);
    return status;
}

void qsv_space_destroy(struct qsv_space *s)
{
    if (!s)
        return;
    free(s->groups);
    free(s->pinned);
    free(s->order);
    free(s);
}

void qsv_space_expand(const struct qsv_space *s, const uint8_t *group_formats, uint8_t *formats)
{
    memcpy(formats, s->pinned, s->n_layers);
    for (uint32_t g = 0; g < s->n_groups; g++)
        for (uint32_t i = 0; i < s->groups[g].n_layers; i++)
            formats[s->groups[g].layers[i]] = group_formats[g];
}
