#include "core/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/engine/plan.h"
#include "core/engine/profile.h"
#include "core/engine/steps.h"

/* The live values before a step, set aside where networks part. */
struct snapshot {
    uint8_t *data;
    size_t capacity;
};

struct qsv_engine {
    const struct qsv_model *model;
    struct qsv_plan plan;
    struct qsv_step_context context;
    struct qsv_weights *weights; /* [n_layers][QSV_N_FORMATS], made when first needed */
    size_t *potential_offset;    /* [n_lifs] */
    size_t potential_count;
    uint32_t max_batch;
    struct snapshot *snapshots; /* one a depth of the trie */
    size_t n_snapshots;
    struct qsv_engine_work work;
    struct qsv_profile *profile;  /* see qsv_engine_profile */
    bool (*asked)(void *context); /* see qsv_engine_watch */
    void *asked_context;
};

/* One call of qsv_engine_run. */
struct run {
    struct qsv_engine *engine;
    const uint8_t *pixels;
    struct qsv_network *const *networks;
    struct qsv_engine_output *outputs;
    const struct qsv_engine_trace *trace;
    const volatile sig_atomic_t *stop;
    struct qsv_error *err;
};

/* Networks that agree on every layer so far; indices into the run's networks. */
struct branch {
    uint32_t *members;
    uint32_t n;
};

void qsv_engine_destroy(struct qsv_engine *e)
{
    if (!e)
        return;
    for (size_t i = 0; e->weights && i < e->model->graph.n_layers * QSV_N_FORMATS; i++)
        qsv_weights_fini(&e->weights[i]);
    for (size_t i = 0; i < e->n_snapshots; i++)
        free(e->snapshots[i].data);
    free(e->snapshots);
    free(e->weights);
    free(e->potential_offset);
    free(e->context.arena);
    for (size_t i = 0; e->context.geometry && i < e->model->graph.n_layers; i++)
        qsv_geometry_fini(&e->context.geometry[i]);
    free(e->context.geometry);
    qsv_scratch_fini(&e->context.scratch);
    qsv_plan_fini(&e->plan);
    free(e);
}

static enum qsv_status lay_out_potentials(struct qsv_engine *e, struct qsv_error *err)
{
    const struct qsv_graph *g = &e->model->graph;
    e->potential_offset = qsv_alloc(g->n_lifs, sizeof *e->potential_offset);
    if (!e->potential_offset)
        return qsv_fail_memory(err, "the engine");
    for (size_t i = 0; i < g->n_lifs; i++) {
        e->potential_offset[i] = e->potential_count;
        e->potential_count += g->lifs[i].shape.c;
    }
    return QSV_OK;
}

enum qsv_status qsv_engine_create(struct qsv_engine **out, const struct qsv_model *model,
                                  uint32_t max_batch, struct qsv_error *err)
{
    *out = NULL;
    const struct qsv_kernels *kernels = qsv_kernels_choose();
    if (!kernels)
        return qsv_fail(err, QSV_EUSAGE,
                        "QSV_ISA is '%s', which this CPU or build does not have; known: scalar, "
                        "avx2, avx512",
                        getenv("QSV_ISA"));
    struct qsv_engine *e = qsv_alloc(1, sizeof *e);
    if (!e)
        return qsv_fail_memory(err, "the engine");
    e->model = model;
    e->max_batch = max_batch;
    enum qsv_status st = qsv_plan_init(&e->plan, model, max_batch, err);
    if (!st)
        st = qsv_scratch_init(&e->context.scratch, model, kernels, max_batch, err);
    if (!st)
        st = lay_out_potentials(e, err);
    if (!st) {
        e->weights = qsv_alloc(model->graph.n_layers * QSV_N_FORMATS, sizeof *e->weights);
        e->context.arena = qsv_alloc_aligned(e->plan.arena_bytes, 1);
        e->context.geometry = qsv_alloc(model->graph.n_layers, sizeof *e->context.geometry);
        if (!e->weights || !e->context.arena || !e->context.geometry)
            st = qsv_fail_memory(err, "the engine's values");
    }
    e->context.model = model;
    e->context.kernels = kernels;
    e->context.plan = &e->plan;
    if (st)
        qsv_engine_destroy(e);
    else
        *out = e;
    return st;
}

size_t qsv_engine_potential_count(const struct qsv_engine *e)
{
    return e->potential_count;
}

size_t qsv_engine_potential_offset(const struct qsv_engine *e, uint32_t lif)
{
    return e->potential_offset[lif];
}

struct qsv_engine_work qsv_engine_work_done(const struct qsv_engine *e)
{
    return e->work;
}

const char *qsv_engine_isa(const struct qsv_engine *e)
{
    return e->context.kernels->isa;
}

static enum qsv_status find_weights(const struct qsv_weights **out, struct run *r, uint32_t layer,
                                    const struct qsv_bank_entry *entry)
{
    struct qsv_weights *w = &r->engine->weights[layer * QSV_N_FORMATS + (size_t)entry->format];
    *out = w;
    if (w->made)
        return QSV_OK;
    return qsv_weights_init(w, &r->engine->model->graph.layers[layer], entry,
                            r->engine->context.kernels->index_bits, r->err);
}

static enum qsv_status run_conv(struct run *r, const struct qsv_plan_step *s,
                                const struct branch *b)
{
    struct qsv_engine *e = r->engine;
    const struct qsv_weights *w;
    struct qsv_network_layer post = qsv_network_layer(r->networks[b->members[0]], s->index);
    enum qsv_status st = find_weights(&w, r, s->index, post.weights);
    if (st)
        return st;
    uint64_t accumulates = qsv_step_conv(&e->context, s, w, &post);
    for (uint32_t i = 0; i < b->n; i++)
        if (r->outputs[b->members[i]].site_ac)
            r->outputs[b->members[i]].site_ac[s->index] += accumulates;
    e->work.layer_forwards_asked += (uint64_t)b->n * e->context.n;
    e->work.layer_forwards_done += e->context.n;
    return QSV_OK;
}

static enum qsv_status trace_lif(struct run *r, const struct qsv_plan_step *s)
{
    const struct qsv_step_context *c = &r->engine->context;
    const struct qsv_value *v = &c->plan->values[s->out];
    const size_t pixels = (size_t)v->shape.h * v->shape.w;
    uint8_t *bytes = qsv_alloc((size_t)c->n * v->steps * v->shape.c, pixels);
    if (!bytes)
        return qsv_fail_memory(r->err, "a trace");
    qsv_step_spike_bytes(c, s->out, bytes);
    enum qsv_status st = r->trace->on_spikes(r->trace->context, s->index, c->n, bytes, r->err);
    free(bytes);
    return st;
}

static enum qsv_status run_lif(struct run *r, const struct qsv_plan_step *s, const struct branch *b)
{
    struct qsv_engine *e = r->engine;
    const size_t at = e->potential_offset[s->index], n = e->model->graph.lifs[s->index].shape.c;
    struct qsv_engine_output *first = &r->outputs[b->members[0]];
    /* Sums of this step alone, so that they can be given to every member. */
    int64_t *sums = first->potentials ? qsv_alloc(n, sizeof *sums) : NULL;
    if (first->potentials && !sums)
        return qsv_fail_memory(r->err, "potentials");
    uint64_t fired = qsv_step_lif(&e->context, s, sums);
    for (uint32_t i = 0; i < b->n; i++) {
        struct qsv_engine_output *o = &r->outputs[b->members[i]];
        if (o->lif_spikes)
            o->lif_spikes[s->index] += fired;
        for (size_t c = 0; sums && o->potentials && c < n; c++)
            o->potentials[at + c] += sums[c];
    }
    free(sums);
    return r->trace ? trace_lif(r, s) : QSV_OK;
}

static void give_logits(struct run *r, const struct qsv_plan_step *s, const struct branch *b)
{
    const struct qsv_step_context *c = &r->engine->context;
    const uint32_t classes = r->engine->model->classes;
    for (uint32_t m = 0; m < b->n; m++)
        for (uint32_t i = 0; i < c->n; i++)
            qsv_step_logits(c, s->out, i, r->outputs[b->members[m]].logits + (size_t)i * classes);
}

static enum qsv_status run_step(struct run *r, const struct qsv_plan_step *s,
                                const struct branch *b)
{
    struct qsv_engine *e = r->engine;
    uint64_t accumulates;
    switch (s->op) {
    case QSV_OP_INPUT:
        qsv_step_input(&e->context, s, r->pixels);
        break;
    case QSV_OP_CONV:
        return run_conv(r, s, b);
    case QSV_OP_LIF:
        return run_lif(r, s, b);
    case QSV_OP_ADD:
        qsv_step_add(&e->context, s);
        break;
    case QSV_OP_ATTENTION:
        accumulates = qsv_step_attention(&e->context, s);
        for (uint32_t i = 0; i < b->n; i++)
            if (r->outputs[b->members[i]].site_ac)
                r->outputs[b->members[i]].site_ac[e->model->graph.n_layers + s->index] +=
                    accumulates;
        break;
    case QSV_OP_POOL:
        qsv_step_pool(&e->context, s);
        break;
    case QSV_OP_READOUT:
        qsv_step_readout(&e->context, s);
        give_logits(r, s, b);
        break;
    case QSV_OP_NORM:
        assert(!"norms are folded when the plan is made");
    }
    return QSV_OK;
}

static enum qsv_status run_timed(struct run *r, const struct qsv_plan_step *s,
                                 const struct branch *b)
{
    struct qsv_profile *profile = r->engine->profile;
    const double began_s = profile ? qsv_clock_monotonic_s() : 0;
    enum qsv_status st = run_step(r, s, b);
    if (profile)
        qsv_profile_add(profile, s->op, s->index, qsv_clock_monotonic_s() - began_s);
    return st;
}

static size_t copy_live(struct qsv_engine *e, uint32_t step, uint8_t *out, bool restore)
{
    size_t at = 0;
    for (uint32_t v = 0; v < e->plan.n_values; v++) {
        if (!qsv_plan_is_live(&e->plan, v, step))
            continue;
        const size_t bytes = qsv_value_bytes(&e->plan.values[v], e->context.n);
        uint8_t *value = e->context.arena + e->plan.values[v].offset;
        if (restore)
            memcpy(value, out + at, bytes);
        else if (out)
            memcpy(out + at, value, bytes);
        at += bytes;
    }
    return at;
}

static enum qsv_status save(struct run *r, uint32_t step, uint32_t depth)
{
    struct qsv_engine *e = r->engine;
    if (depth >= e->n_snapshots) {
        size_t capacity = e->n_snapshots;
        if (!qsv_grow(&e->snapshots, &capacity, depth + 1, sizeof *e->snapshots))
            return qsv_fail_memory(r->err, "the engine's snapshots");
        e->n_snapshots = capacity;
    }
    struct snapshot *s = &e->snapshots[depth];
    if (!qsv_grow(&s->data, &s->capacity, copy_live(e, step, NULL, false), 1))
        return qsv_fail_memory(r->err, "the engine's snapshots");
    copy_live(e, step, s->data, false);
    return QSV_OK;
}

/* Moves the members that have the last member's format of the layer to the end; returns how many
 * stay in front. */
static uint32_t part(const struct run *r, const struct branch *b, uint32_t layer)
{
    const uint8_t format = qsv_network_formats(r->networks[b->members[b->n - 1]])[layer];
    uint32_t front = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t m = b->members[i];
        if (qsv_network_formats(r->networks[m])[layer] == format)
            continue;
        b->members[i] = b->members[front];
        b->members[front++] = m;
    }
    return front;
}

static bool is_stopped(const struct run *r)
{
    const struct qsv_engine *e = r->engine;
    return (r->stop && *r->stop) || (e->asked && e->asked(e->asked_context));
}

/* Runs the branch from `step` to the end. Where members differ in a layer's format, those like the
 * last one go first, from a snapshot; the others go on from it. depth counts snapshots in use. */
static enum qsv_status run_branch(struct run *r, struct branch b, uint32_t step, uint32_t depth)
{
    const struct qsv_plan *p = &r->engine->plan;
    enum qsv_status st = QSV_OK;
    for (; !st && step < p->n_steps; step++) {
        const struct qsv_plan_step *s = &p->steps[step];
        if (is_stopped(r))
            return qsv_fail(r->err, QSV_ESTOPPED, "stopped");
        uint32_t front = s->op == QSV_OP_CONV && b.n > 1 ? part(r, &b, s->index) : 0;
        while (!st && front) {
            st = save(r, step, depth);
            if (!st)
                st =
                    run_branch(r, (struct branch){b.members + front, b.n - front}, step, depth + 1);
            if (!st)
                copy_live(r->engine, step, r->engine->snapshots[depth].data, true);
            b.n = front;
            front = !st && b.n > 1 ? part(r, &b, s->index) : 0;
        }
        if (!st)
            st = run_timed(r, s, &b);
    }
    return st;
}

void qsv_engine_watch(struct qsv_engine *e, bool (*asked)(void *context), void *context)
{
    e->asked = asked;
    e->asked_context = context;
}

void qsv_engine_profile(struct qsv_engine *e, struct qsv_profile *p)
{
    e->profile = p;
}

enum qsv_status qsv_engine_run(struct qsv_engine *e, const uint8_t *pixels, uint32_t n,
                               struct qsv_network *const *networks, uint32_t n_networks,
                               struct qsv_engine_output *outputs,
                               const struct qsv_engine_trace *trace,
                               const volatile sig_atomic_t *stop, struct qsv_error *err)
{
    assert(n >= 1 && n <= e->max_batch);
    assert(!trace || n_networks == 1);
    struct run r = {e, pixels, networks, outputs, trace, stop, err};
    uint32_t *members = qsv_alloc(n_networks, sizeof *members);
    if (!members)
        return qsv_fail_memory(err, "the networks");
    for (uint32_t i = 0; i < n_networks; i++) {
        assert(qsv_network_model(networks[i]) == e->model);
        members[i] = i;
    }
    e->context.n = n;
    enum qsv_status st = QSV_OK;
    for (uint32_t l = 0; !st && l < e->model->graph.n_layers; l++)
        st = qsv_geometry_make(&e->context.geometry[l], &e->model->graph.layers[l], n, err);
    if (!st)
        st = n_networks ? run_branch(&r, (struct branch){members, n_networks}, 0, 0) : QSV_OK;
    free(members);
    return st;
}
