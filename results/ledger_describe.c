/* A ledger's description of what is measured: model, images, energy table. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/hash.h"
#include "jobs/setting.h"
#include "results/ledger.h"

static const char *group_name(char *const *names, size_t n, uint32_t i)
{
    return i < n ? names[i] : "";
}

static bool describe_layer(struct qsv_layer_row *row, const struct qsv_graph *g, size_t i)
{
    const struct qsv_layer *l = &g->layers[i];
    *row = (struct qsv_layer_row){
        .name = qsv_strdup(l->name),
        .block = qsv_strdup(group_name(g->block_names, g->n_blocks, l->block)),
        .stage = qsv_strdup(group_name(g->stage_names, g->n_stages, l->stage)),
        .out_channels = l->out_ch,
        .in_channels = l->in_ch,
        .groups = l->groups,
        .kernel = l->kernel,
        .stride = l->stride,
        .spike_input = l->spike_input,
        .n_weights = l->n_weights,
        .macs = l->macs,
    };
    return row->name && row->block && row->stage;
}

static bool describe_lif(struct qsv_lif_row *row, const struct qsv_lif *lif)
{
    *row = (struct qsv_lif_row){
        .name = qsv_strdup(lif->name),
        .channels = lif->shape.c,
        .height = lif->shape.h,
        .width = lif->shape.w,
        .v_th = lif->v_th,
        .tau = lif->tau,
    };
    return row->name != NULL;
}

static bool describe_site(struct qsv_site_row *row, const struct qsv_graph *g, size_t i)
{
    bool layer = i < g->n_layers;
    row->name = qsv_strdup(layer ? g->layers[i].name : g->attentions[i - g->n_layers].name);
    row->kind = qsv_strdup(layer ? "layer" : "attention");
    return row->name && row->kind;
}

static bool describe_graph(struct qsv_ledger *l, const struct qsv_graph *g)
{
    l->layers = qsv_alloc(l->shape.n_layers, sizeof *l->layers);
    l->lifs = qsv_alloc(l->shape.n_lifs, sizeof *l->lifs);
    l->sites = qsv_alloc(l->shape.n_sites, sizeof *l->sites);
    bool ok = l->layers && l->lifs && l->sites;
    for (size_t i = 0; ok && i < l->shape.n_layers; i++)
        ok = describe_layer(&l->layers[i], g, i);
    for (size_t i = 0; ok && i < l->shape.n_lifs; i++)
        ok = describe_lif(&l->lifs[i], &g->lifs[i]);
    for (size_t i = 0; ok && i < l->shape.n_sites; i++)
        ok = describe_site(&l->sites[i], g, i);
    return ok;
}

/* The all-f32 setting: its id, and what it takes. */
static bool describe_baseline(struct qsv_ledger *l, const struct qsv_model *model)
{
    uint8_t *formats = qsv_alloc(l->shape.n_layers, 1);
    if (!formats)
        return false;
    memset(formats, QSV_F32, l->shape.n_layers);
    l->baseline = qsv_setting_id(formats, l->shape.n_layers);
    qsv_cost_bytes(&l->f32, model, QSV_F32, formats);
    free(formats);
    return true;
}

/* Tells runs of one identity apart. */
static uint64_t make_run_id(const struct qsv_run *run)
{
    uint64_t parts[2] = {qsv_identity_hash(&run->identity)};
    memcpy(&parts[1], &run->created_unix_s, sizeof parts[1]);
    return qsv_hash_bytes(parts, sizeof parts);
}

enum qsv_status qsv_ledger_describe(struct qsv_ledger *l, const struct qsv_run *run,
                                    struct qsv_error *err)
{
    const struct qsv_model *m = run->model;
    assert(run->shape.n_layers == m->graph.n_layers && run->shape.n_lifs == m->graph.n_lifs &&
           run->shape.n_sites == m->graph.n_layers + m->graph.n_attentions);
    l->identity = run->identity;
    l->run_id = make_run_id(run);
    l->created_unix_s = run->created_unix_s;
    l->with_arrays = true;
    l->shape = run->shape;
    l->partition = *run->partition;
    memcpy(l->skipped, run->skipped, sizeof l->skipped);
    l->constants = run->energy;
    l->time_steps = m->options.time_steps;
    l->classes = m->classes;
    l->model_path = qsv_strdup(m->path ? m->path : "");
    l->architecture = qsv_strdup(m->architecture ? m->architecture : "");
    if (!l->model_path || !l->architecture || !describe_graph(l, &m->graph) ||
        !describe_baseline(l, m))
        return qsv_fail_memory(err, "the description of a run");
    return QSV_OK;
}
