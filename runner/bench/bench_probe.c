#include "runner/bench/bench_probe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/fold.h"
#include "core/models/builder.h"

enum { NOISE_CHANNELS = QSV_MAX_CHANNELS, EXPAND = 3 };
static const double tau = 2, spread = 1; /* of what the neurons get */

/* Tensors and graph under way. */
struct workshop {
    struct qsv_builder b;
    struct qsv_rng rng;
};

static void add(struct workshop *w, const char *name, const char *part, uint32_t rank,
                const uint32_t *shape, float value, bool random)
{
    char full[64];
    struct qsv_tensor *t;
    snprintf(full, sizeof full, "%s.%s", name, part);
    if (w->b.status)
        return;
    w->b.status = qsv_tensors_add((struct qsv_tensors *)(uintptr_t)w->b.tensors, full, QSV_F32,
                                  rank, shape, &t, w->b.err);
    float *v = w->b.status ? NULL : (float *)(void *)t->data;
    for (size_t i = 0; v && i < qsv_tensor_count(t); i++)
        v[i] = random ? (float)(2 * qsv_rng_unit(&w->rng) - 1) : value;
}

static uint32_t add_norm(struct workshop *w, uint32_t x, uint32_t channels, const char *name)
{
    add(w, name, "weight", 1, &channels, 1, false);
    add(w, name, "bias", 1, &channels, 0, false);
    add(w, name, "running_mean", 1, &channels, 0, false);
    add(w, name, "running_var", 1, &channels, 1, false);
    return qsv_build_norm(&w->b, x, "%s", name);
}

/* Each channel another mixture of the noise around a pixel, variance 1. */
static void level(struct workshop *w, const char *name)
{
    const struct qsv_tensor *t = qsv_tensors_findf(w->b.tensors, "%s.weight", name);
    const size_t k = (size_t)NOISE_CHANNELS * EXPAND * EXPAND;
    float *v = w->b.status ? NULL : (float *)(void *)t->data;
    for (size_t o = 0; v && o < t->shape[0]; o++, v += k) {
        double sum = 0;
        for (size_t i = 0; i < k; i++)
            sum += (double)v[i] * (double)v[i];
        for (size_t i = 0; i < k; i++)
            v[i] = (float)((double)v[i] * spread / sqrt(sum));
    }
}

static uint32_t add_spikes(struct workshop *w, uint32_t x, uint32_t channels, const char *name)
{
    const struct qsv_conv conv = {EXPAND, 1, EXPAND / 2, false, false};
    const uint32_t shape[] = {channels, NOISE_CHANNELS, EXPAND, EXPAND};
    char norm[64];
    snprintf(norm, sizeof norm, "%s_norm", name);
    add(w, name, "weight", 4, shape, 0, true);
    level(w, name);
    x = qsv_build_conv(&w->b, x, conv, "%s", name);
    x = add_norm(w, x, channels, norm);
    return qsv_build_lif(&w->b, x, 1, (float)tau, "%s_lif", name);
}

static uint32_t add_layer(struct workshop *w, uint32_t x, const struct qsv_layer *l,
                          const struct qsv_link *link, uint32_t at)
{
    const struct qsv_conv conv = {l->kernel, l->stride, l->pad, l->groups > 1, l->pad_norm};
    const uint32_t shape[] = {l->out_ch, l->in_ch, l->rank == 3 ? 1 : l->kernel, l->kernel};
    char name[64];
    snprintf(name, sizeof name, "layer%u", at);
    add(w, name, "weight", l->rank, shape, 0, true);
    x = qsv_build_conv(&w->b, x, conv, "%s", name);
    for (uint32_t i = 0; i < link->n_norms; i++) {
        snprintf(name, sizeof name, "layer%u_norm%u", at, i);
        x = add_norm(w, x, l->out_ch, name);
    }
    return x;
}

static void build_chain(struct workshop *w, const struct qsv_model *of, uint32_t first)
{
    const struct qsv_graph *g = &of->graph;
    const struct qsv_layer *l = &g->layers[first];
    struct qsv_shape in = l->in;
    in.c = l->spike_input ? NOISE_CHANNELS : in.c;
    uint32_t x = qsv_build_input(&w->b, in);
    if (l->spike_input)
        x = add_spikes(w, x, l->in.c, "expand");
    for (uint32_t i = first, at = 0; i != QSV_NO_LAYER; i = g->links[i].next, at++)
        x = add_layer(w, x, &g->layers[i], &g->links[i], at);
    qsv_build_readout(&w->b, qsv_build_pool(&w->b, x), 0);
}

static void build_attention(struct workshop *w, const struct qsv_model *of, uint32_t attention)
{
    const struct qsv_attention *a = &of->graph.attentions[attention];
    const struct qsv_shape s = of->graph.nodes[a->node].out;
    const uint32_t noise = qsv_build_input(&w->b, (struct qsv_shape){NOISE_CHANNELS, s.h, s.w});
    const uint32_t q = add_spikes(w, noise, s.c, "q"), k = add_spikes(w, noise, s.c, "k"),
                   v = add_spikes(w, noise, s.c, "v");
    const uint32_t x = qsv_build_attention(&w->b, q, k, v, a->heads, a->scale, "attention");
    qsv_build_readout(&w->b, qsv_build_pool(&w->b, x), 0);
}

static enum qsv_status make_model(struct qsv_probe *p, const struct qsv_model *of, bool attention,
                                  uint32_t index, uint64_t seed, struct qsv_error *err)
{
    struct qsv_model *m = p->model = qsv_alloc(1, sizeof *m);
    if (!m || !(m->path = qsv_strdup("a layer by itself")))
        return qsv_fail_memory(err, "a layer");
    m->options = of->options;
    m->architecture = "probe";
    struct workshop w = {
        .b = {.graph = &m->graph, .tensors = &m->tensors, .err = err, .path = m->path}};
    qsv_rng_seed(&w.rng, seed);
    qsv_build_stage(&w.b, "probe");
    qsv_build_block(&w.b, "probe");
    if (attention)
        build_attention(&w, of, index);
    else
        build_chain(&w, of, index);
    if (w.b.status)
        return w.b.status;
    const struct qsv_graph *g = &m->graph;
    m->options.input = g->nodes[0].out;
    m->classes = g->nodes[g->n_nodes - 1].out.c;
    for (uint32_t c = 0; c < m->options.input.c; c++) { /* bytes as likely as each other */
        m->options.mean[c] = 0.5F;
        m->options.std[c] = (float)sqrt(1.0 / 12);
    }
    p->fires = g->n_lifs > 0;
    p->first = attention ? QSV_NO_LAYER : p->fires;
    return qsv_fold_links(&m->graph, err);
}

static enum qsv_status prepare(struct qsv_probe *p, uint32_t batch, uint64_t seed,
                               struct qsv_error *err)
{
    const struct qsv_quantizer quantizer = {qsv_quantizer_find("round"), QSV_SCALE_MAX, QSV_F32};
    const struct qsv_shape in = p->model->options.input;
    const size_t bytes = (size_t)in.c * in.h * in.w;
    struct qsv_rng rng;
    p->batch = batch;
    p->pixels = qsv_alloc(batch, bytes);
    p->logits = qsv_alloc(batch, p->model->classes * sizeof *p->logits);
    p->spikes = qsv_alloc(p->model->graph.n_lifs + 1, sizeof *p->spikes);
    if (!p->pixels || !p->logits || !p->spikes)
        return qsv_fail_memory(err, "a layer");
    qsv_rng_seed(&rng, seed + 1);
    for (size_t i = 0; i < batch * bytes; i++)
        p->pixels[i] = (uint8_t)(qsv_rng_next(&rng) >> 56);
    enum qsv_status st = qsv_profile_init(&p->profile, &p->model->graph, err);
    if (!st)
        st = qsv_bank_create(&p->bank, p->model, &quantizer, err);
    if (!st)
        st = qsv_engine_create(&p->engine, p->model, batch, err);
    if (!st)
        qsv_engine_profile(p->engine, &p->profile);
    return st;
}

static enum qsv_status init(struct qsv_probe *p, const struct qsv_model *of, bool attention,
                            uint32_t index, uint32_t batch, uint64_t seed, struct qsv_error *err)
{
    *p = (struct qsv_probe){0};
    enum qsv_status st = make_model(p, of, attention, index, seed, err);
    if (!st)
        st = prepare(p, batch, seed, err);
    if (st)
        qsv_probe_fini(p);
    return st;
}

enum qsv_status qsv_probe_chain(struct qsv_probe *p, const struct qsv_model *of, uint32_t first,
                                uint32_t batch, uint64_t seed, struct qsv_error *err)
{
    return init(p, of, false, first, batch, seed, err);
}

enum qsv_status qsv_probe_attention(struct qsv_probe *p, const struct qsv_model *of,
                                    uint32_t attention, uint32_t batch, uint64_t seed,
                                    struct qsv_error *err)
{
    return init(p, of, true, attention, batch, seed, err);
}

static void drop_networks(struct qsv_probe *p)
{
    for (int i = 0; i < QSV_N_FORMATS; i++) {
        qsv_network_destroy(p->networks[i]);
        p->networks[i] = NULL;
    }
}

void qsv_probe_fini(struct qsv_probe *p)
{
    drop_networks(p);
    qsv_engine_destroy(p->engine);
    qsv_bank_destroy(p->bank);
    qsv_profile_fini(&p->profile);
    qsv_model_destroy(p->model);
    free(p->pixels);
    free(p->logits);
    free(p->spikes);
    *p = (struct qsv_probe){0};
}

/* The rate of neurons whose input is normal around `shift`, the same at every time step: one that
 * first reaches the threshold at step n fires every n steps. */
static double rate_at(double shift, uint32_t steps)
{
    double fired = 0, above = 0;
    for (uint32_t n = 1; n <= steps; n++) {
        const double threshold = 1 / (1 - pow(1 - 1 / tau, n));
        const double reach = 0.5 * erfc((threshold - shift) / spread / sqrt(2));
        fired += (reach - above) * (steps / n);
        above = reach;
    }
    return fired / steps;
}

static float shift_for(double rate, uint32_t steps)
{
    double low = -20, high = 20;
    for (int i = 0; i < 60; i++) {
        const double middle = (low + high) / 2;
        *(rate_at(middle, steps) < rate ? &low : &high) = middle;
    }
    return (float)((low + high) / 2);
}

enum qsv_status qsv_probe_set_rate(struct qsv_probe *p, double rate, struct qsv_error *err)
{
    const struct qsv_graph *g = &p->model->graph;
    const float shift = shift_for(rate, p->model->options.time_steps);
    drop_networks(p); /* they have the shift folded in */
    for (uint32_t i = 0; i < g->n_lifs; i++) {
        const struct qsv_node *before = &g->nodes[g->nodes[g->lifs[i].node].in[0]];
        const struct qsv_tensor *t =
            qsv_tensors_findf(&p->model->tensors, "%s.bias", g->norms[before->index].name);
        if (!t)
            return qsv_fail(err, QSV_EFAILED, "no norm in front of '%s'", g->lifs[i].name);
        float *v = (float *)(void *)t->data;
        for (size_t c = 0; c < t->shape[0]; c++)
            v[c] = shift;
    }
    return QSV_OK;
}

static enum qsv_status get_network(struct qsv_probe *p, enum qsv_format format,
                                   struct qsv_error *err)
{
    const size_t n = p->model->graph.n_layers;
    if (p->networks[format])
        return QSV_OK;
    uint8_t *formats = qsv_alloc(n, 1);
    if (!formats)
        return qsv_fail_memory(err, "formats");
    for (size_t l = 0; l < n; l++)
        formats[l] = p->first != QSV_NO_LAYER && l >= p->first ? (uint8_t)format : QSV_F32;
    enum qsv_status st = qsv_network_create(&p->networks[format], p->model, p->bank, formats, err);
    free(formats);
    return st;
}

enum qsv_status qsv_probe_run(struct qsv_probe *p, enum qsv_format format, struct qsv_error *err)
{
    const struct qsv_graph *g = &p->model->graph;
    struct qsv_engine_output o = {.logits = p->logits, .lif_spikes = p->spikes};
    uint64_t fired = 0, neurons = 0;
    enum qsv_status st = get_network(p, format, err);
    if (st)
        return st;
    memset(p->spikes, 0, g->n_lifs * sizeof *p->spikes);
    qsv_profile_clear(&p->profile, g);
    st = qsv_engine_run(p->engine, p->pixels, p->batch, &p->networks[format], 1, &o, NULL, NULL,
                        err);
    for (uint32_t i = 0; i < g->n_lifs; i++) {
        const struct qsv_shape s = g->lifs[i].shape;
        fired += p->spikes[i];
        neurons += (uint64_t)s.c * s.h * s.w * p->model->options.time_steps * p->batch;
    }
    p->rate = neurons ? (double)fired / (double)neurons : 0;
    return st;
}
