#include "results/matrix.h"

#include <stdlib.h>
#include <string.h>

enum { DEFLATE = 1 }; /* higher levels gain a few per cent for several times the time */

static enum qsv_status describe(hid_t loc, const struct qsv_matrix *m, struct qsv_error *err)
{
    hid_t d = H5Dopen2(loc, m->name, H5P_DEFAULT);
    enum qsv_status st = qsv_h5_set_string(d, "title", m->title, err);
    if (!st)
        st = qsv_h5_set_string(d, "units", m->units, err);
    if (d >= 0)
        H5Dclose(d);
    return st;
}

enum qsv_status qsv_matrix_write(hid_t loc, const struct qsv_matrix *m, size_t rows, size_t columns,
                                 const void *data, struct qsv_error *err)
{
    struct qsv_h5_layout layout = {.rank = 2, .dims = {rows, columns}, .deflate = DEFLATE};
    enum qsv_status st =
        qsv_h5_write(loc, m->name, m->file_type, m->memory_type, &layout, data, err);
    return st || !m->title ? st : describe(loc, m, err);
}

enum qsv_status qsv_matrix_read(hid_t loc, const char *name, hid_t memory_type, size_t rows,
                                size_t columns, size_t max_bytes, void *data, struct qsv_error *err)
{
    hsize_t dims[2];
    void *values;
    enum qsv_status st = qsv_h5_read(loc, name, memory_type, H5Tget_size(memory_type), 2, dims,
                                     max_bytes, &values, err);
    if (st)
        return st;
    if (dims[0] != rows || dims[1] != columns) {
        free(values);
        return qsv_fail(err, QSV_EINPUT, "dataset '%s' is %llu x %llu, expected %zu x %zu", name,
                        (unsigned long long)dims[0], (unsigned long long)dims[1], rows, columns);
    }
    memcpy(data, &values, sizeof values);
    return QSV_OK;
}
