#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "core/affine.h"
#include "core/model.h"
#include "runner/program/commands.h"

enum style { STYLE_TABLE, STYLE_CSV, STYLE_JSON };

struct values {
    const char *model;
    unsigned style;
};

static const struct qsv_option options[] = {
    {.type = QSV_OPTION_OPERAND,
     .name = "MODEL",
     .target = offsetof(struct values, model),
     .required = true,
     .help = "a model file"},
    {.type = QSV_OPTION_CHOICE,
     .name = "format",
     .argument = "table|csv|json",
     .target = offsetof(struct values, style),
     .fallback = "table",
     .help = "how to print it"},
    {.type = QSV_OPTION_END},
};

/* What is shown of a layer. */
struct row {
    const struct qsv_layer *layer;
    const char *block, *stage, *format, *input;
    char shape[64]; /* of the weight: "64x32x3x3" */
    double share;   /* per cent of all weights */
    uint64_t bytes; /* of the weight as stored */
};

static struct row describe_layer(const struct qsv_model *m, size_t i)
{
    const struct qsv_graph *g = &m->graph;
    const struct qsv_layer *l = &g->layers[i];
    const struct qsv_tensor *t = qsv_tensors_findf(&m->tensors, "%s.weight", l->name);
    struct row r = {
        .layer = l,
        .block = l->block < g->n_blocks ? g->block_names[l->block] : "",
        .stage = l->stage < g->n_stages ? g->stage_names[l->stage] : "",
        .format = qsv_format_info(t ? t->format : QSV_F32)->name,
        .input = l->spike_input ? "spikes" : "real",
        .share = 100 * (double)l->n_weights / (double)g->n_weights,
        .bytes = t ? t->bytes : 0,
    };
    size_t used = 0;
    for (uint32_t d = 0; t && d < t->rank && used < sizeof r.shape; d++)
        used += (size_t)snprintf(r.shape + used, sizeof r.shape - used, "%s%u", d ? "x" : "",
                                 t->shape[d]);
    return r;
}

static uint64_t stored_bytes(const struct qsv_model *m)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < m->tensors.n; i++)
        bytes += qsv_affine_stored_bytes(&m->tensors.v[i]);
    return bytes;
}

/* What a quantized model's multipliers and shifts are stored as; NULL for a source model. */
static const char *affine_name(const struct qsv_model *m)
{
    enum qsv_format narrowest = QSV_F32;
    for (size_t i = 0; i < m->tensors.n; i++) {
        const struct qsv_tensor *t = &m->tensors.v[i];
        if (qsv_affine_has_exponent(t) && t->format > narrowest)
            narrowest = t->format;
    }
    return m->folded ? qsv_format_info(narrowest)->name : NULL;
}

static void add_options(struct qsv_strbuf *out, const struct qsv_model *m)
{
    const struct qsv_model_options *o = &m->options;
    qsv_strbuf_printf(out, "%s: %s%s, %u heads, T=%u, input %ux%ux%u, %u classes\n", m->path,
                      m->architecture, m->folded ? ", quantized" : "", o->heads, o->time_steps,
                      o->input.c, o->input.h, o->input.w, m->classes);
    qsv_strbuf_puts(out, "pixels / 255, less mean, by standard deviation:");
    for (uint32_t c = 0; c < o->input.c; c++)
        qsv_strbuf_printf(out, "%s %g, %g", c ? ";" : "", (double)o->mean[c], (double)o->std[c]);
    qsv_strbuf_puts(out, "\n");
}

static void add_totals(struct qsv_strbuf *out, const struct qsv_model *m)
{
    uint64_t bytes = stored_bytes(m);
    qsv_strbuf_printf(out,
                      "%zu layers in %zu blocks and %zu stages, %zu LIFs, %" PRIu64 " weights\n",
                      m->graph.n_layers, m->graph.n_blocks, m->graph.n_stages, m->graph.n_lifs,
                      m->graph.n_weights);
    if (m->folded)
        qsv_strbuf_printf(out, "multipliers and shifts as %s\n", affine_name(m));
    qsv_strbuf_printf(out, "%" PRIu64 " bytes stored", bytes);
    if (m->folded)
        qsv_strbuf_printf(out, ", %.1f %% less than the %" PRIu64 " of the f32 model",
                          100 * (1 - (double)bytes / (double)m->source_bytes), m->source_bytes);
    qsv_strbuf_puts(out, "\n");
}

static void add_table(struct qsv_strbuf *out, const struct qsv_model *m)
{
    int width = 5;
    for (size_t i = 0; i < m->graph.n_layers; i++) {
        int n = snprintf(NULL, 0, "%s", m->graph.layers[i].name);
        width = n > width ? n : width;
    }
    add_options(out, m);
    qsv_strbuf_printf(out, "\n%-*s  %-16s %9s %7s  %-7s %9s  %s\n", width, "layer", "shape",
                      "weights", "share", "format", "bytes", "input");
    for (size_t i = 0; i < m->graph.n_layers; i++) {
        struct row r = describe_layer(m, i);
        qsv_strbuf_printf(out, "%-*s  %-16s %9" PRIu64 " %5.2f %%  %-7s %9" PRIu64 "  %s\n", width,
                          r.layer->name, r.shape, r.layer->n_weights, r.share, r.format, r.bytes,
                          r.input);
    }
    qsv_strbuf_puts(out, "\n");
    add_totals(out, m);
}

static void add_csv(struct qsv_strbuf *out, const struct qsv_model *m)
{
    qsv_strbuf_puts(out, "layer,stage,block,shape,weights,share_percent,format,bytes,input,groups,"
                         "stride,macs\n");
    for (size_t i = 0; i < m->graph.n_layers; i++) {
        struct row r = describe_layer(m, i);
        qsv_strbuf_printf(out, "%s,%s,%s,%s,%" PRIu64 ",%.4f,%s,%" PRIu64 ",%s,%u,%u,%" PRIu64 "\n",
                          r.layer->name, r.stage, r.block, r.shape, r.layer->n_weights, r.share,
                          r.format, r.bytes, r.input, r.layer->groups, r.layer->stride,
                          r.layer->macs);
    }
}

static json_t *json_numbers(const float *v, uint32_t n)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(list, json_real((double)v[i]));
    return list;
}

static json_t *json_layer(const struct qsv_model *m, size_t i)
{
    struct row r = describe_layer(m, i);
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:f, s:s, s:I, s:s, s:i, s:i, s:I}", "layer",
                     r.layer->name, "stage", r.stage, "block", r.block, "shape", r.shape, "weights",
                     (json_int_t)r.layer->n_weights, "share_percent", r.share, "format", r.format,
                     "bytes", (json_int_t)r.bytes, "input", r.input, "groups", (int)r.layer->groups,
                     "stride", (int)r.layer->stride, "macs", (json_int_t)r.layer->macs);
}

static void add_json(struct qsv_strbuf *out, const struct qsv_model *m)
{
    const struct qsv_model_options *o = &m->options;
    json_t *layers = json_array();
    for (size_t i = 0; i < m->graph.n_layers; i++)
        json_array_append_new(layers, json_layer(m, i));
    json_t *all = json_pack(
        "{s:s, s:s, s:b, s:s?, s:i, s:i, s:[i,i,i], s:o, s:o, s:i, s:I, s:I, s:I, s:o}", "model",
        m->path, "architecture", m->architecture, "quantized", m->folded, "affine", affine_name(m),
        "heads", (int)o->heads, "time_steps", (int)o->time_steps, "input", (int)o->input.c,
        (int)o->input.h, (int)o->input.w, "mean", json_numbers(o->mean, o->input.c), "std",
        json_numbers(o->std, o->input.c), "classes", (int)m->classes, "weights",
        (json_int_t)m->graph.n_weights, "bytes", (json_int_t)stored_bytes(m), "source_bytes",
        (json_int_t)m->source_bytes, "layers", layers);
    char *text = all ? json_dumps(all, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    if (text) {
        qsv_strbuf_puts(out, text);
        qsv_strbuf_puts(out, "\n");
    } else {
        out->failed = true;
    }
    free(text);
    json_decref(all);
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    static void (*const styles[])(struct qsv_strbuf *, const struct qsv_model *) = {
        [STYLE_TABLE] = add_table, [STYLE_CSV] = add_csv, [STYLE_JSON] = add_json};
    const struct values *v = in->values;
    struct qsv_model *model = NULL;
    struct qsv_strbuf text = {0};
    enum qsv_status st = qsv_model_load(&model, v->model, err);
    if (st)
        return st;
    styles[v->style](&text, model);
    qsv_model_destroy(model);
    return qsv_print(in->out, &text, err);
}

const struct qsv_command qsv_cmd_inspect = {
    .name = "inspect",
    .summary = "Lists a model's layers",
    .synopsis = "MODEL [--format table|csv|json]",
    .details = "One line a layer: name, shape of its weight, number of weights and their share,\n"
               "format, bytes, and whether its input is spikes or real numbers.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
