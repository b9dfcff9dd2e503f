#include "results/index.h"

#include <stdlib.h>

#include "core/base/alloc.h"

void qsv_index_fini(struct qsv_index *x)
{
    free(x->slots);
    *x = (struct qsv_index){0};
}

/* Trial ids are hashes already, shard numbers are not: mix both. */
static size_t mix(uint64_t a, uint32_t b)
{
    uint64_t h = a ^ (b + 1) * 0x9e3779b97f4a7c15u;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return (size_t)(h ^ h >> 32);
}

/* The key's slot, or the free one where it would be. */
static struct qsv_index_slot *probe(const struct qsv_index *x, uint64_t a, uint32_t b)
{
    size_t mask = x->capacity - 1;
    for (size_t i = mix(a, b) & mask;; i = (i + 1) & mask) {
        struct qsv_index_slot *s = &x->slots[i];
        if (s->position == QSV_INDEX_NONE || (s->a == a && s->b == b))
            return s;
    }
}

uint32_t qsv_index_find(const struct qsv_index *x, uint64_t a, uint32_t b)
{
    return x->n ? probe(x, a, b)->position : QSV_INDEX_NONE;
}

static bool grow(struct qsv_index *x)
{
    size_t capacity = x->capacity ? 2 * x->capacity : 16;
    struct qsv_index bigger = {qsv_alloc(capacity, sizeof *x->slots), x->n, capacity};
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < capacity; i++)
        bigger.slots[i].position = QSV_INDEX_NONE;
    for (size_t i = 0; i < x->capacity; i++) {
        const struct qsv_index_slot *s = &x->slots[i];
        if (s->position != QSV_INDEX_NONE)
            *probe(&bigger, s->a, s->b) = *s;
    }
    free(x->slots);
    *x = bigger;
    return true;
}

bool qsv_index_add(struct qsv_index *x, uint64_t a, uint32_t b, uint32_t position)
{
    /* At most three quarters full, so that a probe ends soon. */
    if (4 * (x->n + 1) > 3 * x->capacity && !grow(x))
        return false;
    *probe(x, a, b) = (struct qsv_index_slot){a, b, position};
    x->n++;
    return true;
}
