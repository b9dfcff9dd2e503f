/* HDF5 data sets: `images` u8 [N][h][w][c] and `labels`, any integers [N]. Only what is asked for
 * is read, so that a file may be larger than memory.
 *
 * libhdf5 follows a file to other files (external links, external storage, virtual datasets) and
 * allocates what a chunk's header says. Neither is for a stranger's file to decide: data must lie
 * in the file itself, in chunks of a bounded size.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/data/reader.h"
#include "core/h5.h"

enum { MAX_CHUNK = 1 << 26 /* elements */, LABEL_MAX = 65535, LABELS_AT_ONCE = 4096 };

struct hdf5 {
    char *path;
    hid_t file, images, labels;
    hsize_t dims[4];
};

static bool recognise(const uint8_t *head, size_t n)
{
    static const uint8_t signature[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    return n >= sizeof signature && !memcmp(head, signature, sizeof signature);
}

static void close_hdf5(void *state)
{
    struct hdf5 *x = state;
    if (x->labels >= 0)
        H5Dclose(x->labels);
    if (x->images >= 0)
        H5Dclose(x->images);
    if (x->file >= 0)
        H5Fclose(x->file);
    free(x->path);
    free(x);
}

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

static enum qsv_status check_size(const struct hdf5 *x, struct qsv_error *err)
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

static enum qsv_status open_both(struct hdf5 *x, struct qsv_data_info *info, struct qsv_error *err)
{
    hsize_t n_labels = 0, block, rows;
    enum qsv_status st = open_dataset(&x->images, x->file, "images", 4, x->dims, &block, err);
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
    if (st)
        return qsv_fail_in(err, st, "%s", x->path);
    struct qsv_shape shape = {(uint32_t)x->dims[3], (uint32_t)x->dims[1], (uint32_t)x->dims[2]};
    hbool_t locks = false; /* Debian's libhdf5 does: a call at a time */
    const bool concurrent = H5is_library_threadsafe(&locks) >= 0 && locks;
    *info = (struct qsv_data_info){x->dims[0], shape, block, concurrent};
    return QSV_OK;
}

static enum qsv_status open_hdf5(void **state, struct qsv_data_info *info,
                                 const struct qsv_dataset_source *source, struct qsv_error *err)
{
    const char *images = source->images, *labels = source->labels;
    *state = NULL;
    if (labels)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: labels must lie in the HDF5 file with the images, not in %s", images,
                        labels);
    struct hdf5 *x = qsv_alloc(1, sizeof *x);
    if (!x)
        return qsv_fail_memory(err, images);
    *x = (struct hdf5){qsv_strdup(images), -1, -1, -1, {0}};
    enum qsv_status st =
        x->path ? qsv_h5_open(&x->file, images, err) : qsv_fail_memory(err, images);
    if (!st)
        st = open_both(x, info, err);
    if (st)
        close_hdf5(x);
    else
        *state = x;
    return st;
}

/* Rows first .. first+n-1 of a dataset of this rank. */
static enum qsv_status read_rows(const struct hdf5 *x, hid_t dataset, const char *name,
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

static enum qsv_status read_pixels(void *state, uint64_t first, size_t n, uint8_t *pixels,
                                   struct qsv_error *err)
{
    const struct hdf5 *x = state;
    return read_rows(x, x->images, "images", H5T_NATIVE_UINT8, 4, first, n, pixels, err);
}

static enum qsv_status read_labels(void *state, uint64_t first, size_t n, uint16_t *labels,
                                   struct qsv_error *err)
{
    const struct hdf5 *x = state;
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

const struct qsv_data_reader qsv_hdf5_reader = {.name = "hdf5",
                                                .fragile = true,
                                                .recognise = recognise,
                                                .open = open_hdf5,
                                                .read_pixels = read_pixels,
                                                .read_labels = read_labels,
                                                .close = close_hdf5};
