#include "core/h5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

enum { MAX_RANK = 6, MAX_STRING = 1 << 20, CHUNK_BYTES = 1 << 18, REASON_BYTES = 500 };

/* The innermost line of HDF5's error stack, which says the most. */
static herr_t keep_first(unsigned n, const H5E_error2_t *e, void *text)
{
    if (n == 0 && e->desc)
        snprintf(text, REASON_BYTES, "%s", e->desc);
    return 0;
}

static const char *reason(char text[REASON_BYTES])
{
    snprintf(text, REASON_BYTES, "unknown reason");
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, text);
    /* "file write failed: time = ..., errno = 28, error message = 'No space left on device', ..."
     */
    static const char mark[] = "error message = '";
    char *words = strstr(text, mark), *end = words ? strchr(words + sizeof mark - 1, '\'') : NULL;
    if (!end)
        return text;
    *end = '\0';
    return words + sizeof mark - 1;
}

enum qsv_status qsv_h5_fail(struct qsv_error *err, enum qsv_status code, const char *path,
                            const char *doing)
{
    char text[REASON_BYTES];
    return qsv_fail(err, code, "%s: %s: %s", path, doing, reason(text));
}

static enum qsv_status fail(struct qsv_error *err, enum qsv_status code, const char *what,
                            const char *name)
{
    char text[REASON_BYTES];
    return qsv_fail(err, code, "%s '%s': HDF5: %s", what, name, reason(text));
}

void qsv_h5_begin(void)
{
    H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static hid_t access_list(void)
{
    qsv_h5_begin();
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    if (fapl >= 0) {
        H5Pset_file_locking(fapl, 0, 1);
        H5Pset_metadata_read_attempts(fapl, 1);
    }
    return fapl;
}

enum qsv_status qsv_h5_open(hid_t *file, const char *path, struct qsv_error *err)
{
    hid_t fapl = access_list();
    *file = fapl < 0 ? fapl : H5Fopen(path, H5F_ACC_RDONLY, fapl);
    char text[REASON_BYTES];
    if (*file < 0)
        qsv_fail(err, QSV_EINPUT, "%s: cannot be read as an HDF5 file: %s", path, reason(text));
    if (fapl >= 0)
        H5Pclose(fapl);
    return *file < 0 ? QSV_EINPUT : QSV_OK;
}

enum qsv_status qsv_h5_create(hid_t *file, const char *path, struct qsv_error *err)
{
    hid_t fapl = access_list();
    *file = fapl < 0 ? fapl : H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
    char text[REASON_BYTES];
    if (*file < 0)
        qsv_fail(err, QSV_EIO, "%s: cannot create: %s", path, reason(text));
    if (fapl >= 0)
        H5Pclose(fapl);
    return *file < 0 ? QSV_EIO : QSV_OK;
}

enum qsv_status qsv_h5_close(hid_t file, const char *path, struct qsv_error *err)
{
    char text[REASON_BYTES];
    herr_t flushed = H5Fflush(file, H5F_SCOPE_LOCAL);
    if (flushed < 0)
        qsv_fail(err, QSV_EIO, "%s: cannot write: %s", path, reason(text));
    herr_t closed = H5Fclose(file);
    if (flushed >= 0 && closed < 0)
        qsv_fail(err, QSV_EIO, "%s: cannot write: %s", path, reason(text));
    return flushed < 0 || closed < 0 ? QSV_EIO : QSV_OK;
}

bool qsv_h5_exists(hid_t loc, const char *name)
{
    char part[256];
    size_t n = strlen(name);
    if (n >= sizeof part)
        return false;
    for (size_t i = 1; i <= n; i++) {
        if (name[i] && name[i] != '/')
            continue;
        memcpy(part, name, i);
        part[i] = '\0';
        if (H5Lexists(loc, part, H5P_DEFAULT) <= 0)
            return false;
    }
    return H5Oexists_by_name(loc, name, H5P_DEFAULT) > 0;
}

static enum qsv_status set_attribute(hid_t loc, const char *name, hid_t file_type,
                                     hid_t memory_type, hid_t space, const void *value,
                                     struct qsv_error *err)
{
    if (H5Aexists(loc, name) > 0)
        H5Adelete(loc, name);
    hid_t a = H5Acreate2(loc, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool ok = a >= 0 && H5Awrite(a, memory_type, value) >= 0;
    if (!ok)
        fail(err, QSV_EIO, "cannot write attribute", name);
    if (a >= 0)
        H5Aclose(a);
    return ok ? QSV_OK : QSV_EIO;
}

enum qsv_status qsv_h5_set_string(hid_t loc, const char *name, const char *value,
                                  struct qsv_error *err)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, strlen(value) + 1);
    H5Tset_cset(type, H5T_CSET_UTF8);
    enum qsv_status st = set_attribute(loc, name, type, type, space, value, err);
    H5Sclose(space);
    H5Tclose(type);
    return st;
}

static enum qsv_status set_number(hid_t loc, const char *name, hid_t file_type, hid_t memory_type,
                                  const void *value, struct qsv_error *err)
{
    hid_t space = H5Screate(H5S_SCALAR);
    enum qsv_status st = set_attribute(loc, name, file_type, memory_type, space, value, err);
    H5Sclose(space);
    return st;
}

enum qsv_status qsv_h5_set_u64(hid_t loc, const char *name, uint64_t value, struct qsv_error *err)
{
    return set_number(loc, name, H5T_STD_U64LE, H5T_NATIVE_UINT64, &value, err);
}

enum qsv_status qsv_h5_set_f64(hid_t loc, const char *name, double value, struct qsv_error *err)
{
    return set_number(loc, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value, err);
}

enum qsv_status qsv_h5_set_f64s(hid_t loc, const char *name, const double *values, size_t n,
                                struct qsv_error *err)
{
    hsize_t dim = n;
    hid_t space = H5Screate_simple(1, &dim, NULL);
    enum qsv_status st =
        set_attribute(loc, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, space, values, err);
    H5Sclose(space);
    return st;
}

static enum qsv_status read_fixed_string(hid_t a, hid_t type, size_t bytes, char **value)
{
    if (bytes > MAX_STRING)
        return QSV_EINPUT;
    *value = qsv_alloc(bytes + 1, 1);
    if (!*value)
        return QSV_ENOMEM;
    return H5Aread(a, type, *value) < 0 ? QSV_EINPUT : QSV_OK;
}

static enum qsv_status read_variable_string(hid_t a, hid_t type, char **value)
{
    char *s = NULL;
    if (H5Aread(a, type, &s) < 0 || !s)
        return QSV_EINPUT;
    bool fits = strlen(s) <= MAX_STRING;
    *value = fits ? qsv_strdup(s) : NULL;
    H5free_memory(s);
    return *value ? QSV_OK : fits ? QSV_ENOMEM : QSV_EINPUT;
}

enum qsv_status qsv_h5_get_string(hid_t loc, const char *name, char **value, struct qsv_error *err)
{
    enum qsv_status st = QSV_EINPUT;
    *value = NULL;
    hid_t a = H5Aexists(loc, name) > 0 ? H5Aopen(loc, name, H5P_DEFAULT) : -1;
    hid_t type = a < 0 ? -1 : H5Aget_type(a);
    hid_t space = a < 0 ? -1 : H5Aget_space(a);
    if (type >= 0 && H5Tget_class(type) == H5T_STRING && H5Sget_simple_extent_npoints(space) == 1)
        st = H5Tis_variable_str(type) > 0 ? read_variable_string(a, type, value)
                                          : read_fixed_string(a, type, H5Tget_size(type), value);
    if (st) {
        free(*value);
        *value = NULL;
        if (st == QSV_ENOMEM)
            qsv_fail_memory(err, name);
        else
            qsv_fail(err, st, "attribute '%s' is missing or not a string", name);
    }
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    if (a >= 0)
        H5Aclose(a);
    return st;
}

static enum qsv_status get_numbers(hid_t loc, const char *name, hid_t memory_type,
                                   H5T_class_t class_wanted, size_t n, void *values,
                                   struct qsv_error *err)
{
    hid_t a = H5Aexists(loc, name) > 0 ? H5Aopen(loc, name, H5P_DEFAULT) : -1;
    hid_t type = a < 0 ? -1 : H5Aget_type(a);
    hid_t space = a < 0 ? -1 : H5Aget_space(a);
    bool ok = type >= 0 && H5Tget_class(type) == class_wanted &&
              H5Sget_simple_extent_npoints(space) == (hssize_t)n &&
              H5Aread(a, memory_type, values) >= 0;
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    if (a >= 0)
        H5Aclose(a);
    if (ok)
        return QSV_OK;
    return qsv_fail(err, QSV_EINPUT, "attribute '%s' is missing or not %zu %s", name, n,
                    class_wanted == H5T_INTEGER ? "integer(s)" : "real number(s)");
}

enum qsv_status qsv_h5_get_u64(hid_t loc, const char *name, uint64_t *value, struct qsv_error *err)
{
    return get_numbers(loc, name, H5T_NATIVE_UINT64, H5T_INTEGER, 1, value, err);
}

enum qsv_status qsv_h5_get_f64(hid_t loc, const char *name, double *value, struct qsv_error *err)
{
    return get_numbers(loc, name, H5T_NATIVE_DOUBLE, H5T_FLOAT, 1, value, err);
}

enum qsv_status qsv_h5_get_f64s(hid_t loc, const char *name, double *values, size_t n,
                                struct qsv_error *err)
{
    return get_numbers(loc, name, H5T_NATIVE_DOUBLE, H5T_FLOAT, n, values, err);
}

static hid_t creation_list(const struct qsv_h5_layout *l, size_t element_size)
{
    hsize_t chunk[MAX_RANK], row = element_size;
    for (unsigned i = 1; i < l->rank; i++) {
        chunk[i] = l->dims[i] ? l->dims[i] : 1;
        row *= chunk[i];
    }
    hsize_t rows = l->chunk_rows ? l->chunk_rows : (CHUNK_BYTES + row - 1) / row;
    chunk[0] = l->dims[0] && rows > l->dims[0] ? l->dims[0] : rows;
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(list, (int)l->rank, chunk);
    if (l->deflate) {
        H5Pset_shuffle(list);
        H5Pset_deflate(list, l->deflate);
    }
    H5Pset_fletcher32(list);
    H5Pset_obj_track_times(list, false); /* the same contents, the same bytes */
    return list;
}

enum qsv_status qsv_h5_write(hid_t loc, const char *name, hid_t file_type, hid_t memory_type,
                             const struct qsv_h5_layout *layout, const void *data,
                             struct qsv_error *err)
{
    hid_t space = H5Screate_simple((int)layout->rank, layout->dims, NULL);
    hid_t list = creation_list(layout, H5Tget_size(file_type));
    hid_t d = H5Dcreate2(loc, name, file_type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    bool ok = d >= 0;
    if (ok && H5Sget_simple_extent_npoints(space) > 0)
        ok = H5Dwrite(d, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
    if (!ok)
        fail(err, QSV_EIO, "cannot write dataset", name);
    if (d >= 0 && H5Dclose(d) < 0 && ok) {
        fail(err, QSV_EIO, "cannot write dataset", name);
        ok = false;
    }
    H5Pclose(list);
    H5Sclose(space);
    return ok ? QSV_OK : QSV_EIO;
}

hid_t qsv_h5_create_group(hid_t loc, const char *name)
{
    hid_t list = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(list, false);
    hid_t group = H5Gcreate2(loc, name, H5P_DEFAULT, list, H5P_DEFAULT);
    H5Pclose(list);
    return group;
}

enum qsv_status qsv_h5_open_dataset(hid_t *dataset, hid_t loc, const char *name, unsigned rank,
                                    hsize_t *dims, struct qsv_error *err)
{
    *dataset = qsv_h5_exists(loc, name) ? H5Dopen2(loc, name, H5P_DEFAULT) : -1;
    if (*dataset < 0)
        return qsv_fail(err, QSV_EINPUT, "no dataset '%s'", name);
    hid_t space = H5Dget_space(*dataset);
    int found = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    bool ok = found == (int)rank && rank <= MAX_RANK;
    if (ok)
        H5Sget_simple_extent_dims(space, dims, NULL);
    if (space >= 0)
        H5Sclose(space);
    if (ok)
        return QSV_OK;
    H5Dclose(*dataset);
    *dataset = -1;
    return qsv_fail(err, QSV_EINPUT, "dataset '%s' has %d dimensions, expected %u", name, found,
                    rank);
}

static bool byte_count(size_t element_size, unsigned rank, const hsize_t *dims, size_t max_bytes,
                       size_t *bytes)
{
    size_t n = element_size;
    for (unsigned i = 0; i < rank; i++)
        if (!qsv_mul_size(n, dims[i], &n))
            return false;
    *bytes = n;
    return n <= max_bytes;
}

enum qsv_status qsv_h5_read(hid_t loc, const char *name, hid_t memory_type, size_t element_size,
                            unsigned rank, hsize_t *dims, size_t max_bytes, void **data,
                            struct qsv_error *err)
{
    hid_t d;
    size_t bytes;
    *data = NULL;
    enum qsv_status st = qsv_h5_open_dataset(&d, loc, name, rank, dims, err);
    if (st)
        return st;
    if (!byte_count(element_size, rank, dims, max_bytes, &bytes))
        st = qsv_fail(err, QSV_EINPUT, "dataset '%s' is larger than the %zu bytes allowed", name,
                      max_bytes);
    else if (!(*data = qsv_alloc(bytes, 1)))
        st = qsv_fail_memory(err, name);
    else if (bytes && H5Dread(d, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *data) < 0)
        st = fail(err, QSV_EINPUT, "cannot read dataset", name);
    H5Dclose(d);
    if (st) {
        free(*data);
        *data = NULL;
    }
    return st;
}
