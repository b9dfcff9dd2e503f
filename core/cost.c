#include "core/cost.h"

#include "core/affine.h"
#include "core/fold.h"

const struct qsv_energy_constants qsv_energy_default = {
    .f32_multiply = 3.7,
    .f32_add = 0.9,
    .f16_multiply = 1.1,
    .f16_add = 0.4,
    .int8_add = 0.03,
    .sram_byte = 1.25,
    .dram_byte = 162.5,
};

static bool all_f32(const uint8_t *formats, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (formats[i] != QSV_F32)
            return false;
    return true;
}

void qsv_cost_bytes(struct qsv_bytes *out, const struct qsv_model *model, enum qsv_format affine,
                    const uint8_t *formats)
{
    const struct qsv_graph *g = &model->graph;
    *out = (struct qsv_bytes){0};
    for (uint32_t l = 0; l < g->n_layers; l++) {
        struct qsv_fold_parts p = qsv_fold_parts(g, formats, l);
        uint64_t column = qsv_affine_bytes(qsv_affine_of((enum qsv_format)formats[l], affine),
                                           g->layers[l].out_ch);
        uint64_t codes =
            qsv_format_packed_bytes((enum qsv_format)formats[l], (size_t)g->layers[l].n_weights);
        out->weights_bytes += codes + (p.scale_alone ? column : 0);
        out->model_bytes += codes + (p.multiplier ? column : 0) + (p.shift ? column : 0);
    }
    if (all_f32(formats, g->n_layers))
        out->model_bytes = model->source_bytes;
    out->avg_bits = 8 * (double)out->weights_bytes / (double)g->n_weights;
}

static double add_pj(enum qsv_format f, const struct qsv_energy_constants *c)
{
    const struct qsv_format_info *info = qsv_format_info(f);
    if (info->integer)
        return c->int8_add * info->bits / 8;
    return f == QSV_F16 ? c->f16_add : c->f32_add;
}

static uint64_t layer_macs(const struct qsv_model *m, const uint8_t *formats, uint32_t l)
{
    const struct qsv_layer *layer = &m->graph.layers[l];
    uint64_t steps = m->graph.nodes[layer->node].per_step ? m->options.time_steps : 1;
    return layer->spike_input || formats[l] == QSV_NONE ? 0 : layer->macs * steps;
}

uint64_t qsv_cost_mac_ops(const struct qsv_model *model, const uint8_t *formats)
{
    uint64_t n = 0;
    for (uint32_t l = 0; l < model->graph.n_layers; l++)
        n += layer_macs(model, formats, l);
    return n;
}

void qsv_cost_energy(struct qsv_energy *out, const struct qsv_model *model, enum qsv_format affine,
                     const uint8_t *formats, const uint64_t *ac_ops, uint64_t n_images,
                     const struct qsv_energy_constants *constants)
{
    const struct qsv_graph *g = &model->graph;
    struct qsv_bytes bytes;
    qsv_cost_bytes(&bytes, model, affine, formats);
    double images = n_images ? (double)n_images : 1;
    *out = (struct qsv_energy){0};
    for (uint32_t l = 0; l < g->n_layers; l++) {
        enum qsv_format f = (enum qsv_format)formats[l];
        double ac = (double)ac_ops[l] / images, mac = (double)layer_macs(model, formats, l);
        out->compute_pj += ac * add_pj(f, constants);
        /* The input is real: whatever the weight's width, the product is a f32 one. */
        out->compute_pj += mac * (constants->f32_multiply + constants->f32_add);
        out->sram_pj += (ac + mac) * qsv_format_info(f)->bits / 8 * constants->sram_byte;
    }
    for (size_t a = 0; a < g->n_attentions; a++)
        out->compute_pj += (double)ac_ops[g->n_layers + a] / images * constants->int8_add * 2;
    out->dram_pj = (double)bytes.model_bytes * constants->dram_byte;
    out->total_pj = out->compute_pj + out->sram_pj + out->dram_pj;
}
