/* Trials in files: /trials with one row each, and their formats in /settings, row by row. */
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/strbuf.h"
#include "results/ledger_file.h"
#include "results/matrix.h"

static enum qsv_status name_formats(hid_t file, struct qsv_error *err)
{
    struct qsv_strbuf names = {0};
    for (int i = 0; i < QSV_N_FORMATS; i++)
        qsv_strbuf_printf(&names, "%s%s", i ? "," : "", qsv_format_info((enum qsv_format)i)->name);
    hid_t d = H5Dopen2(file, "settings", H5P_DEFAULT);
    enum qsv_status st = names.failed ? qsv_fail_memory(err, "the formats' names")
                                      : qsv_h5_set_string(d, "formats", names.text, err);
    if (d >= 0)
        H5Dclose(d);
    qsv_strbuf_fini(&names);
    return st;
}

enum qsv_status qsv_settings_write(hid_t file, const struct qsv_ledger *l,
                                   const struct qsv_trial_file_row *rows, size_t n, bool described,
                                   struct qsv_error *err)
{
    struct qsv_matrix m = {"settings", NULL, NULL, H5T_STD_U8LE, H5T_NATIVE_UINT8};
    size_t width = l->shape.n_layers, total;
    uint8_t *formats = qsv_mul_size(n, width, &total) ? qsv_alloc(total, 1) : NULL;
    if (!formats)
        return qsv_fail_memory(err, "settings");
    for (size_t i = 0; i < n; i++)
        memcpy(formats + i * width, rows[i].trial.formats, width);
    if (described) {
        m.title = "[trial, layer] the layer's weight format";
        m.units = "position of its name in the attribute formats";
    }
    enum qsv_status st = qsv_matrix_write(file, &m, n, width, formats, err);
    free(formats);
    return st || !described ? st : name_formats(file, err);
}

/* Moves what a row knows into the ledger. */
static enum qsv_status take_trial(struct qsv_ledger *l, struct qsv_trial_row *row,
                                  const uint8_t *formats, struct qsv_error *err)
{
    struct qsv_trial_row *trial;
    enum qsv_status st = qsv_ledger_add_trial(l, row->id, formats, &trial, err);
    if (st || trial->number)
        return st;
    trial->bytes = row->bytes;
    if (!row->number)
        return QSV_OK;
    free(trial->step);
    free(trial->description);
    trial->parent = row->parent;
    trial->number = row->number;
    trial->step = row->step;
    trial->description = row->description;
    row->step = row->description = NULL;
    return QSV_OK;
}

static enum qsv_status list_ids(const struct qsv_trial_file_row *rows, size_t n, uint64_t **ids,
                                struct qsv_error *err)
{
    *ids = qsv_alloc(n, sizeof **ids);
    if (!*ids)
        return qsv_fail_memory(err, "trials");
    for (size_t i = 0; i < n; i++)
        (*ids)[i] = rows[i].trial.id;
    return QSV_OK;
}

enum qsv_status qsv_trials_read(hid_t file, struct qsv_ledger *l, size_t max_bytes, uint64_t **ids,
                                size_t *n, struct qsv_error *err)
{
    struct qsv_trial_file_row *rows = NULL;
    uint8_t *formats = NULL;
    size_t count = 0, width = l->shape.n_layers;
    enum qsv_status st = qsv_table_read(file, &qsv_trial_table, max_bytes, &rows, &count, err);
    if (!st)
        st = qsv_matrix_read(file, "settings", H5T_NATIVE_UINT8, count, width, max_bytes, &formats,
                             err);
    for (size_t i = 0; i < count && !st; i++)
        st = take_trial(l, &rows[i].trial, formats + i * width, err);
    if (!st && ids)
        st = list_ids(rows, count, ids, err);
    if (n)
        *n = count;
    free(formats);
    qsv_table_free(&qsv_trial_table, rows, count);
    return st;
}
