#include "runner/coordinator/stock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

enum { NONE = QSV_NO_SHARD };

/* Lists through the shards: of each owner's (the last one's is nobody), and of all that have the
 * same number of pairs left. */
struct lists {
    int64_t *head;        /* [lists] */
    int64_t *next, *prev; /* [n_shards] */
};

struct qsv_stock {
    uint32_t n_workers, n_shards, first, count;
    uint32_t *owner; /* [n_shards]; n_workers: nobody */
    uint32_t *left;  /* [n_shards] */
    uint32_t *began; /* [n_shards] left when the call began */
    int64_t *last;   /* [n_workers] the shard it was given last */
    struct lists own, by_left;
    uint32_t most; /* no shard has more left */
};

static bool lists_init(struct lists *l, size_t n_lists, size_t n_shards)
{
    l->head = qsv_alloc(n_lists, sizeof *l->head);
    l->next = qsv_alloc(n_shards + 1, sizeof *l->next);
    l->prev = qsv_alloc(n_shards + 1, sizeof *l->prev);
    for (size_t i = 0; l->head && i < n_lists; i++)
        l->head[i] = NONE;
    return l->head && l->next && l->prev;
}

static void lists_fini(struct lists *l)
{
    free(l->head);
    free(l->next);
    free(l->prev);
}

static void push(struct lists *l, uint32_t list, uint32_t shard)
{
    l->next[shard] = l->head[list];
    l->prev[shard] = NONE;
    if (l->head[list] != NONE)
        l->prev[l->head[list]] = shard;
    l->head[list] = shard;
}

static void drop(struct lists *l, uint32_t list, uint32_t shard)
{
    if (l->prev[shard] == NONE)
        l->head[list] = l->next[shard];
    else
        l->next[l->prev[shard]] = l->next[shard];
    if (l->next[shard] != NONE)
        l->prev[l->next[shard]] = l->prev[shard];
}

enum qsv_status qsv_stock_create(struct qsv_stock **out, uint32_t n_workers, uint32_t n_shards,
                                 struct qsv_error *err)
{
    struct qsv_stock *s = *out = qsv_alloc(1, sizeof *s);
    if (s) {
        s->owner = qsv_alloc(n_shards + 1, sizeof *s->owner);
        s->left = qsv_alloc(n_shards + 1, sizeof *s->left);
        s->began = qsv_alloc(n_shards + 1, sizeof *s->began);
        s->last = qsv_alloc(n_workers + 1, sizeof *s->last);
    }
    if (!s || !s->owner || !s->left || !s->began || !s->last ||
        !lists_init(&s->own, (size_t)n_workers + 1, n_shards)) {
        qsv_stock_destroy(s);
        *out = NULL;
        return qsv_fail_memory(err, "dealing tasks");
    }
    s->n_workers = n_workers;
    s->n_shards = n_shards;
    for (uint32_t i = 0; i < n_shards; i++)
        s->owner[i] = n_workers;
    for (uint32_t w = 0; w < n_workers; w++)
        s->last[w] = NONE;
    return QSV_OK;
}

void qsv_stock_destroy(struct qsv_stock *s)
{
    if (!s)
        return;
    lists_fini(&s->own);
    lists_fini(&s->by_left);
    free(s->owner);
    free(s->left);
    free(s->began);
    free(s->last);
    free(s);
}

static void close_shard(struct qsv_stock *s, uint32_t shard)
{
    drop(&s->own, s->owner[shard], shard);
    drop(&s->by_left, s->left[shard], shard);
}

static void set_left(struct qsv_stock *s, uint32_t shard, uint32_t left)
{
    if (s->left[shard])
        drop(&s->by_left, s->left[shard], shard);
    s->left[shard] = left;
    if (left)
        push(&s->by_left, left, shard);
    if (left > s->most)
        s->most = left;
    while (s->most && s->by_left.head[s->most] == NONE)
        s->most--;
}

static void close_all(struct qsv_stock *s)
{
    for (uint32_t i = s->first; i < s->first + s->count; i++) {
        if (s->left[i])
            close_shard(s, i);
        s->left[i] = 0;
    }
    s->count = s->most = 0;
}

void qsv_stock_follow(struct qsv_stock *s, const struct qsv_stock *other)
{
    assert(s->n_workers == other->n_workers && s->n_shards == other->n_shards);
    close_all(s);
    memcpy(s->owner, other->owner, s->n_shards * sizeof *s->owner);
    memcpy(s->last, other->last, s->n_workers * sizeof *s->last);
}

/* An owner begins at the front of its shards, others take from the far end. */
static void fill_lists(struct qsv_stock *s)
{
    for (uint32_t i = s->first; i < s->first + s->count; i++)
        set_left(s, i, s->began[i]);
    for (uint32_t i = s->first + s->count; i-- > s->first;)
        if (s->left[i])
            push(&s->own, s->owner[i], i);
}

enum qsv_status qsv_stock_begin(struct qsv_stock *s, uint32_t first, uint32_t count,
                                const uint32_t *left, uint32_t most, struct qsv_error *err)
{
    assert(first <= s->n_shards && count <= s->n_shards - first);
    close_all(s);
    lists_fini(&s->by_left);
    if (!lists_init(&s->by_left, (size_t)most + 1, s->n_shards))
        return qsv_fail_memory(err, "dealing tasks");
    s->first = first;
    s->count = count;
    for (uint32_t i = 0; i < count; i++)
        s->began[first + i] = left[i];
    fill_lists(s);
    return QSV_OK;
}

int64_t qsv_stock_choose(const struct qsv_stock *s, uint32_t worker)
{
    if (s->own.head[worker] != NONE)
        return s->own.head[worker];
    int64_t last = s->last[worker];
    if (last != NONE && s->left[last])
        return last;
    if (s->own.head[s->n_workers] != NONE)
        return s->own.head[s->n_workers];
    return s->most ? s->by_left.head[s->most] : NONE;
}

enum qsv_standing qsv_stock_standing(const struct qsv_stock *s, uint32_t worker, uint32_t shard)
{
    if (s->owner[shard] == worker || s->last[worker] == shard)
        return QSV_STANDING_OWN;
    return s->owner[shard] == s->n_workers ? QSV_STANDING_FREE : QSV_STANDING_OTHERS;
}

bool qsv_stock_is_empty(const struct qsv_stock *s)
{
    return s->most == 0;
}

uint32_t qsv_stock_left(const struct qsv_stock *s, uint32_t shard)
{
    return s->left[shard];
}

static void give(struct qsv_stock *s, uint32_t worker, uint32_t shard)
{
    drop(&s->own, s->owner[shard], shard);
    s->owner[shard] = worker;
    push(&s->own, worker, shard);
}

void qsv_stock_take(struct qsv_stock *s, uint32_t worker, uint32_t shard, uint32_t n)
{
    uint32_t left = s->left[shard];
    assert(n > 0 && n <= left);
    if (s->owner[shard] == s->n_workers || (left == n && s->began[shard] == n))
        give(s, worker, shard);
    s->last[worker] = shard;
    qsv_stock_change(s, shard, -(int)n);
}

void qsv_stock_change(struct qsv_stock *s, uint32_t shard, int n)
{
    uint32_t before = s->left[shard], after = before + (uint32_t)n;
    if (before && !after)
        drop(&s->own, s->owner[shard], shard);
    if (!before && after)
        push(&s->own, s->owner[shard], shard);
    set_left(s, shard, after);
}
