/* Square grey images one below the other in a binary PGM file ("P5 WIDTH HEIGHT 255", then a byte a
 * pixel), plain or .gz, and their classes in a file of a byte each.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/data/reader.h"
#include "core/data/stream.h"

enum { MAX_BYTES = 1 << 30, MAX_SIDE = 8192 };

struct pgm {
    uint8_t *pixels, *labels;
    size_t image_bytes;
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\n';
}

static bool recognise(const uint8_t *head, size_t n)
{
    return n > 2 && head[0] == 'P' && head[1] == '5' && is_blank(head[2]);
}

/* The header's next number, and the blank behind it. */
static enum qsv_status read_number(struct qsv_stream *s, const char *path, uint32_t *out,
                                   struct qsv_error *err)
{
    uint8_t c = '0';
    enum qsv_status st = QSV_OK;
    for (*out = 0; !st && c >= '0' && c <= '9' && *out < MAX_BYTES / 10;) {
        *out = 10 * *out + (c - '0');
        st = qsv_stream_read(s, &c, 1, err);
    }
    if (!st && (!is_blank(c) || !*out))
        st = qsv_fail(err, QSV_EINPUT,
                      "%s: byte %02x in its header, expected P5, width, height and 255, a blank "
                      "behind each",
                      path, c);
    return st;
}

static enum qsv_status read_header(struct qsv_stream *s, const char *path, uint32_t *width,
                                   uint32_t *height, struct qsv_error *err)
{
    uint8_t magic[3];
    uint32_t most = 0;
    enum qsv_status st = qsv_stream_read(s, magic, sizeof magic, err);
    if (!st && !recognise(magic, sizeof magic))
        st = qsv_fail(err, QSV_EINPUT, "%s: begins with %02x %02x %02x, expected P5 and a blank",
                      path, magic[0], magic[1], magic[2]);
    if (!st)
        st = read_number(s, path, width, err);
    if (!st)
        st = read_number(s, path, height, err);
    if (!st)
        st = read_number(s, path, &most, err);
    if (!st && (most != 255 || *width > MAX_SIDE || *height % *width))
        st = qsv_fail(err, QSV_EINPUT,
                      "%s: %ux%u pixels up to %u, expected at most %d wide, a multiple of that "
                      "high, and up to 255",
                      path, *width, *height, most, MAX_SIDE);
    return st;
}

/* All that is left of a file, which must be n bytes. */
static enum qsv_status read_rest(uint8_t **out, struct qsv_stream *s, const char *path, uint64_t n,
                                 struct qsv_error *err)
{
    if (n > MAX_BYTES || n > qsv_stream_limit(s))
        return qsv_fail(err, QSV_EINPUT,
                        "%s: should hold %llu bytes more, it has at most %llu and %d are allowed",
                        path, (unsigned long long)n, (unsigned long long)qsv_stream_limit(s),
                        MAX_BYTES);
    *out = qsv_alloc((size_t)n, 1);
    enum qsv_status st =
        *out ? qsv_stream_read(s, *out, (size_t)n, err) : qsv_fail_memory(err, path);
    return st ? st : qsv_stream_end(s, err);
}

static enum qsv_status read_images(struct pgm *p, struct qsv_data_info *info, const char *path,
                                   struct qsv_error *err)
{
    struct qsv_stream *s;
    uint32_t width = 0, height = 0;
    enum qsv_status st = qsv_stream_open(&s, path, err);
    if (st)
        return st;
    st = read_header(s, path, &width, &height, err);
    if (!st)
        st = read_rest(&p->pixels, s, path, (uint64_t)width * height, err);
    qsv_stream_close(s);
    if (!st) {
        p->image_bytes = (size_t)width * width;
        *info = (struct qsv_data_info){height / width, {1, width, width}, 1, true};
    }
    return st;
}

static enum qsv_status read_classes(struct pgm *p, uint64_t n, const char *path,
                                    struct qsv_error *err)
{
    struct qsv_stream *s;
    enum qsv_status st = qsv_stream_open(&s, path, err);
    if (st)
        return st;
    st = read_rest(&p->labels, s, path, n, err);
    qsv_stream_close(s);
    return st;
}

static void close_pgm(void *state)
{
    struct pgm *p = state;
    free(p->pixels);
    free(p->labels);
    free(p);
}

static enum qsv_status open_pgm(void **state, struct qsv_data_info *info,
                                const struct qsv_dataset_source *source, struct qsv_error *err)
{
    *state = NULL;
    if (!source->labels)
        return qsv_fail(err, QSV_EINPUT, "%s: PGM images need a file of labels too",
                        source->images);
    struct pgm *p = qsv_alloc(1, sizeof *p);
    if (!p)
        return qsv_fail_memory(err, source->images);
    enum qsv_status st = read_images(p, info, source->images, err);
    if (!st)
        st = read_classes(p, info->count, source->labels, err);
    if (st)
        close_pgm(p);
    else
        *state = p;
    return st;
}

static enum qsv_status read_pixels(void *state, uint64_t first, size_t n, uint8_t *pixels,
                                   struct qsv_error *err)
{
    (void)err;
    const struct pgm *p = state;
    memcpy(pixels, p->pixels + first * p->image_bytes, n * p->image_bytes);
    return QSV_OK;
}

static enum qsv_status read_labels(void *state, uint64_t first, size_t n, uint16_t *labels,
                                   struct qsv_error *err)
{
    (void)err;
    const struct pgm *p = state;
    for (size_t i = 0; i < n; i++)
        labels[i] = p->labels[first + i];
    return QSV_OK;
}

const struct qsv_data_reader qsv_pgm_reader = {.name = "pgm",
                                               .recognise = recognise,
                                               .open = open_pgm,
                                               .read_pixels = read_pixels,
                                               .read_labels = read_labels,
                                               .close = close_pgm};
