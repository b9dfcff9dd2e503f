#include "runner/search/codes_job.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

static enum qsv_status take(void *context, struct qsv_record *r, const char *segment,
                            struct qsv_error *err)
{
    const struct qsv_codes_job *j = context;
    (void)r;
    (void)segment;
    (void)err;
    qsv_progress_add(j->progress, 1);
    return QSV_OK;
}

static enum qsv_status tick(void *context, struct qsv_error *err)
{
    const struct qsv_codes_job *j = context;
    qsv_progress_tick(j->progress);
    qsv_live_tick(j->live);
    return qsv_store_fold_if_due(j->store, err);
}

/* Parts take the place of shards, one trial that of all. */
static enum qsv_status make_parts(const struct qsv_codes_job *j, struct qsv_error *err)
{
    const uint32_t n = qsv_codes_parts(j->codes);
    const size_t n_layers = j->codes->model->graph.n_layers;
    uint8_t *missing = qsv_alloc(n, 1), *f32 = qsv_alloc(n_layers, 1); /* QSV_F32 is 0 */
    if (!missing || !f32) {
        free(missing);
        free(f32);
        return qsv_fail_memory(err, "the bank");
    }
    uint32_t n_missing = 0;
    for (uint32_t p = 0; p < n; p++)
        n_missing += missing[p] = !qsv_codes_has_part(j->codes, p);
    const struct qsv_trial_setting all = {qsv_setting_id(f32, (uint32_t)n_layers), f32};
    const double shared = 0;
    const struct qsv_job job = {.kind = QSV_TASK_CODES,
                                .attempt = qsv_store_attempt(j->store),
                                .trials = &all,
                                .n_trials = 1,
                                .shared = &shared,
                                .n_shards = n,
                                .missing = missing,
                                .context = (void *)(uintptr_t)j,
                                .take = take,
                                .tick = tick};
    qsv_progress_begin(j->progress, "bank", 0, 0, n - n_missing, n);
    enum qsv_status st = qsv_codes_make_folder(j->codes, err);
    if (!st && n_missing)
        st = qsv_coordinator_run(j->coordinator, &job, err);
    if (!st)
        qsv_progress_end(j->progress);
    free(missing);
    free(f32);
    return st;
}

static enum qsv_status note(const struct qsv_codes_job *j, struct qsv_error *err)
{
    char why[160];
    const struct qsv_step step = {.name = "bank", .decision = "keep", .why = why};
    snprintf(why, sizeof why, "codes of %zu layers by %s, on %llu calibration images",
             j->codes->model->graph.n_layers, j->codes->spec->quantizer.name,
             (unsigned long long)j->codes->spec->calibration_images);
    qsv_progress_say(j->progress, "%s: %s: %s", step.name, step.decision, step.why);
    return qsv_store_add_step(j->store, &step, err);
}

enum qsv_status qsv_codes_job_run(const struct qsv_codes_job *j, struct qsv_error *err)
{
    if (!qsv_codes_are_recorded(j->codes))
        return QSV_OK;
    enum qsv_status st = qsv_codes_load(j->codes, err);
    if (!st && qsv_codes_are_complete(j->codes))
        qsv_codes_remove_parts(j->codes);
    /* Parts of an earlier attempt may lack formats that were added since. */
    for (int round = 0; round < 2 && !st && !qsv_codes_are_complete(j->codes); round++) {
        st = make_parts(j, err);
        if (!st)
            st = qsv_codes_gather(j->codes, err);
    }
    return st ? st : note(j, err);
}
