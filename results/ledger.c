#include "results/ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/setting.h"
#include "results/layout.h"

static void free_search(struct qsv_recorded_search *s)
{
    free(s->row.strategy);
    free(s->row.spec);
    qsv_table_free(&qsv_step_table, s->steps, s->n_steps);
    qsv_table_free(&qsv_asked_table, s->asked, s->n_asked);
    qsv_index_fini(&s->index);
}

static void free_trial(struct qsv_trial_row *t)
{
    free(t->step);
    free(t->description);
    free(t->formats);
}

void qsv_ledger_fini(struct qsv_ledger *l)
{
    for (size_t i = 0; i < l->n_evaluations; i++) {
        qsv_record_fini(&l->evaluations[i]->record);
        free(l->evaluations[i]);
    }
    for (size_t i = 0; i < l->n_trials; i++)
        free_trial(&l->trials[i]);
    for (size_t i = 0; i < l->n_searches; i++)
        free_search(&l->searches[i]);
    qsv_table_free(&qsv_layer_table, l->layers, l->layers ? l->shape.n_layers : 0);
    qsv_table_free(&qsv_lif_table, l->lifs, l->lifs ? l->shape.n_lifs : 0);
    qsv_table_free(&qsv_site_table, l->sites, l->sites ? l->shape.n_sites : 0);
    qsv_table_free(&qsv_attempt_table, l->attempts, l->n_attempts);
    if (l->owns_order)
        qsv_partition_fini(&l->partition);
    qsv_index_fini(&l->trial_index);
    qsv_index_fini(&l->evaluation_index);
    free(l->model_path);
    free(l->architecture);
    free(l->evaluations);
    free(l->trials);
    free(l->searches);
    *l = (struct qsv_ledger){0};
}

struct qsv_trial_row *qsv_ledger_trial(const struct qsv_ledger *l, uint64_t trial_id)
{
    uint32_t i = qsv_index_find(&l->trial_index, trial_id, 0);
    return i == QSV_INDEX_NONE ? NULL : &l->trials[i];
}

struct qsv_evaluation *qsv_ledger_evaluation(const struct qsv_ledger *l, uint64_t trial_id,
                                             uint32_t shard)
{
    uint32_t i = qsv_index_find(&l->evaluation_index, trial_id, shard);
    return i == QSV_INDEX_NONE ? NULL : l->evaluations[i];
}

static enum qsv_status check_setting(const struct qsv_ledger *l, uint64_t trial_id,
                                     const uint8_t *formats, struct qsv_error *err)
{
    for (uint32_t i = 0; i < l->shape.n_layers; i++)
        if (formats[i] >= QSV_N_FORMATS)
            return qsv_fail(err, QSV_EINPUT,
                            "setting of trial %016" PRIx64 ": layer %u has format %u, expected "
                            "less than %d",
                            trial_id, i, formats[i], QSV_N_FORMATS);
    uint64_t id = qsv_setting_id(formats, l->shape.n_layers);
    if (id != trial_id)
        return qsv_fail(err, QSV_EINPUT,
                        "setting of trial %016" PRIx64 " is that of trial %016" PRIx64, trial_id,
                        id);
    return QSV_OK;
}

enum qsv_status qsv_ledger_add_trial(struct qsv_ledger *l, uint64_t trial_id,
                                     const uint8_t *formats, struct qsv_trial_row **out,
                                     struct qsv_error *err)
{
    *out = qsv_ledger_trial(l, trial_id);
    if (*out)
        return QSV_OK;
    enum qsv_status st = check_setting(l, trial_id, formats, err);
    if (st)
        return st;
    if (!qsv_grow(&l->trials, &l->cap_trials, l->n_trials + 1, sizeof *l->trials))
        return qsv_fail_memory(err, "trials");
    uint8_t *copy = qsv_alloc(l->shape.n_layers, 1);
    if (!copy || !qsv_index_add(&l->trial_index, trial_id, 0, (uint32_t)l->n_trials)) {
        free(copy);
        return qsv_fail_memory(err, "a trial");
    }
    memcpy(copy, formats, l->shape.n_layers);
    *out = &l->trials[l->n_trials++];
    **out = (struct qsv_trial_row){.id = trial_id, .formats = copy};
    return QSV_OK;
}

static uint32_t count_bits(const uint8_t *bits, uint32_t n)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < (n + 7) / 8; i++)
        count += (uint32_t)__builtin_popcount(bits[i]);
    return count;
}

static bool counts_fit(const struct qsv_record *r)
{
    uint32_t n = r->n_images;
    return r->n_top1 <= r->n_top5 && r->n_top5 <= n && r->n_only_trial <= r->n_top1 &&
           r->n_only_baseline <= n - r->n_top1;
}

/* The top-1 answers of a record must be those it counts. */
static bool bits_fit(const struct qsv_record *r)
{
    unsigned beyond = r->n_images % 8 ? r->correct[r->n_images / 8] >> r->n_images % 8 : 0;
    return !beyond && count_bits(r->correct, r->n_images) == r->n_top1;
}

static enum qsv_status check_record(const struct qsv_ledger *l, const struct qsv_record *r,
                                    struct qsv_error *err)
{
    const char *wrong = NULL;
    if (!qsv_ledger_trial(l, r->trial_id))
        wrong = "its trial has no setting";
    else if (r->shard >= l->partition.n_shards)
        wrong = "there is no such shard";
    else if (r->n_images != qsv_partition_shard(&l->partition, r->shard).n_images)
        wrong = "its number of images is not the shard's";
    else if (!counts_fit(r))
        wrong = "its counts contradict each other";
    else if (l->with_arrays && !bits_fit(r))
        wrong = "its answers are not as many as it counts";
    else if (l->with_arrays && !r->loss != (r->trial_id != l->baseline))
        wrong = r->loss ? "it has the baseline's answers" : "the baseline's answers are missing";
    if (!wrong)
        return QSV_OK;
    return qsv_fail(err, QSV_EINPUT, "record of trial %016" PRIx64 ", shard %u: %s", r->trial_id,
                    r->shard, wrong);
}

enum qsv_status qsv_ledger_add_record(struct qsv_ledger *l, struct qsv_record *r,
                                      struct qsv_evaluation **out, struct qsv_error *err)
{
    *out = NULL;
    enum qsv_status st = check_record(l, r, err);
    if (st)
        return st;
    if (qsv_ledger_evaluation(l, r->trial_id, r->shard)) {
        qsv_record_fini(r);
        return QSV_OK;
    }
    struct qsv_evaluation *e = qsv_alloc(1, sizeof *e);
    uint32_t position = (uint32_t)l->n_evaluations;
    if (!e || !qsv_grow(&l->evaluations, &l->cap_evaluations, l->n_evaluations + 1, sizeof e) ||
        !qsv_index_add(&l->evaluation_index, r->trial_id, r->shard, position)) {
        free(e);
        return qsv_fail_memory(err, "records");
    }
    e->record = *r;
    e->set = (uint8_t)qsv_partition_shard(&l->partition, r->shard).set;
    *r = (struct qsv_record){0};
    l->evaluations[l->n_evaluations++] = e;
    *out = e;
    return QSV_OK;
}

enum qsv_status qsv_ledger_take(struct qsv_ledger *l, struct qsv_evaluation *rows, size_t n,
                                struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    struct qsv_evaluation *e;
    for (size_t i = 0; i < n && !st; i++)
        st = check_record(l, &rows[i].record, err);
    for (size_t i = 0; i < n && !st; i++) {
        st = qsv_ledger_add_record(l, &rows[i].record, &e, err);
        if (!st && e)
            e->energy = rows[i].energy;
    }
    return st;
}

uint64_t qsv_ledger_image(const struct qsv_ledger *l, uint32_t shard, uint32_t i)
{
    struct qsv_shard s = qsv_partition_shard(&l->partition, shard);
    return (s.set == QSV_DECIDE ? l->partition.n_judge : 0) + s.first + i;
}

uint64_t qsv_ledger_image_count(const struct qsv_ledger *l)
{
    return l->partition.n_judge + l->partition.n_decide;
}
