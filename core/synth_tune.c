/* Brings the neurons of a random model to a firing rate. All norms move at once, a pass of the
 * engine after the other: a LIF's rate answers to its own norm at once, and to those before it
 * only weakly, because they come to rest first.
 */
#include "core/synth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/real.h"
#include "core/base/rng.h"
#include "core/engine.h"

enum { NONE = UINT32_MAX, MOST_IMAGES = 32, LEAST_IMAGES = 2 };
static const uint32_t pixels_a_pass = 1 << 16, pixels_a_batch = 1 << 14;
static const double close_enough = 0.03, most_moved = 1.5, most_keys = 0.8;
/* A shift of 1 moves the logit of a rate by about 2 where inputs have variance 1; behind attention,
 * which multiplies sums, by more. */
static const double direct_step = 0.5, attention_step = 0.1;

/* How a LIF is moved: a shift of every channel of a norm moves its input by as much. */
struct knob {
    uint32_t norm;    /* NONE: nothing moves it */
    uint32_t before;  /* LIF that reads the same residual stream one sum earlier, or NONE */
    uint32_t watch;   /* LIF whose rate is looked at: itself, or the one behind attention */
    double per_logit; /* how far to move for an error of the rate's logit: halved each time that it
                         changed sides */
    double error;     /* of the logit, a pass before */
    double moved;     /* in this pass, what is inherited from `before` included */
};

static uint32_t reader_of(const struct qsv_graph *g, uint32_t node)
{
    for (uint32_t i = 0; i < g->n_lifs; i++)
        if (g->nodes[g->lifs[i].node].in[0] == node)
            return i;
    return NONE;
}

/* The node whose value decides when the LIF fires: poolings are looked through. */
static const struct qsv_node *source_of(const struct qsv_graph *g, uint32_t lif)
{
    const struct qsv_node *n = &g->nodes[g->nodes[g->lifs[lif].node].in[0]];
    while (n->op == QSV_OP_POOL)
        n = &g->nodes[n->in[0]];
    return n;
}

static struct knob find_knob(const struct qsv_graph *g, uint32_t lif)
{
    const struct qsv_node *n = source_of(g, lif);
    struct knob k = {.norm = NONE, .before = NONE, .watch = lif};
    if (n->op == QSV_OP_ADD) { /* of the two, the later one is the branch */
        const uint32_t newer = n->in[0] > n->in[1], older = !newer;
        k.before = reader_of(g, n->in[newer]);
        n = &g->nodes[n->in[older]];
    }
    if (n->op == QSV_OP_NORM)
        k.norm = n->index;
    return k;
}

static void find_knobs(struct knob *knobs, const struct qsv_graph *g)
{
    for (uint32_t i = 0; i < g->n_lifs; i++)
        knobs[i] = find_knob(g, i);
    for (uint32_t i = 0; i < g->n_lifs; i++) {
        const struct qsv_node *n = source_of(g, i);
        if (n->op == QSV_OP_ATTENTION && g->nodes[n->in[1]].op == QSV_OP_LIF)
            knobs[g->nodes[n->in[1]].index].watch = i;
    }
    for (uint32_t i = 0; i < g->n_lifs; i++)
        knobs[i].per_logit = knobs[i].watch == i ? direct_step : attention_step;
}

bool qsv_synth_is_held(const struct qsv_graph *graph, uint32_t lif)
{
    struct knob k = find_knob(graph, lif);
    for (uint32_t i = 0; i < graph->n_lifs; i++) {
        const struct qsv_node *n = source_of(graph, i);
        if (n->op != QSV_OP_ATTENTION)
            continue;
        if (i == lif)
            return true;
        if (graph->nodes[n->in[1]].index == lif)
            return false;
    }
    return k.norm != NONE;
}

/* A network on random images, again and again. */
struct bench {
    struct qsv_model *model;
    struct qsv_bank *bank;
    struct qsv_engine *engine;
    uint8_t *formats; /* [n_layers] */
    uint8_t *pixels;  /* [n] images */
    float *logits;
    uint64_t *spikes; /* [n_lifs] */
    uint32_t n, batch;
};

static uint32_t clamp(uint32_t n, uint32_t least, uint32_t most)
{
    return n < least ? least : n > most ? most : n;
}

static void bench_fini(struct bench *b)
{
    qsv_engine_destroy(b->engine);
    qsv_bank_destroy(b->bank);
    free(b->formats);
    free(b->pixels);
    free(b->logits);
    free(b->spikes);
}

static enum qsv_status bench_init(struct bench *b, const struct qsv_model *m,
                                  enum qsv_format format, uint64_t seed, struct qsv_error *err)
{
    const struct qsv_shape in = m->options.input;
    const struct qsv_quantizer quantizer = {qsv_quantizer_find("round"), QSV_SCALE_MAX, QSV_F32};
    *b = (struct bench){.n = clamp(pixels_a_pass / (in.h * in.w), LEAST_IMAGES, MOST_IMAGES)};
    b->batch = clamp(pixels_a_batch / (in.h * in.w), 1, b->n);
    b->formats = qsv_alloc(m->graph.n_layers, 1);
    b->pixels = qsv_alloc(b->n, (size_t)in.c * in.h * in.w);
    b->logits = qsv_alloc(b->n, m->classes * sizeof *b->logits);
    b->spikes = qsv_alloc(m->graph.n_lifs, sizeof *b->spikes);
    if (!b->formats || !b->pixels || !b->logits || !b->spikes)
        return qsv_fail_memory(err, "random images");
    memset(b->formats, (int)format, m->graph.n_layers);
    qsv_synth_images(b->pixels, b->n, in, seed);
    enum qsv_status st = qsv_bank_create(&b->bank, m, &quantizer, err);
    return st ? st : qsv_engine_create(&b->engine, m, b->batch, err);
}

/* One pass over all images: the rate of each LIF. */
static enum qsv_status measure(struct bench *b, const struct qsv_model *m, double *rates,
                               struct qsv_error *err)
{
    const struct qsv_shape in = m->options.input;
    const struct qsv_graph *g = &m->graph;
    struct qsv_network *network = NULL;
    enum qsv_status st = qsv_network_create(&network, m, b->bank, b->formats, err);
    memset(b->spikes, 0, g->n_lifs * sizeof *b->spikes);
    for (uint32_t at = 0; !st && at < b->n; at += b->batch) {
        struct qsv_engine_output o = {.logits = b->logits, .lif_spikes = b->spikes};
        const uint32_t n = b->n - at < b->batch ? b->n - at : b->batch;
        st = qsv_engine_run(b->engine, b->pixels + (size_t)at * in.c * in.h * in.w, n, &network, 1,
                            &o, NULL, NULL, err);
    }
    for (size_t i = 0; !st && i < g->n_lifs; i++) {
        const struct qsv_shape s = g->lifs[i].shape;
        rates[i] = (double)b->spikes[i] / ((double)s.c * s.h * s.w * b->n * m->options.time_steps);
    }
    qsv_network_destroy(network);
    return st;
}

/* Of a rate that may be 0 or 1. */
static double logit(double rate)
{
    const double least = 1e-4;
    rate = rate < least ? least : rate > 1 - least ? 1 - least : rate;
    return qsv_log(rate / (1 - rate));
}

static void shift_norm(struct qsv_model *m, uint32_t norm, double by)
{
    const struct qsv_norm *n = &m->graph.norms[norm];
    struct qsv_tensor *bias =
        (struct qsv_tensor *)(uintptr_t)qsv_tensors_findf(&m->tensors, "%s.bias", n->name);
    float *v = (float *)(void *)bias->data;
    for (uint32_t i = 0; i < n->channels; i++)
        v[i] += (float)by;
}

/* What to move the input of LIF i by. */
static double ask(struct knob *k, uint32_t i, const double *rates, double rate)
{
    const double error = logit(rate) - logit(rates[k->watch]);
    k->per_logit *= error * k->error < 0 ? 0.5 : 1.1;
    k->per_logit = k->per_logit > 1 ? 1 : k->per_logit;
    k->error = error;
    double move = k->per_logit * error;
    if (k->watch != i && move > 0) { /* there may be no rate of k that is high enough */
        const double most = logit(most_keys) - logit(rates[i]);
        move = move > most ? most : move;
    }
    return move > most_moved ? most_moved : move < -most_moved ? -most_moved : move;
}

/* Moves every norm by what its LIF's rate asks for, less what it inherits. */
static void turn(struct qsv_model *m, struct knob *knobs, const double *rates, double rate)
{
    for (uint32_t i = 0; i < m->graph.n_lifs; i++) {
        struct knob *k = &knobs[i];
        if (k->norm == NONE)
            continue;
        k->moved = ask(k, i, rates, rate);
        shift_norm(m, k->norm, k->moved - (k->before == NONE ? 0 : knobs[k->before].moved));
    }
}

static bool is_close(const struct qsv_graph *g, const double *rates, double rate)
{
    for (uint32_t i = 0; i < g->n_lifs; i++)
        if (qsv_synth_is_held(g, i) && fabs(rates[i] / rate - 1) > close_enough)
            return false;
    return true;
}

enum qsv_status qsv_synth_tune(struct qsv_model *model, double rate, uint64_t seed, unsigned passes,
                               struct qsv_error *err)
{
    const struct qsv_graph *g = &model->graph;
    struct bench b = {0};
    struct knob *knobs = qsv_alloc(g->n_lifs, sizeof *knobs);
    double *rates = qsv_alloc(g->n_lifs, sizeof *rates);
    enum qsv_status st =
        knobs && rates ? QSV_OK : qsv_fail_memory(err, "the rates of a random model");
    if (!st)
        st = bench_init(&b, model, QSV_INT8, seed, err);
    if (!st)
        find_knobs(knobs, g);
    for (unsigned i = 0; !st && i < passes; i++) {
        st = measure(&b, model, rates, err);
        if (st || is_close(g, rates, rate))
            break;
        turn(model, knobs, rates, rate);
    }
    bench_fini(&b);
    free(knobs);
    free(rates);
    return st;
}

enum qsv_status qsv_synth_rates(double *rates, const struct qsv_model *model, uint64_t seed,
                                struct qsv_error *err)
{
    struct bench b = {0};
    enum qsv_status st = bench_init(&b, model, QSV_F32, seed, err);
    if (!st)
        st = measure(&b, model, rates, err);
    bench_fini(&b);
    return st;
}
