/* A segment's file: records and the settings of their trials. */
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/seal.h"
#include "results/answers.h"
#include "results/ledger_file.h"
#include "results/matrix.h"

/* Right answers by record, padded to the longest shard. */
static enum qsv_status write_correct(hid_t group, const struct qsv_evaluation *rows, size_t n,
                                     uint32_t shard_images, struct qsv_error *err)
{
    struct qsv_matrix m = {"correct", NULL, NULL, H5T_STD_U8LE, H5T_NATIVE_UINT8};
    size_t width = ((size_t)shard_images + 7) / 8, total;
    uint8_t *bits = qsv_mul_size(n, width, &total) ? qsv_alloc(total, 1) : NULL;
    if (!bits)
        return qsv_fail_memory(err, "answers");
    for (size_t i = 0; i < n; i++)
        memcpy(bits + i * width, rows[i].record.correct, ((size_t)rows[i].record.n_images + 7) / 8);
    enum qsv_status st = qsv_matrix_write(group, &m, n, width, bits, err);
    free(bits);
    return st;
}

static size_t count_answers(const struct qsv_evaluation *rows, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += rows[i].record.loss ? rows[i].record.n_images : 0;
    return count;
}

/* The baseline's answers, its records one behind the other. */
static enum qsv_status write_answers(hid_t file, const struct qsv_evaluation *rows, size_t n,
                                     struct qsv_error *err)
{
    size_t count = count_answers(rows, n), at = 0;
    struct qsv_baseline_row *answers = qsv_alloc(count, sizeof *answers);
    if (!answers)
        return qsv_fail_memory(err, "the baseline's answers");
    for (size_t i = 0; i < n; i++) {
        if (!rows[i].record.loss)
            continue;
        qsv_answers_to_rows(answers + at, &rows[i].record);
        at += rows[i].record.n_images;
    }
    enum qsv_status st = qsv_table_write(file, &qsv_baseline_table, answers, count, false, err);
    free(answers);
    return st;
}

static enum qsv_status write_records(hid_t file, const struct qsv_ledger *l,
                                     const struct qsv_evaluation *rows, size_t n,
                                     struct qsv_error *err)
{
    enum qsv_status st = qsv_table_write(file, &qsv_evaluation_table, rows, n, false, err);
    hid_t group = qsv_h5_create_group(file, "records");
    if (!st)
        st = write_answers(file, rows, n, err);
    if (!st)
        st = qsv_records_write(group, &l->shape, rows, n, err);
    if (!st)
        st = write_correct(group, rows, n, l->partition.shard_images, err);
    if (group >= 0)
        H5Gclose(group);
    return st;
}

static enum qsv_status write_all(hid_t file, const struct qsv_ledger *l,
                                 const struct qsv_evaluation *rows, size_t n,
                                 const struct qsv_trial_file_row *trials, size_t n_trials,
                                 struct qsv_error *err)
{
    enum qsv_status st = qsv_head_write(file, l, err);
    if (!st)
        st = qsv_table_write(file, &qsv_trial_table, trials, n_trials, false, err);
    if (!st)
        st = qsv_settings_write(file, l, trials, n_trials, false, err);
    if (!st)
        st = write_records(file, l, rows, n, err);
    return st;
}

enum qsv_status qsv_ledger_write_segment(const struct qsv_ledger *l, const char *path,
                                         const struct qsv_evaluation *evaluations, size_t n,
                                         const struct qsv_trial_row *trials, size_t n_trials,
                                         struct qsv_error *err)
{
    struct qsv_trial_file_row *rows = qsv_alloc(n_trials, sizeof *rows);
    if (!rows)
        return qsv_fail_memory(err, "a segment");
    for (size_t i = 0; i < n_trials; i++)
        rows[i].trial = trials[i];
    struct qsv_h5_image *image;
    enum qsv_status st = qsv_seal_create(&image, err);
    if (!st) {
        st = write_all(qsv_h5_image_file(image), l, evaluations, n, rows, n_trials, err);
        st = qsv_ledger_finish(image, path, st, err);
    }
    free(rows);
    return st;
}

static enum qsv_status read_correct(hid_t group, const struct qsv_ledger *l,
                                    struct qsv_evaluation *rows, size_t n, size_t max_bytes,
                                    struct qsv_error *err)
{
    uint8_t *bits = NULL;
    size_t width = ((size_t)l->partition.shard_images + 7) / 8;
    enum qsv_status st =
        qsv_matrix_read(group, "correct", H5T_NATIVE_UINT8, n, width, max_bytes, &bits, err);
    for (size_t i = 0; i < n && !st; i++)
        memcpy(rows[i].record.correct, bits + i * width, ((size_t)rows[i].record.n_images + 7) / 8);
    free(bits);
    return st;
}

static enum qsv_status read_answers(hid_t file, struct qsv_evaluation *rows, size_t n,
                                    size_t max_bytes, struct qsv_error *err)
{
    struct qsv_baseline_row *answers = NULL;
    size_t count = 0, at = 0;
    enum qsv_status st =
        qsv_table_read(file, &qsv_baseline_table, max_bytes, &answers, &count, err);
    if (!st && count != count_answers(rows, n))
        st = qsv_fail(err, QSV_EINPUT, "table 'baseline' has %zu rows, expected %zu", count,
                      count_answers(rows, n));
    for (size_t i = 0; i < n && !st; i++) {
        if (!rows[i].record.loss)
            continue;
        st = qsv_answers_from_rows(&rows[i].record, answers + at, err);
        at += rows[i].record.n_images;
    }
    free(answers);
    return st;
}

static enum qsv_status read_arrays(hid_t file, const struct qsv_ledger *l,
                                   struct qsv_evaluation *rows, size_t n, size_t max_bytes,
                                   struct qsv_error *err)
{
    hid_t group = qsv_h5_exists(file, "records") ? H5Gopen2(file, "records", H5P_DEFAULT) : -1;
    enum qsv_status st = group < 0 ? qsv_fail(err, QSV_EINPUT, "no group 'records'") : QSV_OK;
    if (!st)
        st = qsv_records_read(group, l, rows, n, max_bytes, err);
    if (!st)
        st = read_correct(group, l, rows, n, max_bytes, err);
    if (!st)
        st = read_answers(file, rows, n, max_bytes, err);
    if (group >= 0)
        H5Gclose(group);
    return st;
}

static enum qsv_status read_records(hid_t file, struct qsv_ledger *l, size_t max_bytes,
                                    struct qsv_error *err)
{
    struct qsv_evaluation *rows = NULL;
    size_t n = 0;
    enum qsv_status st = qsv_table_read(file, &qsv_evaluation_table, max_bytes, &rows, &n, err);
    if (!st && l->with_arrays)
        st = read_arrays(file, l, rows, n, max_bytes, err);
    if (!st)
        st = qsv_ledger_take(l, rows, n, err);
    qsv_records_free(rows, n);
    return st;
}

static enum qsv_status read_all(hid_t file, struct qsv_ledger *l, const char *path,
                                struct qsv_error *err)
{
    struct qsv_ledger head = {0};
    size_t max_bytes = qsv_file_max_bytes(file);
    enum qsv_status st = qsv_head_read(file, &head, err);
    if (!st)
        st = qsv_head_compare(l, &head, err);
    if (!st)
        st = qsv_trials_read(file, l, max_bytes, NULL, NULL, err);
    if (!st)
        st = read_records(file, l, max_bytes, err);
    qsv_ledger_fini(&head);
    return st ? qsv_fail_in(err, st, "%s", path) : QSV_OK;
}

enum qsv_status qsv_ledger_read_segment(struct qsv_ledger *l, const char *path,
                                        struct qsv_error *err)
{
    hid_t file;
    enum qsv_status st = qsv_seal_open(&file, path, err);
    if (st)
        return st;
    st = read_all(file, l, path, err);
    H5Fclose(file);
    return st;
}
