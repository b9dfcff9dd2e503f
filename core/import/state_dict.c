#include "core/import/state_dict.h"

#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/import/rebuild.h"

enum { MAX_DEPTH = 4 };

struct candidate {
    uint32_t dict;
    unsigned depth;
    int preference; /* of its name */
    size_t tensors;
    size_t calls; /* tensors and whatever else is an object */
};

/* Dicts in the order of their depth. Each is visited once, however often it is shared. */
struct search {
    const struct qsv_pickle *p;
    struct candidate *queue;
    size_t n, capacity;
    bool *seen; /* [n_nodes] */
};

static enum qsv_status enqueue(struct search *s, uint32_t dict, unsigned depth, int preference,
                               struct qsv_error *err)
{
    if (s->p->nodes[dict].kind != QSV_PICKLE_DICT || depth > MAX_DEPTH || s->seen[dict])
        return QSV_OK;
    if (!qsv_grow(&s->queue, &s->capacity, s->n + 1, sizeof *s->queue))
        return qsv_fail_memory(err, "the checkpoint's dicts");
    s->seen[dict] = true;
    s->queue[s->n++] = (struct candidate){dict, depth, preference, 0, 0};
    return QSV_OK;
}

static int preference(const struct qsv_pickle *p, uint32_t key)
{
    return qsv_pickle_is_text(p, key, "model") ? 2 : qsv_pickle_is_text(p, key, "state_dict");
}

/* Counts the tensors of a dict and enqueues the dicts in it. */
static enum qsv_status visit(struct search *s, size_t at, struct qsv_error *err)
{
    struct qsv_pickle_walk w = qsv_pickle_walk_dict(s->p, s->queue[at].dict);
    unsigned depth = s->queue[at].depth + 1;
    uint32_t key, value;
    enum qsv_status st = QSV_OK;
    while (!st && qsv_pickle_next(&w, &key, &value)) {
        s->queue[at].tensors += qsv_rebuild_is_tensor(s->p, value);
        s->queue[at].calls += s->p->nodes[value].kind == QSV_PICKLE_CALL;
        st = enqueue(s, value, depth, preference(s->p, key), err);
    }
    return st;
}

/* Where nothing is known to be a tensor, objects are what the file offers: their defects then name
 * what makes them. */
static bool better(const struct candidate *a, const struct candidate *b)
{
    if (!a->tensors && !b->tensors)
        return a->calls > b->calls;
    if (!a->tensors || !b->tensors)
        return a->tensors > b->tensors;
    if (a->preference != b->preference)
        return a->preference > b->preference;
    return a->tensors > b->tensors;
}

static enum qsv_status search(struct candidate *best, struct search *s, struct qsv_error *err)
{
    enum qsv_status st = enqueue(s, s->p->root, 0, 0, err);
    for (size_t i = 0; !st && i < s->n; i++) {
        st = visit(s, i, err);
        if (!st && better(&s->queue[i], best))
            *best = s->queue[i];
    }
    return st;
}

enum qsv_status qsv_state_dict_find(uint32_t *dict, const struct qsv_pickle *p,
                                    struct qsv_error *err)
{
    struct search s = {.p = p, .seen = qsv_alloc(p->n_nodes, sizeof *s.seen)};
    struct candidate best = {0};
    enum qsv_status st =
        s.seen ? search(&best, &s, err) : qsv_fail_memory(err, "the checkpoint's dicts");
    if (!st && !best.calls)
        st = qsv_fail(err, QSV_EINPUT,
                      "holds a Python %s with no tensors in a dict, expected a state dict, as "
                      "torch.save(model.state_dict(), PATH) writes it",
                      qsv_pickle_kind_name(p->nodes[p->root].kind));
    *dict = best.dict;
    free(s.seen);
    free(s.queue);
    return st;
}
