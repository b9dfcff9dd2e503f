#include "runner/worker/cache.h"

#include <stdlib.h>

#include "core/base/alloc.h"

struct entry {
    uint64_t key;
    uint64_t used; /* the cache's tick when it was last used */
    void *value;
    size_t bytes;
};

struct qsv_cache {
    struct entry *entries;
    size_t n, capacity;
    size_t bytes, max_bytes;
    uint64_t tick, keep_from; /* entries used at keep_from or later stay */
    void (*destroy)(void *);
};

enum qsv_status qsv_cache_create(struct qsv_cache **out, size_t max_bytes, void (*destroy)(void *),
                                 struct qsv_error *err)
{
    struct qsv_cache *c = *out = qsv_alloc(1, sizeof *c);
    if (!c)
        return qsv_fail_memory(err, "a cache");
    c->max_bytes = max_bytes;
    c->destroy = destroy;
    return QSV_OK;
}

void qsv_cache_destroy(struct qsv_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++)
        c->destroy(c->entries[i].value);
    free(c->entries);
    free(c);
}

void qsv_cache_begin_use(struct qsv_cache *c)
{
    c->keep_from = ++c->tick;
}

void *qsv_cache_get(struct qsv_cache *c, uint64_t key)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->entries[i].key == key) {
            c->entries[i].used = ++c->tick;
            return c->entries[i].value;
        }
    }
    return NULL;
}

static void evict(struct qsv_cache *c, size_t i)
{
    c->destroy(c->entries[i].value);
    c->bytes -= c->entries[i].bytes;
    c->entries[i] = c->entries[--c->n];
}

static void make_room(struct qsv_cache *c, size_t bytes)
{
    while (c->n > 0 && (bytes > c->max_bytes || c->bytes > c->max_bytes - bytes)) {
        size_t oldest = 0;
        for (size_t i = 1; i < c->n; i++)
            if (c->entries[i].used < c->entries[oldest].used)
                oldest = i;
        if (c->entries[oldest].used >= c->keep_from)
            return;
        evict(c, oldest);
    }
}

enum qsv_status qsv_cache_put(struct qsv_cache *c, uint64_t key, void *value, size_t bytes,
                              struct qsv_error *err)
{
    make_room(c, bytes);
    if (!qsv_grow(&c->entries, &c->capacity, c->n + 1, sizeof *c->entries)) {
        c->destroy(value);
        return qsv_fail_memory(err, "a cache");
    }
    c->entries[c->n++] = (struct entry){key, ++c->tick, value, bytes};
    c->bytes += bytes;
    return QSV_OK;
}
