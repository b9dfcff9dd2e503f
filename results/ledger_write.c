/* Writing results.h5. */
#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/seal.h"
#include "results/answers.h"
#include "results/ledger_file.h"
#include "results/matrix.h"

static enum qsv_status write_shards(hid_t file, const struct qsv_ledger *l, struct qsv_error *err)
{
    uint32_t n = l->partition.n_shards;
    struct qsv_shard_row *rows = qsv_alloc(n, sizeof *rows);
    if (!rows)
        return qsv_fail_memory(err, "shards");
    for (uint32_t i = 0; i < n; i++) {
        struct qsv_shard s = qsv_partition_shard(&l->partition, i);
        rows[i] = (struct qsv_shard_row){i, (uint8_t)s.set, s.first, s.n_images};
    }
    enum qsv_status st = qsv_table_write(file, &qsv_shard_table, rows, n, true, err);
    free(rows);
    return st;
}

static void list_images(const struct qsv_partition *p, struct qsv_baseline_row *rows)
{
    for (uint64_t i = 0; i < p->n_judge + p->n_decide; i++) {
        enum qsv_image_set set = i < p->n_judge ? QSV_JUDGE : QSV_DECIDE;
        rows[i] = (struct qsv_baseline_row){
            .set = (uint8_t)set,
            .image = p->order[set][set == QSV_JUDGE ? i : i - p->n_judge],
            .label = UINT32_MAX,
            .answer = UINT32_MAX,
            .loss = NAN,
        };
    }
}

static enum qsv_status write_baseline(hid_t file, const struct qsv_ledger *l, struct qsv_error *err)
{
    size_t n = (size_t)qsv_ledger_image_count(l);
    struct qsv_baseline_row *rows = qsv_alloc(n, sizeof *rows);
    if (!rows)
        return qsv_fail_memory(err, "the baseline's answers");
    list_images(&l->partition, rows);
    for (uint32_t s = 0; s < l->partition.n_shards; s++) {
        const struct qsv_evaluation *e = qsv_ledger_evaluation(l, l->baseline, s);
        if (e)
            qsv_answers_to_rows(rows + qsv_ledger_image(l, s, 0), &e->record);
    }
    enum qsv_status st = qsv_table_write(file, &qsv_baseline_table, rows, n, true, err);
    free(rows);
    return st;
}

static enum qsv_status write_correct_bits(hid_t file, const struct qsv_view *v,
                                          struct qsv_error *err)
{
    const struct qsv_ledger *l = v->ledger;
    const struct qsv_matrix m = {
        "correct_bits", "[trial, image / 8] images in the order of /baseline",
        "bit image % 8 (lowest first) is 1 where the top-1 answer is right", H5T_STD_U8LE,
        H5T_NATIVE_UINT8};
    size_t width = (size_t)(qsv_ledger_image_count(l) + 7) / 8, total;
    uint8_t *bits = qsv_mul_size(l->n_trials, width, &total) ? qsv_alloc(total, 1) : NULL;
    if (!bits)
        return qsv_fail_memory(err, "answers");
    for (size_t t = 0; t < l->n_trials; t++)
        for (size_t i = 0; i < v->trials[t].n; i++) {
            const struct qsv_record *r = &v->trials[t].evaluations[i]->record;
            uint64_t first = qsv_ledger_image(l, r->shard, 0);
            qsv_bits_place(bits + t * width, first, r->correct, r->n_images);
        }
    enum qsv_status st = qsv_matrix_write(file, &m, l->n_trials, width, bits, err);
    free(bits);
    return st;
}

static enum qsv_status write_evaluations(hid_t file, const struct qsv_view *v,
                                         struct qsv_error *err)
{
    size_t n = v->ledger->n_evaluations;
    struct qsv_evaluation *rows = qsv_alloc(n, sizeof *rows);
    if (!rows)
        return qsv_fail_memory(err, "records");
    for (size_t i = 0; i < n; i++)
        rows[i] = *v->evaluations[i];
    hid_t group = qsv_h5_create_group(file, "records");
    enum qsv_status st = qsv_table_write(file, &qsv_evaluation_table, rows, n, true, err);
    if (!st)
        st = qsv_h5_set_string(group, "title",
                               "arrays of records: row i belongs to row i of /evaluations", err);
    if (!st)
        st = qsv_records_write(group, &v->ledger->shape, rows, n, err);
    if (group >= 0)
        H5Gclose(group);
    free(rows);
    return st;
}

/* Steps of all searches, or what they asked, as one table. */
static enum qsv_status write_steps(hid_t file, const struct qsv_ledger *l, struct qsv_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n_searches; i++)
        n += l->searches[i].n_steps;
    struct qsv_step_row *rows = qsv_alloc(n, sizeof *rows), *to = rows;
    for (size_t i = 0; rows && i < l->n_searches; i++)
        for (size_t k = 0; k < l->searches[i].n_steps; k++)
            *to++ = l->searches[i].steps[k];
    enum qsv_status st = rows ? qsv_table_write(file, &qsv_step_table, rows, n, true, err)
                              : qsv_fail_memory(err, "steps");
    free(rows);
    return st;
}

static enum qsv_status write_asked(hid_t file, const struct qsv_ledger *l, struct qsv_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n_searches; i++)
        n += l->searches[i].n_asked;
    struct qsv_asked_row *rows = qsv_alloc(n, sizeof *rows), *to = rows;
    for (size_t i = 0; rows && i < l->n_searches; i++)
        for (size_t k = 0; k < l->searches[i].n_asked; k++)
            *to++ = l->searches[i].asked[k];
    enum qsv_status st = rows ? qsv_table_write(file, &qsv_asked_table, rows, n, true, err)
                              : qsv_fail_memory(err, "the trials of searches");
    free(rows);
    return st;
}

static enum qsv_status write_searches(hid_t file, const struct qsv_ledger *l, struct qsv_error *err)
{
    struct qsv_search_row *rows = qsv_alloc(l->n_searches, sizeof *rows);
    for (size_t i = 0; rows && i < l->n_searches; i++)
        rows[i] = l->searches[i].row;
    enum qsv_status st =
        rows ? qsv_table_write(file, &qsv_search_table, rows, l->n_searches, true, err)
             : qsv_fail_memory(err, "searches");
    free(rows);
    if (!st)
        st = write_steps(file, l, err);
    if (!st)
        st = write_asked(file, l, err);
    return st;
}

static enum qsv_status write_model(hid_t file, const struct qsv_ledger *l, struct qsv_error *err)
{
    enum qsv_status st =
        qsv_table_write(file, &qsv_layer_table, l->layers, l->shape.n_layers, true, err);
    if (!st)
        st = qsv_table_write(file, &qsv_lif_table, l->lifs, l->shape.n_lifs, true, err);
    if (!st)
        st = qsv_table_write(file, &qsv_site_table, l->sites, l->shape.n_sites, true, err);
    return st;
}

static enum qsv_status write_all(hid_t file, const struct qsv_view *v, struct qsv_error *err)
{
    const struct qsv_ledger *l = v->ledger;
    enum qsv_status st = qsv_head_write(file, l, err);
    if (!st)
        st = write_model(file, l, err);
    if (!st)
        st = write_shards(file, l, err);
    if (!st)
        st = write_baseline(file, l, err);
    if (!st)
        st = qsv_derived_write(file, v, err);
    if (!st)
        st = write_evaluations(file, v, err);
    if (!st)
        st = write_correct_bits(file, v, err);
    if (!st)
        st = write_searches(file, l, err);
    if (!st)
        st = qsv_table_write(file, &qsv_attempt_table, l->attempts, l->n_attempts, true, err);
    return st;
}

enum qsv_status qsv_ledger_write(const struct qsv_ledger *l, const char *path,
                                 struct qsv_error *err)
{
    struct qsv_view view;
    struct qsv_h5_image *image;
    enum qsv_status st = qsv_view_init(&view, l, err);
    if (st)
        return st;
    st = qsv_seal_create(&image, err);
    if (!st)
        st = qsv_ledger_finish(image, path, write_all(qsv_h5_image_file(image), &view, err), err);
    qsv_view_fini(&view);
    return st;
}
