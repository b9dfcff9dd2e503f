#include "core/fold.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"

static uint32_t count_consumers(const struct qsv_graph *g, uint32_t node, uint32_t *consumer)
{
    uint32_t n = 0;
    for (uint32_t i = node + 1; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] == node) {
                *consumer = i;
                n++;
            }
    return n;
}

static enum qsv_status link_layer(struct qsv_graph *g, uint32_t l, uint32_t *norms_linked,
                                  struct qsv_error *err)
{
    uint32_t node = g->layers[l].node, next = 0;
    struct qsv_link *link = &g->links[l];
    link->next = QSV_NO_LAYER;
    while (count_consumers(g, node, &next) == 1 && g->nodes[next].op == QSV_OP_NORM) {
        if (link->n_norms == QSV_MAX_CHAIN_NORMS)
            return qsv_fail(err, QSV_EINPUT, "layer '%s' is followed by more than %d norms",
                            g->layers[l].name, QSV_MAX_CHAIN_NORMS);
        link->norms[link->n_norms++] = g->nodes[next].index;
        ++*norms_linked;
        node = next;
    }
    link->end_node = node;
    if (count_consumers(g, node, &next) == 1 && g->nodes[next].op == QSV_OP_CONV) {
        const struct qsv_layer *after = &g->layers[g->nodes[next].index];
        if (after->pad && !after->pad_norm)
            return qsv_fail(err, QSV_EINPUT,
                            "layer '%s' pads with 0 what norms of '%s' shift: can't be folded",
                            after->name, g->layers[l].name);
        link->next = g->nodes[next].index;
        g->links[link->next].previous = l;
    }
    return QSV_OK;
}

enum qsv_status qsv_fold_links(struct qsv_graph *graph, struct qsv_error *err)
{
    uint32_t norms_linked = 0;
    graph->links = qsv_alloc(graph->n_layers, sizeof *graph->links);
    if (!graph->links)
        return qsv_fail_memory(err, "the model's chains");
    for (size_t l = 0; l < graph->n_layers; l++)
        graph->links[l] = (struct qsv_link){.previous = QSV_NO_LAYER};
    for (uint32_t l = 0; l < graph->n_layers; l++) {
        enum qsv_status st = link_layer(graph, l, &norms_linked, err);
        if (st)
            return st;
    }
    if (norms_linked != graph->n_norms)
        return qsv_fail(err, QSV_EINPUT, "%zu norms do not follow a layer: can't be folded",
                        graph->n_norms - norms_linked);
    return QSV_OK;
}

static bool is_depthwise(const struct qsv_graph *g, uint32_t l)
{
    return g->layers[l].groups > 1;
}

static bool integer(const uint8_t *formats, uint32_t l)
{
    return qsv_format_info((enum qsv_format)formats[l])->integer;
}

/* Does a factor that is not 1 by nature, of a sum that is not 0, reach the place behind layer l? */
static bool has_factor(const struct qsv_graph *g, const uint8_t *formats, uint32_t l)
{
    uint32_t before = g->links[l].previous;
    if (formats[l] == QSV_NONE)
        return false;
    return g->links[l].n_norms || integer(formats, l) ||
           (is_depthwise(g, l) && before != QSV_NO_LAYER && has_factor(g, formats, before));
}

static bool has_constant(const struct qsv_graph *g, uint32_t l)
{
    const struct qsv_link *link = &g->links[l];
    return link->n_norms || g->layers[l].has_bias ||
           (link->previous != QSV_NO_LAYER && has_constant(g, link->previous));
}

bool qsv_fold_takes_constant(const struct qsv_graph *graph, uint32_t layer)
{
    while (graph->links && graph->links[layer].next != QSV_NO_LAYER)
        layer = graph->links[layer].next;
    return graph->links && has_constant(graph, layer);
}

struct qsv_fold_parts qsv_fold_parts(const struct qsv_graph *graph, const uint8_t *formats,
                                     uint32_t layer)
{
    const struct qsv_link *link = &graph->links[layer];
    uint32_t next = link->next;
    bool moves_on = next != QSV_NO_LAYER && is_depthwise(graph, next);
    struct qsv_fold_parts p = {
        .multiplier = !moves_on && has_factor(graph, formats, layer),
        .shift = next == QSV_NO_LAYER && has_constant(graph, layer),
    };
    p.scale_alone = p.multiplier && !link->n_norms && integer(formats, layer);
    return p;
}

/* What a chain carries from one layer to the next, [channels] each. */
struct carry {
    double *factor, *constant;
};

static void carry_free(struct carry *c)
{
    free(c->factor);
    free(c->constant);
    *c = (struct carry){0};
}

static bool carry_alloc(struct carry *c, size_t n)
{
    c->factor = qsv_alloc(n, sizeof *c->factor);
    c->constant = qsv_alloc(n, sizeof *c->constant);
    return c->factor && c->constant;
}

static double weight(const struct qsv_bank_entry *e, size_t channel, size_t i)
{
    return e->codes ? (double)e->codes[i] * (double)e->scale[channel] : (double)e->values[i];
}

/* Layer l itself: out = factor x raw sum + constant. */
static void through_layer(const struct qsv_layer *l, const struct qsv_bank_entry *e,
                          const float *bias, const struct carry *in, struct carry *out)
{
    size_t taps = (size_t)l->kernel * l->kernel, i = 0;
    for (uint32_t o = 0; o < l->out_ch; o++) {
        double constant =
            (bias ? (double)bias[o] : 0) + (e->correction ? (double)e->correction[o] : 0);
        out->factor[o] = e->codes ? (double)e->scale[o] : 1;
        if (in->factor && l->groups > 1)
            out->factor[o] *= in->factor[o];
        for (uint32_t c = 0; c < l->in_ch; c++)
            for (size_t t = 0; t < taps; t++, i++)
                if (in->constant)
                    constant += weight(e, o, i) * in->constant[l->groups > 1 ? o : c];
        out->constant[o] = constant;
    }
}

static const float *need_vector(const struct qsv_model *m, const char *name, const char *part)
{
    return (const float *)qsv_tensors_findf(&m->tensors, "%s.%s", name, part)->data;
}

static void through_norm(const struct qsv_model *m, uint32_t norm, struct carry *c)
{
    const struct qsv_norm *n = &m->graph.norms[norm];
    const float *gamma = need_vector(m, n->name, "weight"), *beta = need_vector(m, n->name, "bias");
    const float *mean = need_vector(m, n->name, "running_mean");
    const float *var = need_vector(m, n->name, "running_var");
    for (uint32_t i = 0; i < n->channels; i++) {
        double a = (double)gamma[i] / sqrt((double)var[i] + n->eps);
        c->factor[i] *= a;
        c->constant[i] = a * (c->constant[i] - (double)mean[i]) + (double)beta[i];
    }
}

static enum qsv_status store(float *out, const double *v, const struct qsv_layer *l,
                             const char *path, struct qsv_error *err)
{
    for (uint32_t o = 0; o < l->out_ch; o++) {
        out[o] = (float)v[o];
        if (!isfinite(out[o]))
            return qsv_fail(
                err, QSV_EINPUT,
                "%s: channel %u of layer '%s' is scaled or shifted by %g: its norm has a "
                "variance that is not positive or too small",
                path, o, l->name, v[o]);
    }
    return QSV_OK;
}

static enum qsv_status fold_layer(const struct qsv_model *m, const struct qsv_bank_entry *entry,
                                  const uint8_t *formats, uint32_t layer, struct carry *carry,
                                  float *multiplier, float *shift, struct qsv_error *err)
{
    const struct qsv_layer *l = &m->graph.layers[layer];
    const struct qsv_link *link = &m->graph.links[layer];
    struct carry out = {0};
    if (!carry_alloc(&out, l->out_ch)) {
        carry_free(&out);
        return qsv_fail_memory(err, l->name);
    }
    through_layer(l, entry, l->has_bias ? need_vector(m, l->name, "bias") : NULL, carry, &out);
    for (uint32_t i = 0; i < link->n_norms; i++)
        through_norm(m, link->norms[i], &out);
    struct qsv_fold_parts parts = qsv_fold_parts(&m->graph, formats, layer);
    enum qsv_status st = QSV_OK;
    if (parts.multiplier)
        st = store(multiplier, out.factor, l, m->path, err);
    if (!st && parts.shift)
        st = store(shift, out.constant, l, m->path, err);
    carry_free(carry);
    *carry = out;
    if (parts.multiplier) { /* applied: it does not go on */
        free(carry->factor);
        carry->factor = NULL;
    }
    return st;
}

enum qsv_status qsv_fold_chain(const struct qsv_model *model,
                               const struct qsv_bank_entry *const *entries, const uint8_t *formats,
                               uint32_t first, float *const *multiplier, float *const *shift,
                               struct qsv_error *err)
{
    struct carry carry = {0};
    enum qsv_status st = QSV_OK;
    for (uint32_t l = first; !st && l != QSV_NO_LAYER; l = model->graph.links[l].next)
        st = fold_layer(model, entries[l], formats, l, &carry, multiplier[l], shift[l], err);
    carry_free(&carry);
    return st;
}

static enum qsv_status carry_through(const struct qsv_model *m, uint32_t layer, struct carry *carry,
                                     struct qsv_error *err)
{
    const struct qsv_layer *l = &m->graph.layers[layer];
    const struct qsv_bank_entry f32 = {.format = QSV_F32,
                                       .values = need_vector(m, l->name, "weight")};
    float *multiplier = qsv_alloc(l->out_ch, sizeof *multiplier);
    float *shift = qsv_alloc(l->out_ch, sizeof *shift);
    uint8_t *formats = qsv_alloc(m->graph.n_layers, 1);
    enum qsv_status st = multiplier && shift && formats
                             ? fold_layer(m, &f32, formats, layer, carry, multiplier, shift, err)
                             : qsv_fail_memory(err, l->name);
    free(multiplier);
    free(shift);
    free(formats);
    return st;
}

enum qsv_status qsv_fold_input(const struct qsv_model *model, uint32_t layer, double *factor,
                               double *constant, struct qsv_error *err)
{
    const struct qsv_graph *g = &model->graph;
    struct carry carry = {0};
    uint32_t at = layer;
    enum qsv_status st = QSV_OK;
    while (g->links[at].previous != QSV_NO_LAYER)
        at = g->links[at].previous;
    for (; !st && at != layer; at = g->links[at].next)
        st = carry_through(model, at, &carry, err);
    for (uint32_t c = 0; !st && c < g->layers[layer].in.c; c++) {
        factor[c] = carry.factor ? carry.factor[c] : 1;
        constant[c] = carry.constant ? carry.constant[c] : 0;
    }
    carry_free(&carry);
    return st;
}
