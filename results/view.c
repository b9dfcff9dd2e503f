#include "results/view.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

static int by_trial_and_shard(const void *a, const void *b)
{
    const struct qsv_record *x = &(*(struct qsv_evaluation *const *)a)->record;
    const struct qsv_record *y = &(*(struct qsv_evaluation *const *)b)->record;
    if (x->trial_id != y->trial_id)
        return x->trial_id < y->trial_id ? -1 : 1;
    return x->shard < y->shard ? -1 : x->shard > y->shard;
}

static int by_number(const void *a, const void *b)
{
    const struct qsv_trial_row *x = ((const struct qsv_view_trial *)a)->row;
    const struct qsv_trial_row *y = ((const struct qsv_view_trial *)b)->row;
    /* Number 0, less 1, becomes the largest. */
    uint32_t m = x->number - 1, n = y->number - 1;
    if (m != n)
        return m < n ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* The first of the sorted evaluations whose trial is not below trial_id. */
static size_t lower_bound(const struct qsv_view *v, uint64_t trial_id)
{
    size_t low = 0, high = v->ledger->n_evaluations;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (v->evaluations[middle]->record.trial_id < trial_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void find_range(const struct qsv_view *v, struct qsv_view_trial *t)
{
    size_t first = lower_bound(v, t->row->id), end = first;
    while (end < v->ledger->n_evaluations && v->evaluations[end]->record.trial_id == t->row->id)
        end++;
    t->evaluations = v->evaluations + first;
    t->n = end - first;
}

enum qsv_status qsv_view_init(struct qsv_view *v, const struct qsv_ledger *l, struct qsv_error *err)
{
    *v = (struct qsv_view){.ledger = l};
    v->trials = qsv_alloc(l->n_trials, sizeof *v->trials);
    v->evaluations = qsv_alloc(l->n_evaluations, sizeof *v->evaluations);
    if (!v->trials || !v->evaluations) {
        qsv_view_fini(v);
        return qsv_fail_memory(err, "a view of the records");
    }
    if (l->n_evaluations)
        memcpy(v->evaluations, l->evaluations, l->n_evaluations * sizeof *v->evaluations);
    qsort(v->evaluations, l->n_evaluations, sizeof *v->evaluations, by_trial_and_shard);
    for (size_t i = 0; i < l->n_trials; i++) {
        v->trials[i].row = &l->trials[i];
        find_range(v, &v->trials[i]);
    }
    qsort(v->trials, l->n_trials, sizeof *v->trials, by_number);
    return QSV_OK;
}

void qsv_view_fini(struct qsv_view *v)
{
    free(v->trials);
    free(v->evaluations);
    *v = (struct qsv_view){0};
}
