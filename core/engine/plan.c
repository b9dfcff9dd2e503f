#include "core/engine/plan.h"

#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/kernels/kernels.h"

static const size_t max_arena = (size_t)1 << 40;

void qsv_plan_fini(struct qsv_plan *p)
{
    free(p->values);
    free(p->steps);
    *p = (struct qsv_plan){0};
}

bool qsv_plan_is_live(const struct qsv_plan *p, uint32_t value, uint32_t step)
{
    return p->values[value].defined < step && p->values[value].last_used >= step;
}

/* Kernels write whole vectors: up to a word past the last position. */
enum { SPARE = QSV_WORD };

struct qsv_grid qsv_value_grid(const struct qsv_value *v, uint32_t images)
{
    return qsv_grid_of(images, v->shape.h, v->shape.w, v->steps);
}

size_t qsv_value_stride(const struct qsv_value *v, uint32_t images)
{
    return qsv_value_grid(v, images).n + SPARE;
}

size_t qsv_value_bytes(const struct qsv_value *v, uint32_t images)
{
    if (v->spikes) /* and a word that reading across a word's end touches */
        return ((size_t)v->shape.c * qsv_value_grid(v, images).n / QSV_WORD + 1) * sizeof(uint64_t);
    return v->shape.c * qsv_value_stride(v, images) * sizeof(float);
}

static struct qsv_value value_of(const struct qsv_node *n, uint32_t time_steps)
{
    return (struct qsv_value){
        .shape = n->out,
        .steps = n->per_step ? time_steps : 1,
        .spikes = n->op == QSV_OP_LIF,
    };
}

/* Steps in graph order; value_at [n_nodes]: the value that a node's result lies in. */
static void lower(struct qsv_plan *p, const struct qsv_graph *g, uint32_t time_steps,
                  uint32_t *value_at)
{
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const struct qsv_node *n = &g->nodes[i];
        if (n->op == QSV_OP_NORM) {
            value_at[i] = value_at[n->in[0]];
            continue;
        }
        struct qsv_plan_step *s = &p->steps[p->n_steps++];
        *s = (struct qsv_plan_step){.op = n->op, .index = n->index, .n_in = n->n_in};
        for (uint32_t k = 0; k < n->n_in; k++)
            s->in[k] = value_at[n->in[k]];
        s->out = value_at[i] = p->n_values;
        p->values[p->n_values++] = value_of(n, time_steps);
    }
}

static bool reads(const struct qsv_plan_step *s, uint32_t value)
{
    for (uint32_t k = 0; k < s->n_in; k++)
        if (s->in[k] == value)
            return true;
    return s->adds && s->residual == value;
}

static uint32_t count_readers(const struct qsv_plan *p, uint32_t value)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_steps; i++)
        n += reads(&p->steps[i], value);
    return n;
}

/* The first step of this kind that reads the value; NULL: none. */
static struct qsv_plan_step *find_reader(const struct qsv_plan *p, uint32_t value, enum qsv_op op)
{
    for (uint32_t i = 0; i < p->n_steps; i++)
        if (p->steps[i].op == op && reads(&p->steps[i], value))
            return &p->steps[i];
    return NULL;
}

static bool is_there_before(const struct qsv_plan *p, uint32_t value, uint32_t step)
{
    for (uint32_t i = 0; i < step; i++)
        if (p->steps[i].out == value || (p->steps[i].fires && p->steps[i].spikes == value))
            return true;
    return false;
}

static void remove_step(struct qsv_plan *p, const struct qsv_plan_step *s)
{
    for (size_t i = (size_t)(s - p->steps); i + 1 < p->n_steps; i++)
        p->steps[i] = p->steps[i + 1];
    p->n_steps--;
}

static void take_addition(struct qsv_plan *p, uint32_t step)
{
    struct qsv_plan_step *s = &p->steps[step], *add = find_reader(p, s->out, QSV_OP_ADD);
    if (!add || add->in[0] == add->in[1] || count_readers(p, s->out) > 1)
        return;
    const uint32_t other = add->in[0] == s->out ? add->in[1] : add->in[0];
    if (!is_there_before(p, other, step))
        return;
    s->adds = true;
    s->residual = other;
    s->out = add->out;
    remove_step(p, add);
}

static void take_neurons(struct qsv_plan *p, uint32_t step)
{
    struct qsv_plan_step *s = &p->steps[step], *lif = find_reader(p, s->out, QSV_OP_LIF);
    if (!lif)
        return;
    s->fires = true;
    s->lif = lif->index;
    s->spikes = lif->out;
    remove_step(p, lif);
    s->keeps = count_readers(p, s->out) > 0;
}

static void fuse(struct qsv_plan *p, const struct qsv_graph *g)
{
    for (uint32_t i = 0; i < p->n_steps; i++) {
        struct qsv_plan_step *s = &p->steps[i];
        if (s->op != QSV_OP_CONV || g->layers[s->index].groups > 1 || !p->values[s->in[0]].spikes)
            continue;
        take_addition(p, i);
        take_neurons(p, i);
    }
}

static void find_lives(struct qsv_plan *p)
{
    for (uint32_t v = 0; v < p->n_values; v++) {
        struct qsv_value *value = &p->values[v];
        value->defined = QSV_NEVER;
        value->last_used = 0;
        for (uint32_t i = 0; i < p->n_steps; i++) {
            const struct qsv_plan_step *s = &p->steps[i];
            const bool given = s->out == v || (s->fires && s->spikes == v);
            if (given)
                value->defined = i;
            if (given || reads(s, v))
                value->last_used = i;
        }
    }
}

static bool lives_overlap(const struct qsv_value *a, const struct qsv_value *b)
{
    return a->defined <= b->last_used && b->defined <= a->last_used;
}

/* First fit: the lowest offset where no value that lives at the same time lies. */
static size_t find_place(const struct qsv_plan *p, uint32_t value, size_t bytes, uint32_t batch)
{
    size_t at = QSV_ALIGN; /* kernels may read a word before the first value */
    for (bool moved = true; moved;) {
        moved = false;
        for (uint32_t i = 0; i < value; i++) {
            const struct qsv_value *o = &p->values[i];
            size_t end = o->offset + qsv_value_bytes(o, batch);
            if (lives_overlap(o, &p->values[value]) && at < end && o->offset < at + bytes) {
                at = (end + QSV_ALIGN - 1) / QSV_ALIGN * QSV_ALIGN;
                moved = true;
            }
        }
    }
    return at;
}

static enum qsv_status place(struct qsv_plan *p, uint32_t batch, struct qsv_error *err)
{
    for (uint32_t i = 0; i < p->n_values; i++) {
        struct qsv_value *v = &p->values[i];
        if (v->defined == QSV_NEVER)
            continue;
        const size_t bytes = qsv_value_bytes(v, batch);
        if (bytes > max_arena)
            return qsv_fail(err, QSV_EINPUT, "a value of %zu bytes is too large", bytes);
        v->offset = find_place(p, i, bytes, batch);
        size_t end = v->offset + bytes;
        p->arena_bytes = end > p->arena_bytes ? end : p->arena_bytes;
    }
    return QSV_OK;
}

enum qsv_status qsv_plan_init(struct qsv_plan *p, const struct qsv_model *model, uint32_t max_batch,
                              struct qsv_error *err)
{
    const struct qsv_graph *g = &model->graph;
    uint32_t *value_at = qsv_alloc(g->n_nodes, sizeof *value_at);
    *p = (struct qsv_plan){0};
    p->values = qsv_alloc(g->n_nodes, sizeof *p->values);
    p->steps = qsv_alloc(g->n_nodes, sizeof *p->steps);
    enum qsv_status st = QSV_OK;
    if (!value_at || !p->values || !p->steps) {
        st = qsv_fail_memory(err, "the engine's plan");
    } else {
        lower(p, g, model->options.time_steps, value_at);
        fuse(p, g);
        find_lives(p);
        st = place(p, max_batch, err);
    }
    free(value_at);
    if (st)
        qsv_plan_fini(p);
    return st;
}
