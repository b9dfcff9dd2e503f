#include "core/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/affine.h"
#include "core/base/alloc.h"
#include "core/correct.h"
#include "core/fold.h"
#include "core/refit.h"

struct qsv_network {
    const struct qsv_model *model;
    enum qsv_format affine;                /* of layers that are not f32 */
    uint8_t *formats;                      /* [n_layers] */
    const struct qsv_bank_entry **entries; /* [n_layers], the bank's or `own` */
    float **multiplier, **shift;           /* [n_layers], each [out_ch] or NULL */
    struct qsv_bank_entry *own;            /* [n_layers] of a folded model: codes allocated here */
};

void qsv_network_destroy(struct qsv_network *n)
{
    if (!n)
        return;
    for (size_t l = 0; l < n->model->graph.n_layers; l++) {
        if (n->multiplier)
            free(n->multiplier[l]);
        if (n->shift)
            free(n->shift[l]);
        if (n->own) {
            free((void *)(uintptr_t)n->own[l].codes);
            free((void *)(uintptr_t)n->own[l].values);
        }
    }
    free(n->multiplier);
    free(n->shift);
    free(n->own);
    free(n->entries);
    free(n->formats);
    free(n);
}

static struct qsv_network *allocate(const struct qsv_model *model)
{
    size_t layers = model->graph.n_layers;
    struct qsv_network *n = qsv_alloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->model = model;
    n->formats = qsv_alloc(layers, 1);
    n->entries = qsv_alloc(layers, sizeof *n->entries);
    n->multiplier = qsv_alloc(layers, sizeof *n->multiplier);
    n->shift = qsv_alloc(layers, sizeof *n->shift);
    if (n->formats && n->entries && n->multiplier && n->shift)
        return n;
    qsv_network_destroy(n);
    return NULL;
}

static enum qsv_status allocate_vectors(struct qsv_network *n, uint32_t l, struct qsv_error *err)
{
    const struct qsv_graph *g = &n->model->graph;
    struct qsv_fold_parts parts = qsv_fold_parts(g, n->formats, l);
    if (parts.multiplier)
        n->multiplier[l] = qsv_alloc_aligned(g->layers[l].out_ch, sizeof(float));
    if (parts.shift)
        n->shift[l] = qsv_alloc_aligned(g->layers[l].out_ch, sizeof(float));
    if ((parts.multiplier && !n->multiplier[l]) || (parts.shift && !n->shift[l]))
        return qsv_fail_memory(err, g->layers[l].name);
    return QSV_OK;
}

static bool is_source(const struct qsv_network *n)
{
    for (size_t l = 0; l < n->model->graph.n_layers; l++)
        if (n->formats[l] != QSV_F32)
            return false;
    return !n->own;
}

static enum qsv_format affine_of(const struct qsv_network *n, uint32_t l)
{
    return qsv_affine_of((enum qsv_format)n->formats[l], n->affine);
}

static void round_vectors(struct qsv_network *n)
{
    for (uint32_t l = 0; l < n->model->graph.n_layers; l++) {
        uint32_t channels = n->model->graph.layers[l].out_ch;
        if (n->multiplier[l])
            qsv_affine_round(affine_of(n, l), n->multiplier[l], channels);
        if (n->shift[l])
            qsv_affine_round(affine_of(n, l), n->shift[l], channels);
    }
}

enum qsv_status qsv_network_create(struct qsv_network **out, const struct qsv_model *model,
                                   struct qsv_bank *bank, const uint8_t *formats,
                                   struct qsv_error *err)
{
    const struct qsv_graph *g = &model->graph;
    struct qsv_network *n = allocate(model);
    *out = NULL;
    if (!n)
        return qsv_fail_memory(err, "a network");
    enum qsv_status st = QSV_OK;
    memcpy(n->formats, formats, g->n_layers);
    for (uint32_t l = 0; !st && l < g->n_layers; l++)
        st = qsv_bank_get(&n->entries[l], bank, l, (enum qsv_format)formats[l], err);
    for (uint32_t l = 0; !st && l < g->n_layers; l++)
        st = allocate_vectors(n, l, err);
    for (uint32_t l = 0; !st && l < g->n_layers; l++)
        if (g->links[l].previous == QSV_NO_LAYER)
            st = qsv_fold_chain(model, n->entries, n->formats, l, n->multiplier, n->shift, err);
    n->affine = qsv_bank_quantizer(bank)->affine;
    if (!st)
        round_vectors(n);
    if (st)
        qsv_network_destroy(n);
    else
        *out = n;
    return st;
}

static enum qsv_status read_vector(float **out, const struct qsv_model *m,
                                   const struct qsv_layer *l, const char *part, bool wanted,
                                   struct qsv_error *err)
{
    const struct qsv_tensor *t;
    char name[256];
    snprintf(name, sizeof name, "%s.%s", l->name, part);
    if (!wanted) /* an integer layer but one at none always has a multiplier: with what a file
                    omits it can't be what qsvit wrote */
        return QSV_OK;
    enum qsv_status st = qsv_tensors_need_vector(&t, &m->tensors, name, l->out_ch, err);
    if (st)
        return qsv_fail_in(err, st, "%s", m->path);
    *out = qsv_alloc_aligned(l->out_ch, sizeof **out);
    if (!*out)
        return qsv_fail_memory(err, name);
    qsv_affine_unpack(*out, t);
    return QSV_OK;
}

static enum qsv_status read_weights(struct qsv_bank_entry *e, const struct qsv_model *m,
                                    const struct qsv_layer *l, struct qsv_error *err)
{
    const struct qsv_tensor *t = qsv_tensors_findf(&m->tensors, "%s.weight", l->name);
    size_t n = (size_t)l->n_weights;
    e->format = t->format;
    if (t->format == QSV_NONE) /* of any shape that a file may name: nothing is made of its size */
        return QSV_OK;
    if (qsv_format_info(t->format)->integer) {
        int8_t *codes = qsv_alloc_aligned(n, 1);
        e->codes = codes;
        if (!codes)
            return qsv_fail_memory(err, l->name);
        enum qsv_status st = qsv_format_unpack(t->format, t->data, n, codes, err);
        return st ? qsv_fail_in(err, st, "%s: tensor '%s'", m->path, t->name) : QSV_OK;
    }
    float *values = qsv_alloc_aligned(n, sizeof *values);
    e->values = values;
    if (!values)
        return qsv_fail_memory(err, l->name);
    for (size_t i = 0; i < n; i++) {
        if (t->format == QSV_F16)
            values[i] = qsv_half_to_float((uint16_t)(t->data[2 * i] | t->data[2 * i + 1] << 8));
        else
            memcpy(&values[i], t->data + 4 * i, sizeof *values);
        if (!isfinite(values[i]))
            return qsv_fail(err, QSV_EINPUT, "%s: tensor '%s' holds %g at %zu", m->path, t->name,
                            (double)values[i], i);
    }
    return QSV_OK;
}

/* "<layer>.multiplier" without a scale in the bank's sense: nothing is left to fold. */
enum qsv_status qsv_network_create_folded(struct qsv_network **out, const struct qsv_model *model,
                                          struct qsv_error *err)
{
    const struct qsv_graph *g = &model->graph;
    struct qsv_network *n = allocate(model);
    *out = NULL;
    if (n)
        n->own = qsv_alloc(g->n_layers, sizeof *n->own);
    if (!n || !n->own) {
        qsv_network_destroy(n);
        return qsv_fail_memory(err, "a network");
    }
    enum qsv_status st = QSV_OK;
    for (uint32_t l = 0; !st && l < g->n_layers; l++) {
        st = read_weights(&n->own[l], model, &g->layers[l], err);
        n->entries[l] = &n->own[l];
        n->formats[l] = (uint8_t)n->own[l].format;
    }
    for (uint32_t l = 0; !st && l < g->n_layers; l++) {
        const struct qsv_layer *layer = &g->layers[l];
        struct qsv_fold_parts parts = qsv_fold_parts(g, n->formats, l);
        bool has_shift = qsv_tensors_findf(&model->tensors, "%s.shift", layer->name);
        st = read_vector(&n->multiplier[l], model, layer, "multiplier", parts.multiplier, err);
        if (!st) /* whether the source had a bias is not known here */
            st = read_vector(&n->shift[l], model, layer, "shift", parts.shift || has_shift, err);
    }
    if (st)
        qsv_network_destroy(n);
    else
        *out = n;
    return st;
}

const struct qsv_model *qsv_network_model(const struct qsv_network *n)
{
    return n->model;
}

const uint8_t *qsv_network_formats(const struct qsv_network *n)
{
    return n->formats;
}

struct qsv_network_layer qsv_network_layer(const struct qsv_network *n, uint32_t layer)
{
    return (struct qsv_network_layer){n->entries[layer], n->multiplier[layer], n->shift[layer]};
}

static void pack_weights(struct qsv_tensor *t, const struct qsv_bank_entry *e, size_t n)
{
    if (e->codes) {
        qsv_format_pack(e->format, e->codes, n, t->data);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t h = qsv_half_from_float(e->values[i]);
        if (e->format == QSV_F16)
            memcpy(t->data + 2 * i, &h, sizeof h);
        else
            memcpy(t->data + 4 * i, &e->values[i], sizeof(float));
    }
}

static enum qsv_status add_vector(struct qsv_tensors *out, const struct qsv_layer *l,
                                  const char *part, const float *v, enum qsv_format affine,
                                  struct qsv_error *err)
{
    struct qsv_tensor *t;
    char name[256];
    if (!v)
        return QSV_OK;
    snprintf(name, sizeof name, "%s.%s", l->name, part);
    enum qsv_status st = qsv_tensors_add(out, name, affine, 1, &l->out_ch, &t, err);
    if (!st)
        qsv_affine_pack(t, v);
    return st;
}

static enum qsv_status add_layer(struct qsv_tensors *out, const struct qsv_network *n, uint32_t l,
                                 struct qsv_error *err)
{
    const struct qsv_layer *layer = &n->model->graph.layers[l];
    const struct qsv_tensor *source =
        qsv_tensors_findf(&n->model->tensors, "%s.weight", layer->name);
    struct qsv_tensor *t;
    enum qsv_status st = qsv_tensors_add(out, source->name, n->entries[l]->format, source->rank,
                                         source->shape, &t, err);
    if (!st)
        pack_weights(t, n->entries[l], (size_t)layer->n_weights);
    if (!st)
        st = add_vector(out, layer, "multiplier", n->multiplier[l], affine_of(n, l), err);
    return st ? st : add_vector(out, layer, "shift", n->shift[l], affine_of(n, l), err);
}

enum qsv_status qsv_network_fold(struct qsv_tensors *out, const struct qsv_network *n,
                                 struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    *out = (struct qsv_tensors){0};
    for (uint32_t l = 0; !st && l < n->model->graph.n_layers; l++)
        st = add_layer(out, n, l, err);
    if (st)
        qsv_tensors_fini(out);
    return st;
}

enum qsv_status qsv_network_save(const struct qsv_network *n, const char *path,
                                 struct qsv_error *err)
{
    struct qsv_tensors tensors;
    struct qsv_model *folded = NULL;
    if (n->own || is_source(n))
        return qsv_model_save(n->model, path, err);
    enum qsv_status st = qsv_network_fold(&tensors, n, err);
    if (!st)
        st = qsv_model_create(&folded, &tensors, &n->model->options, path, err);
    if (!st) {
        folded->source_bytes = n->model->source_bytes;
        st = qsv_model_save(folded, path, err);
    }
    qsv_model_destroy(folded);
    return st;
}

static void dequantize(float *out, const struct qsv_bank_entry *e, const struct qsv_layer *l)
{
    size_t per_channel = (size_t)(l->n_weights / l->out_ch);
    for (size_t i = 0; i < l->n_weights; i++)
        out[i] = e->codes ? (float)e->codes[i] * e->scale[i / per_channel] : e->values[i];
}

static const struct qsv_layer *layer_of(const struct qsv_graph *g, const char *tensor, uint32_t *l)
{
    for (*l = 0; *l < g->n_layers; ++*l) {
        const char *name = g->layers[*l].name;
        size_t n = strlen(name);
        if (!strncmp(tensor, name, n) && !strcmp(tensor + n, ".weight"))
            return &g->layers[*l];
    }
    return NULL;
}

static enum qsv_status dequantize_all(struct qsv_tensors *out, const struct qsv_model *m,
                                      const struct qsv_bank_entry *const *entries,
                                      struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (size_t i = 0; !st && i < m->tensors.n; i++) {
        const struct qsv_tensor *from = &m->tensors.v[i];
        struct qsv_tensor *t;
        uint32_t l;
        st = qsv_tensors_add(out, from->name, QSV_F32, from->rank, from->shape, &t, err);
        if (st)
            break;
        const struct qsv_layer *layer = layer_of(&m->graph, from->name, &l);
        if (layer)
            dequantize((float *)t->data, entries[l], layer);
        else
            memcpy(t->data, from->data, from->bytes);
    }
    return st ? st : qsv_correct_tensors(out, &m->graph, entries, err);
}

enum qsv_status qsv_network_dequantize(struct qsv_tensors *out, const struct qsv_network *n,
                                       struct qsv_error *err)
{
    struct qsv_refit *refit = NULL;
    enum qsv_status st = QSV_OK;
    *out = (struct qsv_tensors){0};
    if (n->own)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: a quantized model no longer has the checkpoint's norms: export from "
                        "the model it was made from",
                        n->model->path);
    if (n->affine != QSV_F32)
        st = qsv_refit_create(&refit, n->model, n->entries, n->formats, n->multiplier, n->shift,
                              err);
    if (!st)
        st = dequantize_all(out, n->model, refit ? qsv_refit_entries(refit) : n->entries, err);
    qsv_refit_destroy(refit);
    if (st)
        qsv_tensors_fini(out);
    return st;
}
