#include "core/engine/lane.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/engine/profile.h"

/* The live values before a step, set aside where networks part. */
struct qsv_snapshot {
    uint8_t *data;
    size_t capacity;
};

struct run { /* one call of qsv_lane_run */
    struct qsv_lane *lane;
    struct qsv_call *call;
    struct qsv_error *err;
};

/* Networks that agree on every layer so far; indices into the call's networks. */
struct branch {
    uint32_t *members;
    uint32_t n;
};

static uint32_t widest_lif(const struct qsv_graph *g)
{
    uint32_t widest = 1;
    for (size_t i = 0; i < g->n_lifs; i++)
        widest = g->lifs[i].shape.c > widest ? g->lifs[i].shape.c : widest;
    return widest;
}

enum qsv_status qsv_lane_init(struct qsv_lane *lane, const struct qsv_model *model,
                              const struct qsv_plan *plan, const struct qsv_kernels *kernels,
                              uint32_t max_images, struct qsv_error *err)
{
    struct qsv_step_context *c = &lane->context;
    *lane = (struct qsv_lane){.context = {.model = model, .kernels = kernels, .plan = plan}};
    enum qsv_status st = qsv_scratch_init(&c->scratch, model, kernels, max_images, err);
    if (st)
        return st;
    c->arena = qsv_alloc_aligned(plan->arena_bytes, 1);
    c->geometry = qsv_alloc(model->graph.n_layers, sizeof *c->geometry);
    lane->sums = qsv_alloc(widest_lif(&model->graph), sizeof *lane->sums);
    return c->arena && c->geometry && lane->sums ? QSV_OK
                                                 : qsv_fail_memory(err, "the engine's values");
}

void qsv_lane_fini(struct qsv_lane *lane)
{
    struct qsv_step_context *c = &lane->context;
    for (size_t i = 0; i < lane->n_snapshots; i++)
        free(lane->snapshots[i].data);
    free(lane->snapshots);
    free(lane->sums);
    free(c->arena);
    for (size_t i = 0; c->geometry && i < c->model->graph.n_layers; i++)
        qsv_geometry_fini(&c->geometry[i]);
    free(c->geometry);
    qsv_scratch_fini(&c->scratch);
    *lane = (struct qsv_lane){0};
}

bool qsv_call_is_over(struct qsv_call *call, bool asks)
{
    if ((call->stop && *call->stop) || (asks && call->asked && call->asked(call->asked_context)))
        atomic_store(&call->over, true);
    return atomic_load(&call->over);
}

/* Other lanes may be adding, too. */
static void add_to(uint64_t *sum, uint64_t n)
{
    __atomic_fetch_add(sum, n, __ATOMIC_RELAXED);
}

static void add_accumulates(const struct run *r, const struct branch *b, size_t site, uint64_t n)
{
    for (uint32_t i = 0; i < b->n; i++) {
        uint64_t *sums = r->call->outputs[b->members[i]].site_ac;
        if (sums)
            add_to(&sums[site], n);
    }
}

static enum qsv_status trace_lif(struct run *r, uint32_t lif, uint32_t spikes)
{
    const struct qsv_step_context *c = &r->lane->context;
    const struct qsv_engine_trace *trace = r->call->trace;
    const struct qsv_value *v = &c->plan->values[spikes];
    const size_t pixels = (size_t)v->shape.h * v->shape.w;
    uint8_t *bytes = qsv_alloc((size_t)c->n * v->steps * v->shape.c, pixels);
    if (!bytes)
        return qsv_fail_memory(r->err, "a trace");
    qsv_step_spike_bytes(c, spikes, bytes);
    enum qsv_status st = trace->on_spikes(trace->context, lif, c->n, bytes, r->err);
    free(bytes);
    return st;
}

static void add_potentials(const struct run *r, const struct branch *b, uint32_t lif, size_t n)
{
    const size_t at = r->call->potential_offset[lif];
    for (uint32_t i = 0; i < b->n; i++) {
        int64_t *potentials = r->call->outputs[b->members[i]].potentials;
        for (size_t c = 0; potentials && c < n; c++)
            __atomic_fetch_add(&potentials[at + c], r->lane->sums[c], __ATOMIC_RELAXED);
    }
}

/* Where one LIF's neurons add up their potentials, so that these can be given to every member; NULL
 * where nobody wants them. */
static int64_t *clear_potentials(const struct run *r, const struct branch *b, uint32_t lif)
{
    const struct qsv_lif *l = &r->lane->context.model->graph.lifs[lif];
    if (!r->call->outputs[b->members[0]].potentials)
        return NULL;
    memset(r->lane->sums, 0, l->shape.c * sizeof *r->lane->sums);
    return r->lane->sums;
}

/* What neurons did, given to every member. */
static enum qsv_status give_spikes(struct run *r, const struct branch *b, uint32_t lif,
                                   uint32_t spikes, uint64_t fired, const int64_t *potentials)
{
    for (uint32_t i = 0; i < b->n; i++) {
        uint64_t *sums = r->call->outputs[b->members[i]].lif_spikes;
        if (sums)
            add_to(&sums[lif], fired);
    }
    if (potentials)
        add_potentials(r, b, lif, r->lane->context.model->graph.lifs[lif].shape.c);
    return r->call->trace ? trace_lif(r, lif, spikes) : QSV_OK;
}

static enum qsv_status observe(const struct run *r, const struct qsv_plan_step *s)
{
    const struct qsv_step_context *c = &r->lane->context;
    const struct qsv_engine_observer *o = &r->call->observer;
    const struct qsv_value *v = &c->plan->values[s->in[0]];
    const struct qsv_grid g = qsv_value_grid(v, c->n);
    const void *x = qsv_step_value(c, s->in[0]);
    const struct qsv_engine_input input = {
        .layer = s->index,
        .images = g.images,
        .steps = g.steps,
        .block = g.block,
        .spikes = v->spikes ? x : NULL,
        .values = v->spikes ? NULL : x,
        .stride = v->spikes ? g.n / QSV_WORD : qsv_value_stride(v, c->n),
    };
    return o->on_input ? o->on_input(o->context, &input, r->err) : QSV_OK;
}

static enum qsv_status run_conv(struct run *r, const struct qsv_plan_step *s,
                                const struct branch *b)
{
    struct qsv_step_context *c = &r->lane->context;
    struct qsv_network_layer post = qsv_network_layer(r->call->networks[b->members[0]], s->index);
    const struct qsv_weights *w =
        &r->call->weights[s->index * QSV_N_FORMATS + (size_t)post.weights->format];
    int64_t *potentials = s->fires ? clear_potentials(r, b, s->lif) : NULL;
    enum qsv_status st = observe(r, s);
    if (st)
        return st;
    const struct qsv_conv_counts counts = qsv_step_conv(c, s, w, &post, potentials);
    add_accumulates(r, b, s->index, counts.accumulates);
    r->lane->work.layer_forwards_asked += (uint64_t)b->n * c->n;
    r->lane->work.layer_forwards_done += c->n;
    return s->fires ? give_spikes(r, b, s->lif, s->spikes, counts.fired, potentials) : QSV_OK;
}

static enum qsv_status run_lif(struct run *r, const struct qsv_plan_step *s, const struct branch *b)
{
    int64_t *potentials = clear_potentials(r, b, s->index);
    uint64_t fired = qsv_step_neurons(&r->lane->context, s->index, s->in[0], s->out, potentials);
    return give_spikes(r, b, s->index, s->out, fired, potentials);
}

static void give_logits(struct run *r, const struct qsv_plan_step *s, const struct branch *b)
{
    const struct qsv_step_context *c = &r->lane->context;
    for (uint32_t m = 0; m < b->n; m++)
        for (uint32_t i = 0; i < c->n; i++)
            qsv_step_logits(c, s->out, i,
                            r->call->outputs[b->members[m]].logits +
                                (size_t)(r->lane->first + i) * c->model->classes);
}

static enum qsv_status run_step(struct run *r, const struct qsv_plan_step *s,
                                const struct branch *b)
{
    struct qsv_step_context *c = &r->lane->context;
    const struct qsv_shape in = c->model->options.input;
    switch (s->op) {
    case QSV_OP_INPUT:
        qsv_step_input(c, s, r->call->pixels + (size_t)r->lane->first * in.c * in.h * in.w);
        break;
    case QSV_OP_CONV:
        return run_conv(r, s, b);
    case QSV_OP_LIF:
        return run_lif(r, s, b);
    case QSV_OP_ADD:
        qsv_step_add(c, s->in[0], s->in[1], s->out);
        break;
    case QSV_OP_ATTENTION:
        add_accumulates(r, b, c->model->graph.n_layers + s->index, qsv_step_attention(c, s));
        break;
    case QSV_OP_POOL:
        qsv_step_pool(c, s);
        break;
    case QSV_OP_READOUT:
        qsv_step_readout(c, s);
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
    struct qsv_profile *profile = r->lane->asks ? r->call->profile : NULL;
    const double began_s = profile ? qsv_clock_monotonic_s() : 0;
    enum qsv_status st = run_step(r, s, b);
    if (profile)
        qsv_profile_add(profile, s->op, s->index, qsv_clock_monotonic_s() - began_s);
    return st;
}

static size_t copy_live(struct qsv_step_context *c, uint32_t step, uint8_t *out, bool restore)
{
    size_t at = 0;
    for (uint32_t v = 0; v < c->plan->n_values; v++) {
        if (!qsv_plan_is_live(c->plan, v, step))
            continue;
        const size_t bytes = qsv_value_bytes(&c->plan->values[v], c->n);
        uint8_t *value = c->arena + c->plan->values[v].offset;
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
    struct qsv_lane *l = r->lane;
    if (!qsv_grow(&l->snapshots, &l->n_snapshots, depth + 1, sizeof *l->snapshots))
        return qsv_fail_memory(r->err, "the engine's snapshots");
    struct qsv_snapshot *s = &l->snapshots[depth];
    const size_t bytes = copy_live(&l->context, step, NULL, false);
    if (bytes > s->capacity) {
        free(s->data);
        s->data = qsv_alloc(bytes, 1);
        s->capacity = s->data ? bytes : 0;
    }
    if (!s->data)
        return qsv_fail_memory(r->err, "the engine's snapshots");
    copy_live(&l->context, step, s->data, false);
    return QSV_OK;
}

/* The format that fewest members have in the layer; of equal ones the first. */
static uint8_t rarest(const struct run *r, const struct branch *b, uint32_t layer)
{
    uint32_t count[QSV_N_FORMATS] = {0}, least = 0;
    for (uint32_t i = 0; i < b->n; i++)
        count[qsv_network_formats(r->call->networks[b->members[i]])[layer]]++;
    for (uint32_t f = 0; f < QSV_N_FORMATS; f++)
        if (count[f] && (!count[least] || count[f] < count[least]))
            least = f;
    return (uint8_t)least;
}

/* Moves the members that have the rarest format of the layer to the end; returns how many stay in
 * front, at least half of them where there are any. */
static uint32_t part(const struct run *r, const struct branch *b, uint32_t layer)
{
    struct qsv_network *const *networks = r->call->networks;
    const uint8_t format = rarest(r, b, layer);
    uint32_t front = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t m = b->members[i];
        if (qsv_network_formats(networks[m])[layer] == format)
            continue;
        b->members[i] = b->members[front];
        b->members[front++] = m;
    }
    return front;
}

/* Runs the branch from `step` to the end. Where members differ in a layer, the smallest part of
 * them goes first; the others go on from a snapshot. depth counts snapshots in use: at most log2 of
 * the networks, because a part that goes first is at most half. */
static enum qsv_status run_branch(struct run *r, struct branch b, uint32_t step, uint32_t depth)
{
    const struct qsv_plan *p = r->lane->context.plan;
    enum qsv_status st = QSV_OK;
    for (; !st && step < p->n_steps; step++) {
        const struct qsv_plan_step *s = &p->steps[step];
        if (qsv_call_is_over(r->call, r->lane->asks))
            return qsv_fail(r->err, QSV_ESTOPPED, "stopped");
        uint32_t front = s->op == QSV_OP_CONV && b.n > 1 ? part(r, &b, s->index) : 0;
        while (!st && front) {
            st = save(r, step, depth);
            if (!st)
                st =
                    run_branch(r, (struct branch){b.members + front, b.n - front}, step, depth + 1);
            if (!st)
                copy_live(&r->lane->context, step, r->lane->snapshots[depth].data, true);
            b.n = front;
            front = !st && b.n > 1 ? part(r, &b, s->index) : 0;
        }
        if (!st)
            st = run_timed(r, s, &b);
    }
    return st;
}

static enum qsv_status make_geometry(struct run *r)
{
    struct qsv_step_context *c = &r->lane->context;
    enum qsv_status st = QSV_OK;
    for (uint32_t l = 0; !st && l < c->model->graph.n_layers; l++)
        st = qsv_geometry_make(&c->geometry[l], &c->model->graph.layers[l], c->n, r->err);
    return st;
}

void qsv_lane_run(struct qsv_lane *lane, struct qsv_call *call, uint32_t n)
{
    struct run r = {lane, call, &lane->error};
    uint32_t *members = qsv_alloc(call->n_networks, sizeof *members);
    for (uint32_t i = 0; members && i < call->n_networks; i++)
        members[i] = i;
    lane->context.n = n;
    if (call->profile && lane->asks)
        call->profile->images += n;
    lane->work = (struct qsv_engine_work){0};
    lane->status = members ? make_geometry(&r) : qsv_fail_memory(r.err, "the networks");
    if (!lane->status)
        lane->status = run_branch(&r, (struct branch){members, call->n_networks}, 0, 0);
    free(members);
    if (lane->status)
        atomic_store(&call->over, true);
    atomic_fetch_sub(&call->running, 1);
}
