#include "core/data/hdf5_file.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/data/reader.h"

enum {
    MAX_CHUNK = 1 << 26 /* elements */,
    LABEL_MAX = 65535,
    LABELS_AT_ONCE = 4096,
    MAX_TEXTS = 1 << 28, /* bytes */
};

static bool is_integer(hid_t dataset, size_t max_bytes, bool any_sign)
{
    hid_t type = H5Dget_type(dataset);
    bool ok = type >= 0 && H5Tget_class(type) == H5T_INTEGER && H5Tget_size(type) <= max_bytes &&
              (any_sign || H5Tget_sign(type) == H5T_SGN_NONE);
    if (type >= 0)
        H5Tclose(type);
    return ok;
}

static bool lies_inside(hid_t list)
{
    H5D_layout_t layout = H5Pget_layout(list);
    return layout == H5D_COMPACT || layout == H5D_CHUNKED ||
           (layout == H5D_CONTIGUOUS && H5Pget_external_count(list) == 0);
}

/* False where a chunk is too large. *rows of the first dimension a chunk; 1 where there are none.
 */
static bool count_chunk_rows(hsize_t *rows, hid_t list)
{
    hsize_t chunk[4] = {1, 1, 1, 1};
    size_t elements = 1;
    bool ok = H5Pget_layout(list) != H5D_CHUNKED || H5Pget_chunk(list, 4, chunk) > 0;
    for (int i = 0; i < 4; i++)
        ok = ok && qsv_mul_size(elements, chunk[i], &elements);
    *rows = chunk[0];
    return ok && elements <= MAX_CHUNK;
}

/* Of data that are not chunked libhdf5 does not check that there are enough. */
static bool is_complete(hid_t dataset, hid_t list)
{
    hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset);
    hssize_t n = space < 0 ? -1 : H5Sget_simple_extent_npoints(space);
    size_t size = type < 0 ? 0 : H5Tget_size(type), bytes = 0;
    bool ok = n >= 0 && qsv_mul_size((size_t)n, size, &bytes) &&
              (H5Pget_layout(list) == H5D_CHUNKED || H5Dget_storage_size(dataset) >= bytes);
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    return ok;
}

/* h5py writes lzf, which libhdf5 itself does not have. */
static enum qsv_status check_filters(hid_t list, const char *name, struct qsv_error *err)
{
    for (int i = 0, n = H5Pget_nfilters(list); i < n; i++) {
        char filter[64] = "";
        size_t n_values = 0;
        unsigned flags;
        H5Z_filter_t id =
            H5Pget_filter2(list, (unsigned)i, &flags, &n_values, NULL, sizeof filter, filter, NULL);
        if (id < 0 || H5Zfilter_avail(id) <= 0)
            return qsv_fail(err, QSV_EINPUT,
                            "dataset '%s' is compressed by filter %d '%.63s', which libhdf5 here "
                            "does not have; gzip and no compression can be read",
                            name, (int)id, filter);
    }
    return QSV_OK;
}

static enum qsv_status check_layout(hid_t dataset, const char *name, hsize_t *rows,
                                    struct qsv_error *err)
{
    hid_t list = H5Dget_create_plist(dataset);
    enum qsv_status st = QSV_OK;
    if (list < 0 || !lies_inside(list))
        st =
            qsv_fail(err, QSV_EINPUT,
                     "dataset '%s' keeps its data in other files, expected them in this one", name);
    else if (!count_chunk_rows(rows, list))
        st = qsv_fail(err, QSV_EINPUT, "dataset '%s' has chunks of more than %d elements", name,
                      MAX_CHUNK);
    else if (!is_complete(dataset, list))
        st = qsv_fail(err, QSV_EINPUT, "dataset '%s' holds fewer bytes than its dimensions say",
                      name);
    else
        st = check_filters(list, name, err);
    if (list >= 0)
        H5Pclose(list);
    return st;
}

static enum qsv_status open_dataset(hid_t *out, hid_t file, const char *name, unsigned rank,
                                    hsize_t *dims, hsize_t *rows, struct qsv_error *err)
{
    H5L_info_t link;
    if (H5Lget_info(file, name, &link, H5P_DEFAULT) >= 0 && link.type != H5L_TYPE_HARD)
        return qsv_fail(err, QSV_EINPUT, "'%s' is a link, expected a dataset", name);
    enum qsv_status st = qsv_h5_open_dataset(out, file, name, rank, dims, err);
    return st ? st : check_layout(*out, name, rows, err);
}

static enum qsv_status check_size(const struct qsv_hdf5_file *x, struct qsv_error *err)
{
    hsize_t file_bytes = 0;
    size_t bytes = 1, limit;
    bool fits = true;
    for (int i = 0; i < 4; i++) {
        if (!x->dims[i] || x->dims[i] > UINT32_MAX)
            return qsv_fail(err, QSV_EINPUT,
                            "dimension %d of dataset 'images' is %llu, expected 1 to %u", i,
                            (unsigned long long)x->dims[i], UINT32_MAX);
        fits = fits && qsv_mul_size(bytes, x->dims[i], &bytes);
    }
    if (H5Fget_filesize(x->file, &file_bytes) < 0 ||
        !qsv_mul_size(file_bytes, QSV_DEFLATE_RATIO, &limit))
        limit = SIZE_MAX;
    if (!fits || bytes > limit)
        return qsv_fail(err, QSV_EINPUT,
                        "dataset 'images' says more bytes than there can be in the file's %llu",
                        (unsigned long long)file_bytes);
    return QSV_OK;
}

static enum qsv_status open_both(struct qsv_hdf5_file *x, struct qsv_error *err)
{
    hsize_t n_labels = 0, rows;
    enum qsv_status st = open_dataset(&x->images, x->file, "images", 4, x->dims, &x->block, err);
    if (!st && !is_integer(x->images, 1, false))
        st = qsv_fail(err, QSV_EINPUT, "dataset 'images' is not of unsigned bytes");
    if (!st)
        st = check_size(x, err);
    if (!st)
        st = open_dataset(&x->labels, x->file, "labels", 1, &n_labels, &rows, err);
    if (!st && !is_integer(x->labels, 8, true))
        st = qsv_fail(err, QSV_EINPUT, "dataset 'labels' is not of integers");
    if (!st && n_labels != x->dims[0])
        st = qsv_fail(err, QSV_EINPUT, "dataset 'labels' holds %llu labels for %llu images",
                      (unsigned long long)n_labels, (unsigned long long)x->dims[0]);
    return st;
}

/* A type in memory for a dataset's texts, with room for a NUL byte; below 0: they are none of a
 * fixed length. */
static hid_t text_type(hid_t dataset, size_t *width)
{
    const hid_t type = H5Dget_type(dataset);
    hid_t memory = -1;
    if (type >= 0 && H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0) {
        memory = H5Tcopy(type);
        *width = H5Tget_size(type) + 1;
        H5Tset_size(memory, *width);
        H5Tset_strpad(memory, H5T_STR_NULLTERM);
    }
    if (type >= 0)
        H5Tclose(type);
    return memory;
}

/* Nothing where they are none of a fixed length, or more than names are worth. */
static enum qsv_status read_texts(struct qsv_hdf5_texts *out, hid_t dataset, const char *name,
                                  struct qsv_error *err)
{
    size_t bytes;
    const hid_t type = text_type(dataset, &out->width);
    enum qsv_status st = QSV_OK;
    if (type < 0)
        return QSV_OK;
    if (qsv_mul_size(out->width, out->n, &bytes) && bytes <= MAX_TEXTS) {
        out->all = qsv_alloc(bytes, 1);
        if (!out->all)
            st = qsv_fail_memory(err, name);
        else if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out->all) < 0)
            st = qsv_fail(err, QSV_EINPUT, "dataset '%s' cannot be read: damaged or cut off", name);
    }
    H5Tclose(type);
    return st;
}

/* Texts that not every data set has. What has their name and is something else is left alone. */
static enum qsv_status load_texts(struct qsv_hdf5_texts *out, hid_t file, const char *name,
                                  struct qsv_error *err)
{
    hid_t dataset;
    hsize_t rows;
    if (!qsv_h5_exists(file, name))
        return QSV_OK;
    enum qsv_status st = open_dataset(&dataset, file, name, 1, &out->n, &rows, NULL);
    if (!st && out->n)
        st = read_texts(out, dataset, name, err);
    else
        st = QSV_OK;
    if (dataset >= 0)
        H5Dclose(dataset);
    return st;
}

const char *qsv_hdf5_text(const struct qsv_hdf5_texts *t, uint64_t i)
{
    return t->all && i < t->n ? t->all + i * t->width : NULL;
}

void qsv_hdf5_file_close(struct qsv_hdf5_file *x)
{
    if (x->labels >= 0)
        H5Dclose(x->labels);
    if (x->images >= 0)
        H5Dclose(x->images);
    if (x->file >= 0)
        H5Fclose(x->file);
    free(x->paths.all);
    free(x->classes.all);
    free(x->path);
    *x = (struct qsv_hdf5_file){.file = -1, .images = -1, .labels = -1};
}

enum qsv_status qsv_hdf5_file_open(struct qsv_hdf5_file *x, const char *path, struct qsv_error *err)
{
    *x = (struct qsv_hdf5_file){.path = qsv_strdup(path), .file = -1, .images = -1, .labels = -1};
    enum qsv_status st = x->path ? qsv_h5_open(&x->file, path, err) : qsv_fail_memory(err, path);
    if (!st) {
        st = open_both(x, err);
        if (!st)
            st = load_texts(&x->paths, x->file, "paths", err);
        if (!st)
            st = load_texts(&x->classes, x->file, "classes", err);
        if (st)
            qsv_fail_in(err, st, "%s", path);
    }
    if (st)
        qsv_hdf5_file_close(x);
    return st;
}

/* Rows first .. first+n-1 of a dataset of this rank. */
static enum qsv_status read_rows(const struct qsv_hdf5_file *x, hid_t dataset, const char *name,
                                 hid_t memory_type, int rank, uint64_t first, size_t n, void *out,
                                 struct qsv_error *err)
{
    hsize_t start[4] = {first}, count[4] = {n, x->dims[1], x->dims[2], x->dims[3]};
    qsv_h5_begin(); /* it prints errors of threads that have not told it not to */
    hid_t file_space = H5Dget_space(dataset), memory_space = H5Screate_simple(rank, count, NULL);
    bool ok = file_space >= 0 && memory_space >= 0 &&
              H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
              H5Dread(dataset, memory_type, memory_space, file_space, H5P_DEFAULT, out) >= 0;
    if (memory_space >= 0)
        H5Sclose(memory_space);
    if (file_space >= 0)
        H5Sclose(file_space);
    if (ok)
        return QSV_OK;
    return qsv_fail(err, QSV_EINPUT,
                    "%s: rows %llu to %llu of dataset '%s' cannot be read: damaged or cut off",
                    x->path, (unsigned long long)first, (unsigned long long)(first + n - 1), name);
}

/* The image of first .. first+n-1 that can't be read, where each has a chunk of its own. */
static enum qsv_status fail_image(const struct qsv_hdf5_file *x, uint64_t first, size_t n,
                                  uint8_t *pixels, struct qsv_error *err)
{
    uint64_t i = first;
    while (i + 1 < first + n &&
           !read_rows(x, x->images, "images", H5T_NATIVE_UINT8, 4, i, 1, pixels, NULL))
        i++;
    const char *name = qsv_hdf5_text(&x->paths, i);
    return qsv_fail(err, QSV_EINPUT,
                    "%s: image %llu%s%s%s of dataset 'images' cannot be read: damaged or cut off",
                    x->path, (unsigned long long)i, name ? " '" : "", name ? name : "",
                    name ? "'" : "");
}

enum qsv_status qsv_hdf5_file_read_pixels(const struct qsv_hdf5_file *x, uint64_t first, size_t n,
                                          uint8_t *pixels, struct qsv_error *err)
{
    enum qsv_status st =
        read_rows(x, x->images, "images", H5T_NATIVE_UINT8, 4, first, n, pixels, err);
    return st && x->block == 1 ? fail_image(x, first, n, pixels, err) : st;
}

enum qsv_status qsv_hdf5_file_read_labels(const struct qsv_hdf5_file *x, uint64_t first, size_t n,
                                          uint16_t *labels, struct qsv_error *err)
{
    int64_t wide[LABELS_AT_ONCE];
    enum qsv_status st = QSV_OK;
    for (size_t at = 0; !st && at < n; at += LABELS_AT_ONCE) {
        size_t m = n - at < LABELS_AT_ONCE ? n - at : LABELS_AT_ONCE;
        st = read_rows(x, x->labels, "labels", H5T_NATIVE_INT64, 1, first + at, m, wide, err);
        for (size_t i = 0; !st && i < m; i++) {
            if (wide[i] < 0 || wide[i] > LABEL_MAX)
                st = qsv_fail(err, QSV_EINPUT, "%s: label %llu is %lld, expected 0 to %d", x->path,
                              (unsigned long long)(first + at + i), (long long)wide[i], LABEL_MAX);
            labels[at + i] = (uint16_t)wide[i];
        }
    }
    return st;
}
