#include "runner/transport/batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/alloc.h"

static void fini_entry(struct qsv_batch_entry *e)
{
    for (uint32_t i = 0; e->done.records && i < e->done.n_records; i++)
        qsv_record_fini(&e->done.records[i]);
    free(e->done.records);
    qsv_task_fini(&e->task);
}

void qsv_batch_fini(struct qsv_batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        fini_entry(&b->entries[i]);
    free(b->entries);
    *b = (struct qsv_batch){0};
}

enum qsv_status qsv_batch_add(struct qsv_batch *b, struct qsv_task *task, struct qsv_done *done,
                              double now_s, struct qsv_error *err)
{
    struct qsv_batch_entry e = {*task, *done};
    *task = (struct qsv_task){0};
    done->records = NULL;
    done->n_records = 0;
    if (!qsv_grow(&b->entries, &b->capacity, b->n + 1, sizeof *b->entries)) {
        fini_entry(&e);
        return qsv_fail_memory(err, "results");
    }
    if (b->n == 0)
        b->since_s = now_s;
    b->entries[b->n++] = e;
    return QSV_OK;
}

/* All records and trials side by side; what they point to stays the batch's. */
struct joined {
    struct qsv_record *records;
    struct qsv_trial_setting *settings;
    size_t n_records, n_settings;
};

static void add_setting(struct joined *j, const struct qsv_trial_setting *s)
{
    for (size_t i = 0; i < j->n_settings; i++)
        if (j->settings[i].trial_id == s->trial_id)
            return;
    j->settings[j->n_settings++] = *s;
}

static enum qsv_status join(struct joined *j, const struct qsv_batch *b, struct qsv_error *err)
{
    size_t records = 0, settings = 0;
    for (size_t i = 0; i < b->n; i++) {
        records += b->entries[i].done.n_records;
        settings += b->entries[i].task.n_trials;
    }
    j->records = qsv_alloc(records, sizeof *j->records);
    j->settings = qsv_alloc(settings, sizeof *j->settings);
    if (!j->records || !j->settings)
        return qsv_fail_memory(err, "a segment");
    for (size_t i = 0; i < b->n; i++) {
        for (uint32_t k = 0; k < b->entries[i].done.n_records; k++)
            j->records[j->n_records++] = b->entries[i].done.records[k];
        for (uint32_t k = 0; k < b->entries[i].task.n_trials; k++)
            add_setting(j, &b->entries[i].task.trials[k]);
    }
    return QSV_OK;
}

enum qsv_status qsv_batch_record(struct qsv_batch *b, const char *run_folder, const char *name,
                                 const struct qsv_run *run, struct qsv_error *err)
{
    struct joined j = {0};
    struct qsv_done *last = &b->entries[b->n - 1].done;
    enum qsv_status st = join(&j, b, err);
    if (!st)
        st = qsv_segment_write(run_folder, name, run, j.records, j.n_records, j.settings,
                               j.n_settings, err);
    if (!st)
        snprintf(last->segment, sizeof last->segment, "%s", name);
    free(j.records);
    free(j.settings);
    return st;
}
