#include "runner/base/shelf.h"

#include <stdlib.h>

#include "core/base/alloc.h"

enum { MOST = 1 << 18 }; /* records: below a gigabyte for the largest networks */

void qsv_shelf_fini(struct qsv_shelf *s)
{
    for (size_t i = 0; i < s->n; i++)
        qsv_record_fini(&s->records[i]);
    free(s->records);
    qsv_index_fini(&s->index);
    *s = (struct qsv_shelf){0};
}

enum qsv_status qsv_shelf_put(struct qsv_shelf *s, struct qsv_record *r, struct qsv_error *err)
{
    if (qsv_index_find(&s->index, r->trial_id, r->shard) != QSV_INDEX_NONE)
        return QSV_OK;
    if (!qsv_grow(&s->records, &s->capacity, s->n + 1, sizeof *s->records) ||
        !qsv_index_add(&s->index, r->trial_id, r->shard, (uint32_t)s->n))
        return qsv_fail_memory(err, "records evaluated ahead");
    s->records[s->n++] = *r;
    *r = (struct qsv_record){0};
    return QSV_OK;
}

bool qsv_shelf_is_full(const struct qsv_shelf *s)
{
    return s->n >= MOST;
}

static struct qsv_record *find(const struct qsv_shelf *s, uint64_t trial_id, uint32_t shard)
{
    uint32_t at = qsv_index_find(&s->index, trial_id, shard);
    return at == QSV_INDEX_NONE || !s->records[at].n_images ? NULL : &s->records[at];
}

bool qsv_shelf_has(const struct qsv_shelf *s, uint64_t trial_id, uint32_t shard)
{
    return find(s, trial_id, shard) != NULL;
}

bool qsv_shelf_take(struct qsv_shelf *s, uint64_t trial_id, uint32_t shard, struct qsv_record *out)
{
    struct qsv_record *r = find(s, trial_id, shard);
    if (!r)
        return false;
    *out = *r;
    *r = (struct qsv_record){0};
    return true;
}
