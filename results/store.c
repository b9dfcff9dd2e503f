#include "results/store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "results/attempt.h"
#include "results/costs.h"
#include "results/folder.h"
#include "results/ledger_file.h"
#include "results/lock.h"

/* A fold rewrites everything, so it must not take more than a twentieth of the time. */
enum { FOLD_SEGMENTS = 32, FOLD_SECONDS = 5, FOLD_FACTOR = 20 };

struct qsv_store {
    const struct qsv_run *run;
    char *folder, *results;
    struct qsv_lock *lock;
    struct qsv_ledger ledger;
    struct qsv_names segments; /* not folded yet */
    uint32_t last_number;      /* of a trial */
    double fold_s, folded_s;   /* the last fold's length, and when it ended */
};

static void destroy(struct qsv_store *s)
{
    qsv_lock_release(s->lock);
    qsv_ledger_fini(&s->ledger);
    qsv_names_fini(&s->segments);
    free(s->results);
    free(s->folder);
    free(s);
}

/* A damaged file costs what was in it, and nothing else. */
static enum qsv_status set_aside(const char *path, struct qsv_strbuf *warnings,
                                 const struct qsv_error *why, struct qsv_error *err)
{
    struct qsv_strbuf to = {0};
    enum qsv_status st = qsv_folder_set_aside(path, &to, err);
    if (!st && warnings)
        qsv_strbuf_printf(warnings, "%s; set aside as %s\n", why->text, to.text);
    qsv_strbuf_fini(&to);
    return st;
}

/* What a person can do about records of another identity. */
static enum qsv_status fail_other(const struct qsv_error *why, enum qsv_status st,
                                  struct qsv_error *err)
{
    return qsv_fail(err, st, "%s%s", why->text,
                    st == QSV_EIDENTITY ? "; name another folder (run: in the spec, or --run) to "
                                          "keep both, or start over with --fresh"
                                        : "");
}

static enum qsv_status read_results(struct qsv_store *s, struct qsv_strbuf *warnings,
                                    struct qsv_error *err)
{
    struct qsv_error why;
    enum qsv_status st = qsv_ledger_describe(&s->ledger, s->run, err);
    if (st || access(s->results, F_OK) < 0)
        return st;
    st = qsv_ledger_read_into(&s->ledger, s->results, &why);
    if (st != QSV_EINPUT)
        return st ? fail_other(&why, st, err) : QSV_OK;
    qsv_ledger_fini(&s->ledger);
    st = set_aside(s->results, warnings, &why, err);
    return st ? st : qsv_ledger_describe(&s->ledger, s->run, err);
}

static enum qsv_status read_segment(struct qsv_store *s, const char *name,
                                    struct qsv_strbuf *warnings, struct qsv_error *err)
{
    struct qsv_error why;
    char *path = qsv_folder_segment(s->folder, name);
    enum qsv_status st =
        path ? qsv_ledger_read_segment(&s->ledger, path, &why) : qsv_fail_memory(&why, "a segment");
    if (!st)
        st = qsv_names_add(&s->segments, name, &why);
    if (st == QSV_EINPUT)
        st = set_aside(path, warnings, &why, err);
    else if (st)
        fail_other(&why, st, err);
    free(path);
    return st;
}

static enum qsv_status read_segments(struct qsv_store *s, struct qsv_strbuf *warnings,
                                     struct qsv_error *err)
{
    struct qsv_names names = {0};
    enum qsv_status st = qsv_folder_list(s->folder, &names, err);
    for (size_t i = 0; i < names.n && !st; i++)
        st = read_segment(s, names.v[i], warnings, err);
    qsv_names_fini(&names);
    return st;
}

/* What a trial takes and a record costs follows from this run's model and energy table, whatever a
 * file says. */
static void compute_costs(struct qsv_store *s)
{
    struct qsv_ledger *l = &s->ledger;
    for (size_t i = 0; i < l->n_trials; i++)
        qsv_cost_bytes(&l->trials[i].bytes, s->run->model, s->run->affine, l->trials[i].formats);
    for (size_t i = 0; i < l->n_evaluations; i++) {
        struct qsv_evaluation *e = l->evaluations[i];
        const uint8_t *formats = qsv_ledger_trial(l, e->record.trial_id)->formats;
        qsv_record_energy(&e->energy, s->run, formats, &e->record);
    }
}

static void find_last_number(struct qsv_store *s)
{
    for (size_t i = 0; i < s->ledger.n_trials; i++)
        if (s->ledger.trials[i].number > s->last_number)
            s->last_number = s->ledger.trials[i].number;
}

static enum qsv_status recover(struct qsv_store *s, struct qsv_strbuf *warnings,
                               struct qsv_error *err)
{
    qsv_folder_clean(s->folder);
    enum qsv_status st = read_results(s, warnings, err);
    if (!st)
        st = read_segments(s, warnings, err);
    if (st)
        return st;
    compute_costs(s);
    find_last_number(s);
    return QSV_OK;
}

static enum qsv_status make_folders(struct qsv_store *s, struct qsv_error *err)
{
    char *segments = qsv_folder_segments(s->folder);
    enum qsv_status st =
        segments ? qsv_file_make_folder(segments, err) : qsv_fail_memory(err, "a run's folder");
    free(segments);
    return st;
}

static struct qsv_store *create(const char *run_folder, const struct qsv_run *run)
{
    struct qsv_store *s = qsv_alloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->run = run;
    s->folder = qsv_strdup(run_folder);
    s->results = qsv_folder_results(run_folder);
    if (s->folder && s->results)
        return s;
    destroy(s);
    return NULL;
}

enum qsv_status qsv_store_open(struct qsv_store **out, const char *run_folder,
                               const struct qsv_run *run, struct qsv_strbuf *warnings,
                               struct qsv_error *err)
{
    *out = NULL;
    struct qsv_store *s = create(run_folder, run);
    if (!s)
        return qsv_fail_memory(err, "a store");
    enum qsv_status st = make_folders(s, err);
    if (!st)
        st = qsv_lock_take(&s->lock, run_folder, err);
    if (!st)
        st = recover(s, warnings, err);
    if (!st)
        st = qsv_attempt_begin(&s->ledger, &run->provenance, err);
    /* At once, so that readers find a results.h5 from the first moment on, with this attempt. */
    if (!st)
        st = qsv_store_fold(s, err);
    if (st)
        destroy(s);
    else
        *out = s;
    return st;
}

void qsv_store_note_work(struct qsv_store *s, uint64_t layer_forwards_asked,
                         uint64_t layer_forwards_done)
{
    struct qsv_attempt_row *row = &s->ledger.attempts[s->ledger.n_attempts - 1];
    row->layer_forwards_asked = layer_forwards_asked;
    row->layer_forwards_done = layer_forwards_done;
}

void qsv_store_note_waiting(struct qsv_store *s, double worked_s, double waited_s)
{
    struct qsv_attempt_row *row = &s->ledger.attempts[s->ledger.n_attempts - 1];
    row->worked_s = worked_s;
    row->waited_s = waited_s;
}

enum qsv_status qsv_store_close(struct qsv_store *s, bool complete, const char *why,
                                struct qsv_error *err)
{
    s->ledger.complete = complete;
    if (complete)
        qsv_ledger_end_search(&s->ledger);
    enum qsv_status st = qsv_attempt_end(&s->ledger, why, err);
    if (!st)
        st = qsv_store_fold(s, err);
    destroy(s);
    return st;
}

void qsv_store_abandon(struct qsv_store *s)
{
    if (s)
        destroy(s);
}

uint32_t qsv_store_attempt(const struct qsv_store *s)
{
    return s->ledger.attempts[s->ledger.n_attempts - 1].number;
}

const struct qsv_record *qsv_store_find(const struct qsv_store *s, uint64_t trial_id,
                                        uint32_t shard)
{
    const struct qsv_evaluation *e = qsv_ledger_evaluation(&s->ledger, trial_id, shard);
    return e ? &e->record : NULL;
}

size_t qsv_store_record_count(const struct qsv_store *s)
{
    return s->ledger.n_evaluations;
}

/* Records of one segment come one after the other. */
static enum qsv_status note_segment(struct qsv_store *s, const char *segment, struct qsv_error *err)
{
    if (!*segment)
        return QSV_OK;
    if (s->segments.n && !strcmp(s->segments.v[s->segments.n - 1], segment))
        return QSV_OK;
    return qsv_names_add(&s->segments, segment, err);
}

enum qsv_status qsv_store_add(struct qsv_store *s, struct qsv_record *r, const char *segment,
                              struct qsv_error *err)
{
    struct qsv_evaluation *e;
    enum qsv_status st = note_segment(s, segment, err);
    if (!st)
        st = qsv_ledger_add_record(&s->ledger, r, &e, err);
    if (st || !e)
        return st;
    const struct qsv_trial_row *trial = qsv_ledger_trial(&s->ledger, e->record.trial_id);
    qsv_record_energy(&e->energy, s->run, trial->formats, &e->record);
    return QSV_OK;
}

static enum qsv_status name_trial(struct qsv_store *s, struct qsv_trial_row *row,
                                  const struct qsv_trial *trial, const char *step,
                                  struct qsv_error *err)
{
    char *name = qsv_strdup(step ? step : "");
    char *description = qsv_strdup(trial->what ? trial->what : "");
    if (!name || !description) {
        free(name);
        free(description);
        return qsv_fail_memory(err, "a trial");
    }
    row->step = name;
    row->description = description;
    row->parent = trial->parent;
    row->number = ++s->last_number;
    qsv_cost_bytes(&row->bytes, s->run->model, s->run->affine, row->formats);
    return QSV_OK;
}

enum qsv_status qsv_store_add_trial(struct qsv_store *s, const struct qsv_trial *trial,
                                    uint64_t trial_id, const char *step, struct qsv_error *err)
{
    struct qsv_trial_row *row;
    enum qsv_status st = qsv_ledger_add_trial(&s->ledger, trial_id, trial->formats, &row, err);
    if (!st && !row->number)
        st = name_trial(s, row, trial, step, err);
    return st ? st : qsv_ledger_add_asked(&s->ledger, trial_id, step, trial->what, err);
}

enum qsv_status qsv_store_begin_search(struct qsv_store *s, uint64_t search_id,
                                       const char *strategy, const char *spec_text,
                                       struct qsv_error *err)
{
    return qsv_ledger_begin_search(&s->ledger, search_id, strategy, spec_text, qsv_store_attempt(s),
                                   err);
}

enum qsv_status qsv_store_add_step(struct qsv_store *s, const struct qsv_step *step,
                                   struct qsv_error *err)
{
    return qsv_ledger_add_step(&s->ledger, step->name, step->trial_id, step->decision, step->why,
                               err);
}

enum qsv_status qsv_store_select(struct qsv_store *s, uint64_t trial_id, bool meets,
                                 struct qsv_error *err)
{
    struct qsv_recorded_search *search = qsv_ledger_search(&s->ledger);
    if (!search)
        return qsv_fail(err, QSV_EFAILED, "a selection outside any search");
    search->row.selected = trial_id;
    search->row.meets = meets;
    return QSV_OK;
}

void qsv_store_note_cost(struct qsv_store *s, const struct qsv_search_cost *cost)
{
    struct qsv_recorded_search *search = qsv_ledger_search(&s->ledger);
    if (search)
        search->row.cost = *cost;
}

/* What is in results.h5 now needs its segments no more; one that stays is read again, no harm. */
static void delete_segments(struct qsv_store *s)
{
    for (size_t i = 0; i < s->segments.n; i++) {
        char *path = qsv_folder_segment(s->folder, s->segments.v[i]);
        if (path)
            unlink(path);
        free(path);
    }
    qsv_names_fini(&s->segments);
}

enum qsv_status qsv_store_fold(struct qsv_store *s, struct qsv_error *err)
{
    double start_s = qsv_clock_monotonic_s();
    enum qsv_status st = qsv_lock_check(s->lock, err);
    if (!st)
        st = qsv_ledger_write(&s->ledger, s->results, err);
    if (!st)
        delete_segments(s);
    s->folded_s = qsv_clock_monotonic_s();
    s->fold_s = s->folded_s - start_s;
    return st;
}

enum qsv_status qsv_store_fold_if_due(struct qsv_store *s, struct qsv_error *err)
{
    double pause_s = s->fold_s * FOLD_FACTOR;
    enum qsv_status st = qsv_lock_refresh(s->lock, err);
    if (st)
        return st;
    if (pause_s < FOLD_SECONDS)
        pause_s = FOLD_SECONDS;
    if (s->segments.n < FOLD_SEGMENTS || qsv_clock_monotonic_s() - s->folded_s < pause_s)
        return QSV_OK;
    return qsv_store_fold(s, err);
}
