/* Reading results.h5. */
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/seal.h"
#include "results/answers.h"
#include "results/ledger_file.h"
#include "results/matrix.h"

/* What is being read: the file, and tables that others refer to. */
struct reading {
    hid_t file;
    struct qsv_ledger *ledger;
    size_t max_bytes;
    struct qsv_baseline_row *images; /* [qsv_ledger_image_count] */
    uint64_t *trials;                /* ids by row of /trials */
    size_t n_trials;
    struct qsv_index trial_rows; /* id -> row */
};

/* A table of exactly n rows. */
static enum qsv_status read_rows(const struct reading *in, const struct qsv_table *t, size_t n,
                                 void *rows, struct qsv_error *err)
{
    size_t found = 0;
    void *read = NULL;
    enum qsv_status st = qsv_table_read(in->file, t, in->max_bytes, &read, &found, err);
    if (st)
        return st;
    if (found != n) {
        qsv_table_free(t, read, found);
        return qsv_fail(err, QSV_EINPUT, "table '%s' has %zu rows, expected %zu", t->name, found,
                        n);
    }
    memcpy(rows, &read, sizeof read);
    return QSV_OK;
}

static enum qsv_status read_images(struct reading *in, struct qsv_error *err)
{
    const struct qsv_ledger *l = in->ledger;
    size_t n = (size_t)qsv_ledger_image_count(l);
    enum qsv_status st = read_rows(in, &qsv_baseline_table, n, &in->images, err);
    for (size_t i = 0; i < n && !st; i++)
        if (in->images[i].set != (i < l->partition.n_judge ? QSV_JUDGE : QSV_DECIDE))
            st = qsv_fail(err, QSV_EINPUT, "table 'baseline' has a row of another set at %zu", i);
    return st;
}

/* The images' order, for a ledger that is described by the file alone. */
static enum qsv_status take_order(const struct reading *in, struct qsv_error *err)
{
    struct qsv_partition *p = &in->ledger->partition;
    in->ledger->owns_order = true;
    p->order[QSV_JUDGE] = qsv_alloc(p->n_judge, sizeof *p->order[0]);
    p->order[QSV_DECIDE] = p->n_decide ? qsv_alloc(p->n_decide, sizeof *p->order[0]) : NULL;
    if (!p->order[QSV_JUDGE] || (p->n_decide && !p->order[QSV_DECIDE]))
        return qsv_fail_memory(err, "the images' order");
    for (uint64_t i = 0; i < p->n_judge; i++)
        p->order[QSV_JUDGE][i] = in->images[i].image;
    for (uint64_t i = 0; i < p->n_decide; i++)
        p->order[QSV_DECIDE][i] = in->images[p->n_judge + i].image;
    return QSV_OK;
}

static enum qsv_status read_model(const struct reading *in, struct qsv_error *err)
{
    struct qsv_ledger *l = in->ledger;
    enum qsv_status st = read_rows(in, &qsv_layer_table, l->shape.n_layers, &l->layers, err);
    if (!st)
        st = read_rows(in, &qsv_lif_table, l->shape.n_lifs, &l->lifs, err);
    if (!st)
        st = read_rows(in, &qsv_site_table, l->shape.n_sites, &l->sites, err);
    return st;
}

static enum qsv_status read_trials(struct reading *in, struct qsv_error *err)
{
    enum qsv_status st =
        qsv_trials_read(in->file, in->ledger, in->max_bytes, &in->trials, &in->n_trials, err);
    for (size_t i = 0; i < in->n_trials && !st; i++)
        if (qsv_index_find(&in->trial_rows, in->trials[i], 0) != QSV_INDEX_NONE)
            st = qsv_fail(err, QSV_EINPUT, "table 'trials' has a trial twice");
        else if (!qsv_index_add(&in->trial_rows, in->trials[i], 0, (uint32_t)i))
            st = qsv_fail_memory(err, "trials");
    return st;
}

static enum qsv_status take_answers(const struct reading *in, const uint8_t *bits, size_t width,
                                    struct qsv_record *r, struct qsv_error *err)
{
    uint32_t row = qsv_index_find(&in->trial_rows, r->trial_id, 0);
    uint64_t first = qsv_ledger_image(in->ledger, r->shard, 0);
    if (row == QSV_INDEX_NONE)
        return qsv_fail(err, QSV_EINPUT, "table 'evaluations' has a record of an unknown trial");
    qsv_bits_take(r->correct, bits + row * width, first, r->n_images);
    return r->loss ? qsv_answers_from_rows(r, in->images + first, err) : QSV_OK;
}

static enum qsv_status read_arrays(const struct reading *in, struct qsv_evaluation *rows, size_t n,
                                   struct qsv_error *err)
{
    const struct qsv_ledger *l = in->ledger;
    uint8_t *bits = NULL;
    size_t width = (size_t)(qsv_ledger_image_count(l) + 7) / 8;
    hid_t group =
        qsv_h5_exists(in->file, "records") ? H5Gopen2(in->file, "records", H5P_DEFAULT) : -1;
    enum qsv_status st = group < 0 ? qsv_fail(err, QSV_EINPUT, "no group 'records'") : QSV_OK;
    if (!st)
        st = qsv_records_read(group, l, rows, n, in->max_bytes, err);
    if (!st)
        st = qsv_matrix_read(in->file, "correct_bits", H5T_NATIVE_UINT8, in->n_trials, width,
                             in->max_bytes, &bits, err);
    for (size_t i = 0; i < n && !st; i++)
        st = take_answers(in, bits, width, &rows[i].record, err);
    free(bits);
    if (group >= 0)
        H5Gclose(group);
    return st;
}

static enum qsv_status read_evaluations(const struct reading *in, struct qsv_error *err)
{
    struct qsv_evaluation *rows = NULL;
    size_t n = 0;
    enum qsv_status st =
        qsv_table_read(in->file, &qsv_evaluation_table, in->max_bytes, &rows, &n, err);
    if (!st && in->ledger->with_arrays)
        st = read_arrays(in, rows, n, err);
    if (!st)
        st = qsv_ledger_take(in->ledger, rows, n, err);
    qsv_records_free(rows, n);
    return st;
}

static enum qsv_status check_search(const struct qsv_ledger *l, uint32_t number, const char *table,
                                    struct qsv_error *err)
{
    if (number && number <= l->n_searches)
        return QSV_OK;
    return qsv_fail(err, QSV_EINPUT, "table '%s' names search %u of %zu", table, number,
                    l->n_searches);
}

static enum qsv_status read_steps(const struct reading *in, struct qsv_error *err)
{
    struct qsv_ledger *l = in->ledger;
    struct qsv_step_row *rows = NULL;
    size_t n = 0;
    enum qsv_status st = qsv_table_read(in->file, &qsv_step_table, in->max_bytes, &rows, &n, err);
    for (size_t i = 0; i < n && !st; i++) {
        st = check_search(l, rows[i].search, "steps", err);
        if (st)
            break;
        struct qsv_recorded_search *s = &l->searches[rows[i].search - 1];
        if (!qsv_grow(&s->steps, &s->cap_steps, s->n_steps + 1, sizeof *s->steps)) {
            st = qsv_fail_memory(err, "steps");
            break;
        }
        s->steps[s->n_steps++] = rows[i];
        rows[i] = (struct qsv_step_row){0};
    }
    qsv_table_free(&qsv_step_table, rows, n);
    return st;
}

static enum qsv_status read_asked(const struct reading *in, struct qsv_error *err)
{
    struct qsv_ledger *l = in->ledger;
    struct qsv_asked_row *rows = NULL;
    uint32_t current = l->current_search;
    size_t n = 0;
    enum qsv_status st = qsv_table_read(in->file, &qsv_asked_table, in->max_bytes, &rows, &n, err);
    for (size_t i = 0; i < n && !st; i++) {
        st = check_search(l, rows[i].search, "asked", err);
        l->current_search = rows[i].search;
        if (!st)
            st = qsv_ledger_add_asked(l, rows[i].trial_id, rows[i].step, rows[i].description, err);
    }
    l->current_search = current;
    qsv_table_free(&qsv_asked_table, rows, n);
    return st;
}

static enum qsv_status read_search_rows(const struct reading *in, struct qsv_error *err)
{
    struct qsv_ledger *l = in->ledger;
    struct qsv_search_row *rows = NULL;
    size_t n = 0;
    enum qsv_status st = qsv_table_read(in->file, &qsv_search_table, in->max_bytes, &rows, &n, err);
    if (!st && !qsv_grow(&l->searches, &l->cap_searches, n, sizeof *l->searches))
        st = qsv_fail_memory(err, "searches");
    for (size_t i = 0; i < n && !st; i++) {
        if (rows[i].number != i + 1) {
            st = qsv_fail(err, QSV_EINPUT, "table 'searches' has search %u in row %zu",
                          rows[i].number, i);
            break;
        }
        l->searches[l->n_searches++] = (struct qsv_recorded_search){.row = rows[i]};
        rows[i] = (struct qsv_search_row){0};
    }
    qsv_table_free(&qsv_search_table, rows, n);
    return st;
}

static enum qsv_status read_searches(const struct reading *in, struct qsv_error *err)
{
    enum qsv_status st = read_search_rows(in, err);
    if (!st && in->ledger->current_search)
        st = check_search(in->ledger, in->ledger->current_search, "searches", err);
    if (!st)
        st = read_steps(in, err);
    if (!st)
        st = read_asked(in, err);
    return st;
}

static enum qsv_status read_attempts(const struct reading *in, struct qsv_error *err)
{
    struct qsv_ledger *l = in->ledger;
    enum qsv_status st = qsv_table_read(in->file, &qsv_attempt_table, in->max_bytes, &l->attempts,
                                        &l->n_attempts, err);
    if (!st)
        l->cap_attempts = l->n_attempts;
    return st;
}

/* Everything behind the head; `alone` where the ledger has no other description. */
static enum qsv_status read_tables(struct reading *in, bool alone, struct qsv_error *err)
{
    enum qsv_status st = read_images(in, err);
    if (!st && alone)
        st = take_order(in, err);
    if (!st && alone)
        st = read_model(in, err);
    if (!st)
        st = read_trials(in, err);
    if (!st)
        st = read_evaluations(in, err);
    if (!st)
        st = read_searches(in, err);
    if (!st)
        st = read_attempts(in, err);
    qsv_index_fini(&in->trial_rows);
    free(in->trials);
    free(in->images);
    return st;
}

enum qsv_status qsv_ledger_read(struct qsv_ledger *l, const char *path, bool with_arrays,
                                struct qsv_error *err)
{
    struct reading in = {.ledger = l};
    enum qsv_status st = qsv_seal_open(&in.file, path, err);
    if (st)
        return st;
    l->with_arrays = with_arrays;
    in.max_bytes = qsv_file_max_bytes(in.file);
    st = qsv_head_read(in.file, l, err);
    if (!st)
        st = read_tables(&in, true, err);
    H5Fclose(in.file);
    return st ? qsv_fail_in(err, st, "%s", path) : QSV_OK;
}

static enum qsv_status read_into(struct reading *in, struct qsv_error *err)
{
    struct qsv_ledger head = {0}, *l = in->ledger;
    enum qsv_status st = qsv_head_read(in->file, &head, err);
    if (!st)
        st = qsv_head_compare(l, &head, err);
    if (!st) {
        l->run_id = head.run_id;
        l->created_unix_s = head.created_unix_s;
        l->current_search = head.current_search;
    }
    qsv_ledger_fini(&head);
    return st ? st : read_tables(in, false, err);
}

enum qsv_status qsv_ledger_read_into(struct qsv_ledger *l, const char *path, struct qsv_error *err)
{
    struct reading in = {.ledger = l};
    enum qsv_status st = qsv_seal_open(&in.file, path, err);
    if (st)
        return st;
    in.max_bytes = qsv_file_max_bytes(in.file);
    st = read_into(&in, err);
    H5Fclose(in.file);
    return st ? qsv_fail_in(err, st, "%s", path) : QSV_OK;
}
