#include "core/import/machine.h"

#include <stdlib.h>

#include "core/base/alloc.h"

void qsv_machine_fini(struct qsv_machine *m)
{
    free(m->stack.v);
    free(m->marks.v);
    free(m->memo.v);
}

enum qsv_status qsv_machine_fail(struct qsv_machine *m, const char *what)
{
    return qsv_fail(m->err, QSV_EINPUT, "pickle, before byte %zu: %s", m->c.at, what);
}

static enum qsv_status reserve(struct qsv_machine *m, void *array, size_t *capacity, size_t need,
                               size_t size)
{
    if (need > QSV_MACHINE_MAX_VALUES)
        return qsv_machine_fail(m, "holds more than 4194304 values");
    return qsv_grow(array, capacity, need, size) ? QSV_OK : qsv_fail_memory(m->err, "the pickle");
}

enum qsv_status qsv_machine_list_push(struct qsv_machine *m, struct qsv_machine_list *l, uint32_t v)
{
    enum qsv_status st = reserve(m, &l->v, &l->capacity, l->n + 1, sizeof *l->v);
    if (!st)
        l->v[l->n++] = v;
    return st;
}

enum qsv_status qsv_machine_add_node(struct qsv_machine *m, struct qsv_pickle_node node,
                                     uint32_t *out)
{
    struct qsv_pickle *p = m->p;
    enum qsv_status st = reserve(m, &p->nodes, &p->cap_nodes, p->n_nodes + 1, sizeof *p->nodes);
    if (st)
        return st;
    *out = (uint32_t)p->n_nodes;
    p->nodes[p->n_nodes++] = node;
    return QSV_OK;
}

enum qsv_status qsv_machine_push_node(struct qsv_machine *m, struct qsv_pickle_node node)
{
    uint32_t n = 0;
    enum qsv_status st = qsv_machine_add_node(m, node, &n);
    return st ? st : qsv_machine_list_push(m, &m->stack, n);
}

size_t qsv_machine_floor(const struct qsv_machine *m)
{
    return m->marks.n ? m->marks.v[m->marks.n - 1] : 0;
}

enum qsv_status qsv_machine_pop(struct qsv_machine *m, uint32_t *out)
{
    if (m->stack.n <= qsv_machine_floor(m))
        return qsv_machine_fail(m, "takes a value from an empty stack");
    *out = m->stack.v[--m->stack.n];
    return QSV_OK;
}

enum qsv_status qsv_machine_pop_mark(struct qsv_machine *m, size_t *height)
{
    if (!m->marks.n)
        return qsv_machine_fail(m, "takes a mark where there is none");
    *height = m->marks.v[--m->marks.n];
    return QSV_OK;
}

enum qsv_status qsv_machine_top(struct qsv_machine *m, uint32_t *out)
{
    if (m->stack.n <= qsv_machine_floor(m))
        return qsv_machine_fail(m, "uses a value of an empty stack");
    *out = m->stack.v[m->stack.n - 1];
    return QSV_OK;
}

enum qsv_status qsv_machine_move_items(struct qsv_machine *m, uint32_t target, size_t height)
{
    struct qsv_pickle *p = m->p;
    if (p->nodes[target].kind == QSV_PICKLE_CALL) {
        p->nodes[target].call.changed = true;
        m->stack.n = height;
        return QSV_OK;
    }
    size_t n = m->stack.n - height, first = p->n_cells ? p->n_cells : 1;
    enum qsv_status st = reserve(m, &p->cells, &p->cap_cells, first + n, sizeof *p->cells);
    if (st || !n)
        return st;
    for (size_t i = 0; i < n; i++)
        p->cells[first + i] = (struct qsv_pickle_cell){m->stack.v[height + i],
                                                       (uint32_t)(i + 1 < n ? first + i + 1 : 0)};
    p->n_cells = first + n;
    m->stack.n = height;
    struct qsv_pickle_node *t = &p->nodes[target];
    if (t->items.count)
        p->cells[t->items.last].next = (uint32_t)first;
    else
        t->items.first = (uint32_t)first;
    t->items.last = (uint32_t)(first + n - 1);
    t->items.count += (uint32_t)n;
    return QSV_OK;
}

enum qsv_status qsv_machine_put(struct qsv_machine *m, uint64_t index)
{
    uint32_t v = 0;
    enum qsv_status st = qsv_machine_top(m, &v);
    if (!st && index >= QSV_MACHINE_MAX_VALUES)
        st = qsv_machine_fail(m, "puts a value at a memo index of 4194304 or more");
    if (!st)
        st = reserve(m, &m->memo.v, &m->memo.capacity, index + 1, sizeof *m->memo.v);
    if (st)
        return st;
    m->memo.v[index] = v + 1;
    if (m->memo.n <= index)
        m->memo.n = index + 1;
    return QSV_OK;
}
