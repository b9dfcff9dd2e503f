#include "runner/search/expense.h"

static bool is_asked(const struct qsv_question *q, uint32_t n_asked, uint64_t trial_id)
{
    for (uint32_t i = 0; i < n_asked; i++)
        if (q->trial_ids[i] == trial_id)
            return true;
    return false;
}

/* A setting's images that the search has not asked about before; `part`: of the network, what the
 * trie of the question does not share with the settings before it. */
static enum qsv_status add_setting(struct qsv_expense *e, const struct qsv_question *q,
                                   uint64_t trial_id, double part, const struct qsv_store *store,
                                   struct qsv_error *err)
{
    for (uint32_t s = q->first_shard; s < q->first_shard + q->n_shards; s++) {
        const struct qsv_record *r = qsv_store_find(store, trial_id, s);
        if (!r || qsv_index_find(&e->seen, trial_id, s) != QSV_INDEX_NONE)
            continue;
        if (!qsv_index_add(&e->seen, trial_id, s, 0))
            return qsv_fail_memory(err, "what a search has asked");
        e->sum.image_forwards += r->n_images;
        e->sum.trie_forwards += part * r->n_images;
        e->sum.worker_s += r->wall_s;
    }
    return QSV_OK;
}

enum qsv_status qsv_expense_add(struct qsv_expense *e, const struct qsv_question *q,
                                uint32_t n_asked, const struct qsv_store *store,
                                struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    /* The baseline is in every question, for comparison. */
    const uint32_t first = is_asked(q, n_asked, q->settings[0].trial_id) ? 0 : 1;
    for (uint32_t i = first; i < q->n_settings && !st; i++)
        st = add_setting(e, q, q->settings[i].trial_id, i == first ? 1 : 1 - q->shared[i], store,
                         err);
    return st;
}

void qsv_expense_fini(struct qsv_expense *e)
{
    qsv_index_fini(&e->seen);
    *e = (struct qsv_expense){0};
}
