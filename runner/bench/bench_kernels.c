#include "runner/bench/bench_kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "runner/bench/bench_probe.h"

enum { WARM_UPS = 1 };

/* What is measured in one probe. */
struct session {
    const struct qsv_bench_kernels_setup *setup;
    struct qsv_bench_kernels *out;
    struct qsv_probe probe;
    size_t first;    /* of its rows in out */
    uint32_t n_rows; /* a format and rate */
    double *samples; /* [formats][rows][rounds] */
};

void qsv_bench_kernels_fini(struct qsv_bench_kernels *k)
{
    free(k->v);
    *k = (struct qsv_bench_kernels){0};
}

double qsv_bench_kernel_gmacs(const struct qsv_bench_kernel *k)
{
    return k->seconds > 0 ? (double)k->macs * k->frames / k->seconds / 1e9 : 0;
}

double qsv_bench_kernels_gmacs(const struct qsv_bench_kernels *k, enum qsv_bench_kind kind,
                               enum qsv_format format, double rate_asked)
{
    double macs = 0, seconds = 0;
    for (size_t i = 0; i < k->n; i++) {
        const struct qsv_bench_kernel *r = &k->v[i];
        if (r->kind != kind || r->format != format || r->rate_asked != rate_asked)
            continue;
        macs += (double)r->macs * r->frames * r->count;
        seconds += r->seconds * r->count;
    }
    return seconds > 0 ? macs / seconds / 1e9 : 0;
}

static bool same_shape(struct qsv_shape a, struct qsv_shape b)
{
    return a.c == b.c && a.h == b.h && a.w == b.w;
}

static bool same_layer(const struct qsv_layer *a, const struct qsv_layer *b)
{
    return same_shape(a->in, b->in) && same_shape(a->out, b->out) && a->kernel == b->kernel &&
           a->stride == b->stride && a->groups == b->groups && a->rank == b->rank &&
           a->spike_input == b->spike_input;
}

static bool same_chain(const struct qsv_graph *g, uint32_t a, uint32_t b)
{
    while (a != QSV_NO_LAYER && b != QSV_NO_LAYER && same_layer(&g->layers[a], &g->layers[b])) {
        a = g->links[a].next;
        b = g->links[b].next;
    }
    return a == QSV_NO_LAYER && b == QSV_NO_LAYER;
}

static bool same_attention(const struct qsv_graph *g, uint32_t a, uint32_t b)
{
    const struct qsv_attention *x = &g->attentions[a], *y = &g->attentions[b];
    return x->heads == y->heads && x->channels == y->channels && x->tokens == y->tokens;
}

static bool wanted(const struct qsv_bench_kernels_setup *s, enum qsv_bench_kind kind)
{
    return s->only < 0 || s->only == (int)kind;
}

static enum qsv_status add_row(struct session *s, struct qsv_bench_kernel row,
                               struct qsv_error *err)
{
    if (!qsv_grow(&s->out->v, &s->out->capacity, s->out->n + 1, sizeof *s->out->v))
        return qsv_fail_memory(err, "measurements");
    s->out->v[s->out->n++] = row;
    return QSV_OK;
}

/* The probe's parts that are measured, in the order in which take_sample() takes them: the LIF in
 * front, then the chain's layers or the attention product. */
static enum qsv_status add_rows(struct session *s, bool attention, uint32_t index, uint32_t count,
                                enum qsv_format format, double rate, struct qsv_error *err)
{
    const struct qsv_graph *g = &s->setup->model->graph;
    const uint32_t steps = s->setup->model->options.time_steps;
    struct qsv_bench_kernel row = {.format = format,
                                   .rate_asked = s->probe.fires ? rate : 0,
                                   .order = index,
                                   .count = count,
                                   .frames = s->setup->batch * (s->probe.fires ? steps : 1)};
    enum qsv_status st = QSV_OK;
    if (s->probe.fires) {
        const struct qsv_lif *lif = &s->probe.model->graph.lifs[0];
        struct qsv_bench_kernel neurons = row;
        neurons.kind = QSV_KIND_LIF;
        neurons.in = neurons.out = lif->shape;
        neurons.macs = (uint64_t)lif->shape.c * lif->shape.h * lif->shape.w;
        snprintf(neurons.layer, sizeof neurons.layer, "before %.100s",
                 attention ? g->attentions[index].name : g->layers[index].name);
        st = add_row(s, neurons, err);
    }
    if (attention) {
        const struct qsv_attention *a = &g->attentions[index];
        row.kind = QSV_KIND_ATTENTION;
        row.in = row.out = g->nodes[a->node].out;
        row.macs = qsv_bench_attention_macs(a);
        snprintf(row.layer, sizeof row.layer, "%s", a->name);
        return st ? st : add_row(s, row, err);
    }
    for (uint32_t l = index; !st && l != QSV_NO_LAYER; l = g->links[l].next) {
        const struct qsv_layer *layer = &g->layers[l];
        row.kind = qsv_bench_kind_of(layer);
        row.order = l;
        row.in = layer->in;
        row.out = layer->out;
        row.kernel = layer->kernel;
        row.stride = layer->stride;
        row.macs = layer->macs;
        snprintf(row.layer, sizeof row.layer, "%s", layer->name);
        st = add_row(s, row, err);
    }
    return st;
}

static double sample_of(const struct session *s, uint32_t row)
{
    const struct qsv_profile *p = &s->probe.profile;
    if (s->probe.fires && row == 0)
        return p->lif_s[0];
    row -= s->probe.fires;
    return s->probe.first == QSV_NO_LAYER ? p->attention_s[0] : p->layer_s[s->probe.first + row];
}

/* All formats in turn, round by round, so that what disturbs one disturbs all. */
static enum qsv_status measure(struct session *s, double rate, struct qsv_error *err)
{
    const struct qsv_bench_kernels_setup *setup = s->setup;
    enum qsv_status st = s->probe.fires ? qsv_probe_set_rate(&s->probe, rate, err) : QSV_OK;
    for (uint32_t round = 0; !st && round < setup->rounds + WARM_UPS; round++)
        for (uint32_t f = 0; !st && f < setup->n_formats; f++) {
            st = qsv_probe_run(&s->probe, setup->formats[f], err);
            for (uint32_t r = 0; !st && r < s->n_rows && round >= WARM_UPS; r++)
                s->samples[((size_t)f * s->n_rows + r) * setup->rounds + round - WARM_UPS] =
                    sample_of(s, r);
        }
    for (uint32_t i = 0; !st && i < setup->n_formats * s->n_rows; i++) {
        struct qsv_bench_kernel *row = &s->out->v[s->first + i];
        row->seconds = qsv_bench_median(s->samples + (size_t)i * setup->rounds, setup->rounds);
        row->rate = s->probe.fires ? s->probe.rate : 0;
    }
    return st;
}

/* Rows that no one asked for, or that a rate before has told already, leave. */
static void keep_wanted(struct session *s, bool first_rate)
{
    size_t kept = s->first;
    for (size_t i = s->first; i < s->out->n; i++) {
        struct qsv_bench_kernel *row = &s->out->v[i];
        const bool fires = qsv_bench_kind_fires(row->kind) || row->kind == QSV_KIND_LIF;
        if (!fires)
            row->rate_asked = row->rate = 0;
        const bool weighed = row->kind != QSV_KIND_LIF && row->kind != QSV_KIND_ATTENTION;
        if (!weighed && row->format != s->setup->formats[0])
            continue;
        if (wanted(s->setup, row->kind) && (fires || first_rate))
            s->out->v[kept++] = *row;
    }
    s->out->n = kept;
}

static enum qsv_status run_probe(struct session *s, bool attention, uint32_t index, uint32_t count,
                                 struct qsv_error *err)
{
    const struct qsv_bench_kernels_setup *setup = s->setup;
    enum qsv_status st = QSV_OK;
    for (uint32_t r = 0; !st && r < (s->probe.fires ? setup->n_rates : 1); r++) {
        s->first = s->out->n;
        for (uint32_t f = 0; !st && f < setup->n_formats; f++)
            st = add_rows(s, attention, index, count, setup->formats[f], setup->rates[r], err);
        if (st)
            break;
        s->n_rows = (uint32_t)(s->out->n - s->first) / setup->n_formats;
        free(s->samples);
        s->samples = qsv_alloc((size_t)(s->out->n - s->first), setup->rounds * sizeof(double));
        st = s->samples ? measure(s, setup->rates[r], err) : qsv_fail_memory(err, "measurements");
        keep_wanted(s, r == 0);
    }
    return st;
}

static bool chain_is_wanted(const struct qsv_bench_kernels_setup *s, uint32_t first)
{
    const struct qsv_graph *g = &s->model->graph;
    bool yes = g->layers[first].spike_input && wanted(s, QSV_KIND_LIF);
    for (uint32_t l = first; l != QSV_NO_LAYER; l = g->links[l].next)
        yes |= wanted(s, qsv_bench_kind_of(&g->layers[l]));
    return yes;
}

/* The first of each shape, with how many there are. */
static enum qsv_status run_chains(struct session *s, struct qsv_error *err)
{
    const struct qsv_graph *g = &s->setup->model->graph;
    enum qsv_status st = QSV_OK;
    for (uint32_t l = 0; !st && l < g->n_layers; l++) {
        uint32_t count = 0, first = l;
        for (uint32_t o = 0; g->links[l].previous == QSV_NO_LAYER && o < g->n_layers; o++)
            if (g->links[o].previous == QSV_NO_LAYER && same_chain(g, l, o)) {
                first = o < first ? o : first;
                count++;
            }
        if (!count || first < l || !chain_is_wanted(s->setup, l))
            continue;
        st = qsv_probe_chain(&s->probe, s->setup->model, l, s->setup->batch, s->setup->seed, err);
        if (!st)
            st = run_probe(s, false, l, count, err);
        qsv_probe_fini(&s->probe);
    }
    return st;
}

static enum qsv_status run_attentions(struct session *s, struct qsv_error *err)
{
    const struct qsv_graph *g = &s->setup->model->graph;
    enum qsv_status st = QSV_OK;
    for (uint32_t a = 0; !st && a < g->n_attentions && wanted(s->setup, QSV_KIND_ATTENTION); a++) {
        uint32_t count = 0, first = a;
        for (uint32_t o = 0; o < g->n_attentions; o++)
            if (same_attention(g, a, o)) {
                first = o < first ? o : first;
                count++;
            }
        if (first < a)
            continue;
        st = qsv_probe_attention(&s->probe, s->setup->model, a, s->setup->batch, s->setup->seed,
                                 err);
        if (!st)
            st = run_probe(s, true, a, count, err);
        qsv_probe_fini(&s->probe);
    }
    return st;
}

static int by_kind(const void *a, const void *b)
{
    const struct qsv_bench_kernel *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    if (x->format != y->format)
        return x->format < y->format ? -1 : 1;
    return (x->rate_asked > y->rate_asked) - (x->rate_asked < y->rate_asked);
}

enum qsv_status qsv_bench_kernels_run(struct qsv_bench_kernels *out,
                                      const struct qsv_bench_kernels_setup *setup,
                                      struct qsv_error *err)
{
    struct session s = {.setup = setup, .out = out};
    *out = (struct qsv_bench_kernels){0};
    enum qsv_status st = run_chains(&s, err);
    if (!st)
        st = run_attentions(&s, err);
    free(s.samples);
    if (st)
        qsv_bench_kernels_fini(out);
    else if (out->n)
        qsort(out->v, out->n, sizeof *out->v, by_kind);
    return st;
}
