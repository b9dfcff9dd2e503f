#include "results/segment.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "results/costs.h"
#include "results/folder.h"
#include "results/ledger_file.h"

static const uint8_t *find_formats(uint64_t trial_id, const struct qsv_trial_setting *settings,
                                   size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (settings[i].trial_id == trial_id)
            return settings[i].formats;
    return NULL;
}

static struct qsv_trial_row *list_trials(const struct qsv_run *run,
                                         const struct qsv_trial_setting *settings, size_t n)
{
    struct qsv_trial_row *trials = qsv_alloc(n, sizeof *trials);
    for (size_t i = 0; trials && i < n; i++) {
        /* Only written from: the formats stay the caller's. */
        trials[i] = (struct qsv_trial_row){.id = settings[i].trial_id,
                                           .formats = (uint8_t *)settings[i].formats};
        qsv_cost_bytes(&trials[i].bytes, run->model, run->affine, settings[i].formats);
    }
    return trials;
}

static enum qsv_status list_evaluations(struct qsv_evaluation **out, const struct qsv_run *run,
                                        const struct qsv_record *records, size_t n,
                                        const struct qsv_trial_setting *settings, size_t n_settings,
                                        struct qsv_error *err)
{
    *out = qsv_alloc(n, sizeof **out);
    if (!*out)
        return qsv_fail_memory(err, "a segment");
    for (size_t i = 0; i < n; i++) {
        const uint8_t *formats = find_formats(records[i].trial_id, settings, n_settings);
        if (!formats)
            return qsv_fail(err, QSV_EFAILED,
                            "record of trial %016" PRIx64 " comes without the trial's setting",
                            records[i].trial_id);
        (*out)[i].record = records[i];
        (*out)[i].set = (uint8_t)qsv_partition_shard(run->partition, records[i].shard).set;
        qsv_record_energy(&(*out)[i].energy, run, formats, &records[i]);
    }
    return QSV_OK;
}

static enum qsv_status write_file(const char *path, const struct qsv_run *run,
                                  const struct qsv_evaluation *evaluations, size_t n,
                                  const struct qsv_trial_row *trials, size_t n_trials,
                                  struct qsv_error *err)
{
    struct qsv_ledger description = {0};
    enum qsv_status st = qsv_ledger_describe(&description, run, err);
    if (!st)
        st = qsv_ledger_write_segment(&description, path, evaluations, n, trials, n_trials, err);
    qsv_ledger_fini(&description);
    return st;
}

enum qsv_status qsv_segment_write(const char *run_folder, const char *name,
                                  const struct qsv_run *run, const struct qsv_record *records,
                                  size_t n, const struct qsv_trial_setting *settings,
                                  size_t n_settings, struct qsv_error *err)
{
    assert(!strchr(name, '/'));
    struct qsv_evaluation *evaluations = NULL;
    char *path = qsv_folder_segment(run_folder, name);
    struct qsv_trial_row *trials = list_trials(run, settings, n_settings);
    enum qsv_status st = QSV_OK;
    if (!path || !trials)
        st = qsv_fail_memory(err, "a segment");
    if (!st)
        st = list_evaluations(&evaluations, run, records, n, settings, n_settings, err);
    if (!st)
        st = write_file(path, run, evaluations, n, trials, n_settings, err);
    free(evaluations);
    free(trials);
    free(path);
    return st;
}
