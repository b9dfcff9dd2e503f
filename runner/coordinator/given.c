#include "runner/coordinator/given.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

enum qsv_status qsv_given_init(struct qsv_given *g, const struct qsv_task *t,
                               const struct qsv_hand *hand, uint64_t call, struct qsv_error *err)
{
    *g = (struct qsv_given){.number = t->number,
                            .call = call,
                            .kind = t->kind,
                            .first_shard = t->first_shard,
                            .n_shards = t->n_shards,
                            .n_trials = t->n_trials,
                            .work = hand->work};
    g->trials = qsv_alloc(t->n_trials, sizeof *g->trials);
    g->ids = qsv_alloc(t->n_trials, sizeof *g->ids);
    if (!g->trials || !g->ids) {
        qsv_given_fini(g);
        return qsv_fail_memory(err, "a task");
    }
    memcpy(g->trials, hand->trials, t->n_trials * sizeof *g->trials);
    for (uint32_t i = 0; i < t->n_trials; i++)
        g->ids[i] = t->trials[i].trial_id;
    return QSV_OK;
}

void qsv_given_fini(struct qsv_given *g)
{
    free(g->trials);
    free(g->ids);
    *g = (struct qsv_given){0};
}

enum qsv_status qsv_given_find(const struct qsv_given *g, uint32_t i, const struct qsv_record *r,
                               uint32_t *trial, struct qsv_error *err)
{
    uint32_t at = i % g->n_trials, tried = 0;
    while (tried < g->n_trials && g->ids[at] != r->trial_id) {
        at = (at + 1) % g->n_trials;
        tried++;
    }
    if (tried == g->n_trials || r->shard < g->first_shard ||
        r->shard - g->first_shard >= g->n_shards)
        return qsv_fail(err, QSV_EFAILED, "reports trial %016llx on shard %u unasked",
                        (unsigned long long)r->trial_id, r->shard);
    *trial = g->trials[at];
    return QSV_OK;
}
