/* IDX, MNIST's format: a magic number, big-endian dimensions, unsigned bytes; plain or .gz. Images
 * are [N][h][w] or [N][h][w][c], labels [N]. Both files are kept in memory: gzip can't be read at
 * random.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/cursor.h"
#include "core/base/share.h"
#include "core/data/reader.h"
#include "core/data/stream.h"

enum { MAX_DIMS = 4, MAX_BYTES = 1 << 30 };

struct idx {
    uint8_t *pixels, *labels; /* pixels: not ours where they are shared */
    size_t image_bytes, pixels_bytes;
    struct qsv_share *share;
};

static bool recognise(const uint8_t *head, size_t n)
{
    return (n >= 2 && head[0] == 0x1f && head[1] == 0x8b) ||
           (n >= 4 && head[0] == 0 && head[1] == 0 && head[2] == 8);
}

/* The header of a file of unsigned bytes with min_dims to max_dims dimensions: dims [*n_dims]. */
static enum qsv_status read_header(struct qsv_stream *s, const char *path, uint32_t min_dims,
                                   uint32_t max_dims, uint32_t *n_dims, uint32_t *dims,
                                   struct qsv_error *err)
{
    uint8_t head[4 + 4 * MAX_DIMS];
    enum qsv_status st = qsv_stream_read(s, head, 4, err);
    if (st)
        return st;
    *n_dims = head[3];
    if (head[0] || head[1] || head[2] != 8 || *n_dims < min_dims || *n_dims > max_dims)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: begins with %02x %02x %02x %02x, expected 00 00 08 %02x%s: IDX %s",
                        path, head[0], head[1], head[2], head[3], min_dims,
                        min_dims < max_dims ? " or 04" : "",
                        min_dims < max_dims ? "images" : "labels");
    st = qsv_stream_read(s, head + 4, 4 * *n_dims, err);
    struct qsv_cursor c = qsv_cursor_over(head + 4, 4 * *n_dims);
    for (uint32_t i = 0; !st && i < *n_dims; i++)
        dims[i] = qsv_cursor_u32_be(&c);
    return st;
}

/* The rest of the file, which must be dims [n] long. */
static enum qsv_status read_body(uint8_t **out, struct qsv_stream *s, const char *path,
                                 const uint32_t *dims, uint32_t n, struct qsv_error *err)
{
    size_t bytes = 1;
    bool fits = true;
    for (uint32_t i = 0; i < n; i++) {
        if (!dims[i])
            return qsv_fail(err, QSV_EINPUT, "%s: dimension %u is 0", path, i);
        fits = fits && qsv_mul_size(bytes, dims[i], &bytes);
    }
    if (!fits || bytes > qsv_stream_limit(s))
        return qsv_fail(err, QSV_EINPUT,
                        "%s: its header says %s%zu bytes more, the file holds at most %llu", path,
                        fits ? "" : "more than ", fits ? bytes : SIZE_MAX,
                        (unsigned long long)qsv_stream_limit(s));
    if (bytes > MAX_BYTES)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: holds %zu bytes, at most %d are allowed; HDF5 may be larger", path,
                        bytes, MAX_BYTES);
    *out = qsv_alloc(bytes, 1);
    if (!*out)
        return qsv_fail_memory(err, path);
    enum qsv_status st = qsv_stream_read(s, *out, bytes, err);
    return st ? st : qsv_stream_end(s, err);
}

static enum qsv_status read_file(uint8_t **out, const char *path, uint32_t min_dims,
                                 uint32_t max_dims, uint32_t *n_dims, uint32_t *dims,
                                 struct qsv_error *err)
{
    struct qsv_stream *s;
    enum qsv_status st = qsv_stream_open(&s, path, err);
    if (st)
        return st;
    st = read_header(s, path, min_dims, max_dims, n_dims, dims, err);
    if (!st)
        st = read_body(out, s, path, dims, *n_dims, err);
    qsv_stream_close(s);
    return st;
}

static void close_idx(void *state)
{
    struct idx *x = state;
    if (!x->share)
        free(x->pixels);
    qsv_share_destroy(x->share);
    free(x->labels);
    free(x);
}

static enum qsv_status read_both(struct idx *x, struct qsv_data_info *info, const char *images,
                                 const char *labels, struct qsv_error *err)
{
    uint32_t dims[MAX_DIMS] = {0}, n_dims, n_labels = 0;
    enum qsv_status st = read_file(&x->pixels, images, 3, 4, &n_dims, dims, err);
    if (!st)
        st = read_file(&x->labels, labels, 1, 1, &(uint32_t){0}, &n_labels, err);
    if (st)
        return st;
    if (n_labels != dims[0])
        return qsv_fail(err, QSV_EINPUT, "%s: holds %u labels for the %u images of %s", labels,
                        n_labels, dims[0], images);
    struct qsv_shape shape = {n_dims == 4 ? dims[3] : 1, dims[1], dims[2]};
    x->image_bytes = (size_t)shape.c * shape.h * shape.w;
    x->pixels_bytes = dims[0] * x->image_bytes;
    *info = (struct qsv_data_info){dims[0], shape, 1, true};
    return QSV_OK;
}

static enum qsv_status open_idx(void **state, struct qsv_data_info *info,
                                const struct qsv_dataset_source *source, struct qsv_error *err)
{
    const char *images = source->images, *labels = source->labels;
    *state = NULL;
    if (!labels)
        return qsv_fail(
            err, QSV_EINPUT,
            "%s: IDX images need a file of labels too: labels: in a spec, --labels elsewhere",
            images);
    struct idx *x = qsv_alloc(1, sizeof *x);
    if (!x)
        return qsv_fail_memory(err, images);
    enum qsv_status st = read_both(x, info, images, labels, err);
    if (st)
        close_idx(x);
    else
        *state = x;
    return st;
}

static enum qsv_status read_pixels(void *state, uint64_t first, size_t n, uint8_t *pixels,
                                   struct qsv_error *err)
{
    (void)err;
    const struct idx *x = state;
    memcpy(pixels, x->pixels + first * x->image_bytes, n * x->image_bytes);
    return QSV_OK;
}

static enum qsv_status read_labels(void *state, uint64_t first, size_t n, uint16_t *labels,
                                   struct qsv_error *err)
{
    (void)err;
    const struct idx *x = state;
    for (size_t i = 0; i < n; i++)
        labels[i] = x->labels[first + i];
    return QSV_OK;
}

static enum qsv_status share(void *state, uint64_t key, struct qsv_error *err)
{
    struct idx *x = state;
    const struct qsv_share_piece piece = {x->pixels, x->pixels_bytes};
    const void *shared;
    enum qsv_status st = qsv_share_create(&x->share, key, &piece, 1, &shared, err);
    if (st)
        return st;
    free(x->pixels);
    x->pixels = (uint8_t *)(uintptr_t)shared;
    return QSV_OK;
}

const struct qsv_data_reader qsv_idx_reader = {.name = "idx",
                                               .recognise = recognise,
                                               .open = open_idx,
                                               .read_pixels = read_pixels,
                                               .read_labels = read_labels,
                                               .close = close_idx,
                                               .share = share};
