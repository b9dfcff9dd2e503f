/* HDF5 data sets: one file (core/data/hdf5_file.h), or the several that a data set was packed into
 * (core/pack.h), of which any is named. Those must all be there and belong together.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/data/hdf5_file.h"
#include "core/data/reader.h"
#include "core/data/shards.h"

struct hdf5 {
    struct qsv_hdf5_file *files; /* [n] */
    uint64_t *first;             /* [n + 1]: number of each one's first image; of all */
    uint32_t n;
};

static bool recognise(const uint8_t *head, size_t n)
{
    static const uint8_t signature[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    return n >= sizeof signature && !memcmp(head, signature, sizeof signature);
}

static void close_hdf5(void *state)
{
    struct hdf5 *x = state;
    for (uint32_t k = 0; k < x->n; k++)
        qsv_hdf5_file_close(&x->files[k]);
    free(x->files);
    free(x->first);
    free(x);
}

/* What a file says of itself: one of several that belong together. */
struct membership {
    uint64_t shard, shards;
    char *source; /* its source's fingerprint; NULL: not said */
};

static void read_membership(struct membership *m, const struct qsv_hdf5_file *file)
{
    *m = (struct membership){0, 1, NULL};
    if (qsv_h5_get_u64(file->file, "shards", &m->shards, NULL) ||
        qsv_h5_get_u64(file->file, "shard", &m->shard, NULL))
        *m = (struct membership){0, 1, NULL};
    if (qsv_h5_get_string(file->file, "source_fingerprint", &m->source, NULL))
        m->source = NULL;
}

static enum qsv_status check_name(const char *path, const struct membership *m,
                                  struct qsv_error *err)
{
    uint32_t k, n;
    if (qsv_shard_parse(path, &k, &n) && k == m->shard && n == m->shards)
        return QSV_OK;
    return qsv_fail(err, QSV_EINPUT,
                    "%s: is file %" PRIu64 " of %" PRIu64 " of a data set by what it says, but not "
                    "by its name, by which the others are found",
                    path, m->shard, m->shards);
}

static enum qsv_status check_member(const struct qsv_hdf5_file *file, const struct membership *m,
                                    const struct qsv_hdf5_file *one, const struct membership *first,
                                    struct qsv_error *err)
{
    enum qsv_status st = check_name(file->path, m, err);
    if (!st && (!m->source || !first->source || strcmp(m->source, first->source)))
        st = qsv_fail(err, QSV_EINPUT, "%s: holds images of data set %s, but %s of %s", file->path,
                      m->source ? m->source : "(not said)", one->path,
                      first->source ? first->source : "(not said)");
    if (!st && memcmp(file->dims + 1, one->dims + 1, 3 * sizeof *one->dims))
        st = qsv_fail(err, QSV_EINPUT, "%s: has images of another size than %s", file->path,
                      one->path);
    return st;
}

static enum qsv_status open_member(struct qsv_hdf5_file *out, const char *path,
                                   struct qsv_error *err)
{
    struct stat s;
    if (stat(path, &s) && errno == ENOENT)
        return qsv_fail(err, QSV_EINPUT, "%s: is missing, one of the files of a data set", path);
    return qsv_hdf5_file_open(out, path, err);
}

/* All files of the data set that `named` is one of; takes its place. */
static enum qsv_status open_members(struct hdf5 *x, const char *named, const struct membership *m,
                                    struct qsv_error *err)
{
    enum qsv_status st = check_name(named, m, err);
    struct membership first = {0}, other = {0};
    for (uint32_t k = 0; !st && k < m->shards; k++) {
        char *path = qsv_shard_sibling(named, k);
        st = path ? open_member(&x->files[k], path, err) : qsv_fail_memory(err, named);
        free(path);
        if (st)
            break;
        x->n++;
        read_membership(k ? &other : &first, &x->files[k]);
        st = check_member(&x->files[k], k ? &other : &first, &x->files[0], &first, err);
        free(other.source);
        other.source = NULL;
    }
    free(first.source);
    return st;
}

static enum qsv_status open_files(struct hdf5 *x, const char *path, struct qsv_error *err)
{
    struct qsv_hdf5_file file;
    struct membership m;
    enum qsv_status st = qsv_hdf5_file_open(&file, path, err);
    if (st)
        return st;
    read_membership(&m, &file);
    if (m.shards < 1 || m.shards > QSV_MAX_SHARDS || m.shard >= m.shards)
        st = qsv_fail(err, QSV_EINPUT,
                      "%s: attributes say file %" PRIu64 " of %" PRIu64 ", expected at most %d",
                      path, m.shard, m.shards, QSV_MAX_SHARDS);
    else if (!(x->files = qsv_alloc(m.shards, sizeof *x->files)) ||
             !(x->first = qsv_alloc(m.shards + 1, sizeof *x->first)))
        st = qsv_fail_memory(err, path);
    if (!st && m.shards == 1) {
        x->files[x->n++] = file;
    } else {
        qsv_hdf5_file_close(&file);
        st = st ? st : open_members(x, path, &m, err);
    }
    free(m.source);
    return st;
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
    enum qsv_status st = open_files(x, images, err);
    if (st) {
        close_hdf5(x);
        return st;
    }
    for (uint32_t k = 0; k < x->n; k++)
        x->first[k + 1] = x->first[k] + x->files[k].dims[0];
    const hsize_t *dims = x->files[0].dims;
    const struct qsv_shape shape = {(uint32_t)dims[3], (uint32_t)dims[1], (uint32_t)dims[2]};
    hbool_t locks = false; /* Debian's libhdf5 does: a call at a time */
    const bool concurrent = H5is_library_threadsafe(&locks) >= 0 && locks;
    *info = (struct qsv_data_info){x->first[x->n], shape, x->files[0].block, concurrent};
    *state = x;
    return QSV_OK;
}

/* The file that holds image i; *i becomes its number there. */
static const struct qsv_hdf5_file *find_file(const struct hdf5 *x, uint64_t *i)
{
    uint32_t k = 0;
    while (*i >= x->first[k + 1])
        k++;
    *i -= x->first[k];
    return &x->files[k];
}

static enum qsv_status read_pixels(void *state, uint64_t first, size_t n, uint8_t *pixels,
                                   struct qsv_error *err)
{
    const struct hdf5 *x = state;
    enum qsv_status st = QSV_OK;
    for (size_t at = 0, m; !st && at < n; at += m) {
        uint64_t i = first + at;
        const struct qsv_hdf5_file *file = find_file(x, &i);
        const hsize_t *dims = file->dims;
        m = n - at < dims[0] - i ? n - at : dims[0] - i;
        st = qsv_hdf5_file_read_pixels(file, i, m, pixels + at * dims[1] * dims[2] * dims[3], err);
    }
    return st;
}

static enum qsv_status read_labels(void *state, uint64_t first, size_t n, uint16_t *labels,
                                   struct qsv_error *err)
{
    const struct hdf5 *x = state;
    enum qsv_status st = QSV_OK;
    for (size_t at = 0, m; !st && at < n; at += m) {
        uint64_t i = first + at;
        const struct qsv_hdf5_file *file = find_file(x, &i);
        m = n - at < file->dims[0] - i ? n - at : file->dims[0] - i;
        st = qsv_hdf5_file_read_labels(file, i, m, labels + at, err);
    }
    return st;
}

static const char *class_name(void *state, uint32_t label)
{
    const struct hdf5 *x = state;
    return qsv_hdf5_text(&x->files[0].classes, label);
}

static const char *image_name(void *state, uint64_t i)
{
    const struct qsv_hdf5_file *file = find_file(state, &i);
    return qsv_hdf5_text(&file->paths, i);
}

const struct qsv_data_reader qsv_hdf5_reader = {.name = "hdf5",
                                                .fragile = true,
                                                .recognise = recognise,
                                                .open = open_hdf5,
                                                .read_pixels = read_pixels,
                                                .read_labels = read_labels,
                                                .class_name = class_name,
                                                .image_name = image_name,
                                                .close = close_hdf5};
