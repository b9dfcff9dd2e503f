#include "runner/bench/bench_models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/engine/profile.h"
#include "core/synth.h"

/* An engine with a batch of images. */
struct stand {
    const struct qsv_bench_models_setup *setup;
    struct qsv_bank *bank;
    struct qsv_engine *engine;
    uint8_t *pixels; /* [batch] */
    float *logits;   /* [batch][classes] */
};

static void stand_fini(struct stand *s)
{
    qsv_engine_destroy(s->engine);
    qsv_bank_destroy(s->bank);
    free(s->pixels);
    free(s->logits);
}

static enum qsv_status stand_init(struct stand *s, const struct qsv_bench_models_setup *setup,
                                  struct qsv_error *err)
{
    const struct qsv_quantizer quantizer = {qsv_quantizer_find("round"), QSV_SCALE_MAX, QSV_F32};
    const struct qsv_model *m = setup->model;
    const struct qsv_shape in = m->options.input;
    *s = (struct stand){.setup = setup};
    s->pixels = qsv_alloc(setup->batch, (size_t)in.c * in.h * in.w);
    s->logits = qsv_alloc(setup->batch, m->classes * sizeof *s->logits);
    if (!s->pixels || !s->logits)
        return qsv_fail_memory(err, "images");
    qsv_synth_images(s->pixels, setup->batch, in, setup->seed);
    enum qsv_status st = qsv_bank_create(&s->bank, m, &quantizer, err);
    if (!st)
        st = qsv_engine_create(&s->engine, m, setup->batch, err);
    return st ? st : qsv_engine_use_threads(s->engine, setup->threads, err);
}

static enum qsv_status make_network(struct qsv_network **out, struct stand *s, uint32_t layer,
                                    enum qsv_format format, struct qsv_error *err)
{
    const size_t n = s->setup->model->graph.n_layers;
    uint8_t *formats = qsv_alloc(n, 1);
    if (!formats)
        return qsv_fail_memory(err, "a network");
    for (size_t l = 0; l < n; l++)
        formats[l] = layer == QSV_NO_LAYER || l == layer ? (uint8_t)format : QSV_F32;
    enum qsv_status st = qsv_network_create(out, s->setup->model, s->bank, formats, err);
    free(formats);
    return st;
}

/* A format under measurement. */
struct racer {
    struct qsv_network *network;
    struct qsv_profile profile;
    uint64_t *spikes; /* [n_lifs] */
    double *samples;  /* [rounds] images a second */
    uint32_t calls;   /* a round */
};

static enum qsv_status run_once(struct stand *s, struct racer *l, bool counted,
                                struct qsv_error *err)
{
    struct qsv_engine_output o = {.logits = s->logits, .lif_spikes = l->spikes};
    qsv_engine_profile(s->engine, counted ? &l->profile : NULL);
    return qsv_engine_run(s->engine, s->pixels, s->setup->batch, &l->network, 1, &o, NULL, NULL,
                          err);
}

static enum qsv_status racer_init(struct racer *l, struct stand *s, enum qsv_format format,
                                  struct qsv_error *err)
{
    const struct qsv_graph *g = &s->setup->model->graph;
    double began_s = 0;
    l->spikes = qsv_alloc(g->n_lifs + 1, sizeof *l->spikes);
    l->samples = qsv_alloc(s->setup->rounds, sizeof *l->samples);
    if (!l->spikes || !l->samples)
        return qsv_fail_memory(err, "a network");
    enum qsv_status st = qsv_profile_init(&l->profile, g, err);
    if (!st)
        st = make_network(&l->network, s, QSV_NO_LAYER, format, err);
    if (!st)
        st = run_once(s, l, false, err); /* makes the weights */
    began_s = qsv_clock_monotonic_s();
    memset(l->spikes, 0, g->n_lifs * sizeof *l->spikes);
    if (!st)
        st = run_once(s, l, false, err);
    const double call_s = qsv_clock_monotonic_s() - began_s;
    l->calls =
        call_s * 1e6 < s->setup->round_s ? 1000000 : (uint32_t)ceil(s->setup->round_s / call_s);
    l->calls = l->calls ? l->calls : 1;
    return st;
}

static void racer_fini(struct racer *l)
{
    qsv_network_destroy(l->network);
    qsv_profile_fini(&l->profile);
    free(l->spikes);
    free(l->samples);
}

static void count_work(struct qsv_bench_model *out, const struct qsv_model *m)
{
    const struct qsv_graph *g = &m->graph;
    const double steps = m->options.time_steps;
    for (size_t i = 0; i < g->n_layers; i++)
        out->kind_macs[qsv_bench_kind_of(&g->layers[i])] +=
            (double)g->layers[i].macs * (g->nodes[g->layers[i].node].per_step ? steps : 1);
    for (size_t i = 0; i < g->n_attentions; i++)
        out->kind_macs[QSV_KIND_ATTENTION] +=
            (double)qsv_bench_attention_macs(&g->attentions[i]) * steps;
    for (size_t i = 0; i < g->n_lifs; i++)
        out->kind_macs[QSV_KIND_LIF] +=
            (double)g->lifs[i].shape.c * g->lifs[i].shape.h * g->lifs[i].shape.w * steps;
}

static void share_time(struct qsv_bench_model *out, const struct qsv_graph *g,
                       const struct qsv_profile *p)
{
    for (size_t i = 0; i < g->n_layers; i++)
        out->kind_s[qsv_bench_kind_of(&g->layers[i])] += p->layer_s[i];
    for (size_t i = 0; i < g->n_attentions; i++)
        out->kind_s[QSV_KIND_ATTENTION] += p->attention_s[i];
    for (size_t i = 0; i < g->n_lifs; i++)
        out->kind_s[QSV_KIND_LIF] += p->lif_s[i];
    out->kind_s[QSV_KIND_ADD] = p->add_s;
    out->kind_s[QSV_KIND_REST] = p->rest_s;
    for (int k = 0; k < QSV_N_KINDS; k++)
        out->kind_s[k] /= p->images ? (double)p->images : 1;
}

static void conclude(struct qsv_bench_model *out, const struct stand *s, struct racer *l,
                     enum qsv_format format, const uint64_t *spikes)
{
    const struct qsv_model *m = s->setup->model;
    uint64_t fired = 0;
    *out = (struct qsv_bench_model){.format = format};
    count_work(out, m);
    share_time(out, &m->graph, &l->profile);
    for (size_t i = 0; i < m->graph.n_lifs; i++)
        fired += spikes[i];
    out->rate = (double)fired / (out->kind_macs[QSV_KIND_LIF] * s->setup->batch);
    out->images_per_s = qsv_bench_median(l->samples, s->setup->rounds);
    out->slowest = l->samples[0];
    out->fastest = l->samples[s->setup->rounds - 1];
}

static enum qsv_status run_round(struct stand *s, struct racer *l, double *images_per_s,
                                 struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    const double began_s = qsv_clock_monotonic_s();
    for (uint32_t i = 0; !st && i < l->calls; i++)
        st = run_once(s, l, true, err);
    *images_per_s = (double)l->calls * s->setup->batch / (qsv_clock_monotonic_s() - began_s);
    return st;
}

enum qsv_status qsv_bench_models_run(struct qsv_bench_model *out,
                                     const struct qsv_bench_models_setup *setup,
                                     struct qsv_error *err)
{
    const struct qsv_graph *g = &setup->model->graph;
    struct stand s;
    struct racer racers[QSV_N_FORMATS] = {0};
    uint64_t *spikes = qsv_alloc(setup->n_formats, (g->n_lifs + 1) * sizeof *spikes);
    enum qsv_status st = stand_init(&s, setup, err);
    if (!st && !spikes)
        st = qsv_fail_memory(err, "a network");
    for (uint32_t f = 0; !st && f < setup->n_formats; f++) {
        st = racer_init(&racers[f], &s, setup->formats[f], err);
        if (!st) /* of one call */
            memcpy(spikes + f * g->n_lifs, racers[f].spikes, g->n_lifs * sizeof *spikes);
    }
    for (uint32_t r = 0; !st && r < setup->rounds; r++)
        for (uint32_t f = 0; !st && f < setup->n_formats; f++)
            st = run_round(&s, &racers[f], &racers[f].samples[r], err);
    for (uint32_t f = 0; f < setup->n_formats; f++) {
        if (!st)
            conclude(&out[f], &s, &racers[f], setup->formats[f], spikes + f * g->n_lifs);
        racer_fini(&racers[f]);
    }
    stand_fini(&s);
    free(spikes);
    return st;
}

/* All networks of a sensitivity sweep, the baseline first. */
struct sweep {
    struct qsv_network **networks;
    struct qsv_engine_output *outputs;
    float *logits;
    uint32_t n;
};

static enum qsv_status sweep_init(struct sweep *w, struct stand *s, struct qsv_error *err)
{
    const struct qsv_bench_models_setup *setup = s->setup;
    const uint32_t layers = (uint32_t)setup->model->graph.n_layers;
    const size_t answers = (size_t)setup->batch * setup->model->classes;
    enum qsv_status st = QSV_OK;
    w->n = 1 + layers * setup->n_formats;
    w->networks = qsv_alloc(w->n, sizeof(struct qsv_network *));
    w->outputs = qsv_alloc(w->n, sizeof *w->outputs);
    w->logits = qsv_alloc(w->n, answers * sizeof *w->logits);
    if (!w->networks || !w->outputs || !w->logits)
        return qsv_fail_memory(err, "a sweep");
    for (uint32_t i = 0; i < w->n; i++)
        w->outputs[i].logits = w->logits + i * answers;
    st = make_network(&w->networks[0], s, QSV_NO_LAYER, QSV_F32, err);
    for (uint32_t i = 1; !st && i < w->n; i++)
        st = make_network(&w->networks[i], s, (i - 1) / setup->n_formats,
                          setup->formats[(i - 1) % setup->n_formats], err);
    return st;
}

static void sweep_fini(struct sweep *w)
{
    for (uint32_t i = 0; w->networks && i < w->n; i++)
        qsv_network_destroy(w->networks[i]);
    free(w->networks);
    free(w->outputs);
    free(w->logits);
}

/* In calls of so many networks. */
static enum qsv_status run_sweep(struct stand *s, struct sweep *w, uint32_t at_once,
                                 double *seconds, struct qsv_engine_work *work,
                                 struct qsv_error *err)
{
    const struct qsv_engine_work before = qsv_engine_work_done(s->engine);
    const double began_s = qsv_clock_monotonic_s();
    enum qsv_status st = QSV_OK;
    for (uint32_t i = 0; !st && i < w->n; i += at_once)
        st = qsv_engine_run(s->engine, s->pixels, s->setup->batch, &w->networks[i],
                            w->n - i < at_once ? w->n - i : at_once, &w->outputs[i], NULL, NULL,
                            err);
    *seconds = qsv_clock_monotonic_s() - began_s;
    *work = qsv_engine_work_done(s->engine);
    work->layer_forwards_asked -= before.layer_forwards_asked;
    work->layer_forwards_done -= before.layer_forwards_done;
    return st;
}

enum qsv_status qsv_bench_trie_run(struct qsv_bench_trie *out,
                                   const struct qsv_bench_models_setup *setup,
                                   struct qsv_error *err)
{
    struct stand s;
    struct sweep w = {0};
    double *together = qsv_alloc(setup->rounds, sizeof *together);
    double *alone = qsv_alloc(setup->rounds, sizeof *alone);
    *out = (struct qsv_bench_trie){.images = setup->batch};
    enum qsv_status st = stand_init(&s, setup, err);
    if (!st && !(together && alone))
        st = qsv_fail_memory(err, "a sweep");
    if (!st)
        st = sweep_init(&w, &s, err);
    if (!st) /* makes all weights */
        st = run_sweep(&s, &w, w.n, &together[0], &out->together, err);
    for (uint32_t r = 0; !st && r < setup->rounds; r++) {
        st = run_sweep(&s, &w, w.n, &together[r], &out->together, err);
        if (!st)
            st = run_sweep(&s, &w, 1, &alone[r], &out->alone, err);
    }
    if (!st) {
        out->networks = w.n;
        out->together_s = qsv_bench_median(together, setup->rounds);
        out->alone_s = qsv_bench_median(alone, setup->rounds);
    }
    sweep_fini(&w);
    stand_fini(&s);
    free(together);
    free(alone);
    return st;
}
