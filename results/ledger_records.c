/* Records in files: /evaluations with one row each, and their arrays in /records, row by row. */
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "results/layout.h"
#include "results/ledger_file.h"
#include "results/matrix.h"

/* An array of a record, one row of a dataset. */
struct array {
    const char *name;
    size_t offset;       /* of the pointer in struct qsv_record */
    size_t shape_offset; /* of the row's length in struct qsv_record_shape */
};

enum { N_ARRAYS = 3 };

static const struct array arrays[N_ARRAYS] = {
    {"lif_spikes", offsetof(struct qsv_record, lif_spikes),
     offsetof(struct qsv_record_shape, n_lifs)},
    {"lif_drift", offsetof(struct qsv_record, lif_drift),
     offsetof(struct qsv_record_shape, n_lifs)},
    {"site_ac", offsetof(struct qsv_record, site_ac), offsetof(struct qsv_record_shape, n_sites)},
};

static uint64_t *array_of(const struct array *a, const struct qsv_record *r)
{
    uint64_t *p;
    memcpy(&p, (const char *)r + a->offset, sizeof p);
    return p;
}

static uint32_t width_of(const struct array *a, const struct qsv_record_shape *shape)
{
    uint32_t width;
    memcpy(&width, (const char *)shape + a->shape_offset, sizeof width);
    return width;
}

static enum qsv_status write_array(hid_t group, const struct array *a,
                                   const struct qsv_record_shape *shape,
                                   const struct qsv_evaluation *rows, size_t n,
                                   struct qsv_error *err)
{
    struct qsv_matrix m = {a->name, NULL, NULL, H5T_STD_U64LE, H5T_NATIVE_UINT64};
    size_t width = width_of(a, shape), total;
    uint64_t *buffer = qsv_mul_size(n, width, &total) ? qsv_alloc(total, sizeof *buffer) : NULL;
    if (!buffer)
        return qsv_fail_memory(err, a->name);
    for (size_t i = 0; i < n && width; i++)
        memcpy(buffer + i * width, array_of(a, &rows[i].record), width * sizeof *buffer);
    enum qsv_status st = qsv_matrix_write(group, &m, n, width, buffer, err);
    free(buffer);
    return st;
}

enum qsv_status qsv_records_write(hid_t group, const struct qsv_record_shape *shape,
                                  const struct qsv_evaluation *rows, size_t n,
                                  struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (int i = 0; i < N_ARRAYS && !st; i++)
        st = write_array(group, &arrays[i], shape, rows, n, err);
    return st;
}

static enum qsv_status read_array(hid_t group, const struct array *a,
                                  const struct qsv_record_shape *shape, struct qsv_evaluation *rows,
                                  size_t n, size_t max_bytes, struct qsv_error *err)
{
    uint64_t *values = NULL;
    size_t width = width_of(a, shape);
    enum qsv_status st =
        qsv_matrix_read(group, a->name, H5T_NATIVE_UINT64, n, width, max_bytes, &values, err);
    for (size_t i = 0; i < n && width && !st; i++)
        memcpy(array_of(a, &rows[i].record), values + i * width, width * sizeof *values);
    free(values);
    return st;
}

/* Gives a row of /evaluations, which has scalars only, its arrays. */
static enum qsv_status allocate(const struct qsv_ledger *l, struct qsv_record *r,
                                struct qsv_error *err)
{
    const struct qsv_partition *p = &l->partition;
    if (r->shard >= p->n_shards || r->n_images != qsv_partition_shard(p, r->shard).n_images)
        return qsv_fail(err, QSV_EINPUT,
                        "table 'evaluations' has a record of %u images on shard %u, which is not "
                        "so",
                        r->n_images, r->shard);
    struct qsv_record scalars = *r;
    enum qsv_status st =
        qsv_record_init(r, &l->shape, r->n_images, r->trial_id == l->baseline, err);
    if (st)
        return st;
    scalars.lif_spikes = r->lif_spikes;
    scalars.lif_drift = r->lif_drift;
    scalars.site_ac = r->site_ac;
    scalars.correct = r->correct;
    scalars.label = r->label;
    scalars.answer = r->answer;
    scalars.loss = r->loss;
    *r = scalars;
    return QSV_OK;
}

enum qsv_status qsv_records_read(hid_t group, const struct qsv_ledger *l,
                                 struct qsv_evaluation *rows, size_t n, size_t max_bytes,
                                 struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (size_t i = 0; i < n && !st; i++)
        st = allocate(l, &rows[i].record, err);
    for (int i = 0; i < N_ARRAYS && !st; i++)
        st = read_array(group, &arrays[i], &l->shape, rows, n, max_bytes, err);
    return st;
}

void qsv_records_free(struct qsv_evaluation *rows, size_t n)
{
    for (size_t i = 0; rows && i < n; i++)
        qsv_record_fini(&rows[i].record);
    free(rows);
}
