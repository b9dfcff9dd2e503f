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

/* values and steps in graph order; value_at [n_nodes]: the value that a node's result lies in. */
static void lower(struct qsv_plan *p, const struct qsv_graph *g, uint32_t time_steps,
                  uint32_t *value_at)
{
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const struct qsv_node *n = &g->nodes[i];
        if (n->op == QSV_OP_NORM) {
            value_at[i] = value_at[n->in[0]];
            continue;
        }
        struct qsv_plan_step *s = &p->steps[p->n_steps];
        *s = (struct qsv_plan_step){.op = n->op, .index = n->index, .n_in = n->n_in};
        for (uint32_t k = 0; k < n->n_in; k++) {
            s->in[k] = value_at[n->in[k]];
            p->values[s->in[k]].last_used = p->n_steps;
        }
        s->out = value_at[i] = p->n_values;
        p->values[p->n_values] = value_of(n, time_steps);
        p->values[p->n_values].defined = p->values[p->n_values].last_used = p->n_steps;
        p->n_values++;
        p->n_steps++;
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
        st = place(p, max_batch, err);
    }
    free(value_at);
    if (st)
        qsv_plan_fini(p);
    return st;
}
