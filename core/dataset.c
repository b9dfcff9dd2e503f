#include "core/dataset.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/base/hash.h"
#include "core/base/sandbox.h"
#include "core/base/strbuf.h"
#include "core/data/reader.h"
#include "core/data/shards.h"
#include "core/data/stream.h"

/* A block of pixels read at once is BLOCK_BYTES, or a chunk of the file's if that is larger. */
enum { MAX_IMAGE_BYTES = 1 << 26, BLOCK_BYTES = 1 << 20, MAX_BLOCK_BYTES = 1 << 26 };

/* A child that tries a file may take this much more memory, and this many seconds and bytes of the
 * file in each second more. */
enum { TRY_MEMORY_BYTES = 1 << 30, TRY_S = 5, TRY_BYTES_PER_S = 4000000 };

#define READER(name) &qsv_##name##_reader,
static const struct qsv_data_reader *const readers[] = {
#include "core/data/readers.inc"
};
#undef READER

#define READER(name) #name,
const char *const qsv_dataset_formats[] = {
#include "core/data/readers.inc"
    NULL,
};
#undef READER

#define READER(name) ", " #name
static const char names[] =
#include "core/data/readers.inc"
    ;
#undef READER

enum { N_READERS = sizeof readers / sizeof *readers, SHOWN = 8, SKETCHED = 16 };

/* How much of its images is read when a data set is opened. */
enum extent { NOTHING, SKETCH, ALL };

/* What they give. */
struct marks {
    bool has_fingerprint, has_sketch;
    uint64_t fingerprint, sketch;
};

struct qsv_dataset {
    const struct qsv_data_reader *reader;
    void *state; /* the reader's */
    char *path;
    struct qsv_data_info info; /* of the whole file */
    uint64_t first, count;     /* the slice; count without what is left out of it */
    struct qsv_damage left_out;
    struct qsv_transform transform;
    size_t image_bytes;
    uint16_t *labels; /* [count] */
    uint32_t max_label;
    struct marks marks;
};

static enum qsv_status find_by_name(const struct qsv_data_reader **out, const char *path,
                                    const char *name, struct qsv_error *err)
{
    for (size_t i = 0; i < N_READERS; i++)
        if (!strcmp(readers[i]->name, name)) {
            *out = readers[i];
            return QSV_OK;
        }
    return qsv_fail(err, QSV_EINPUT, "%s: unknown data set format '%s', expected one of %s", path,
                    name, names + 2);
}

static enum qsv_status recognise(const struct qsv_data_reader **out, const char *path,
                                 const uint8_t *head, size_t n, struct qsv_error *err)
{
    struct qsv_strbuf found = {0};
    for (size_t i = 0; i < N_READERS; i++)
        if (readers[i]->recognise(head, n)) {
            *out = readers[i];
            return QSV_OK;
        }
    for (size_t i = 0; i < n && i < SHOWN; i++)
        qsv_strbuf_printf(&found, " %02x", head[i]);
    enum qsv_status st =
        qsv_fail(err, QSV_EINPUT,
                 "%s: of no known format: its first bytes are%s; expected one of %s (which of them "
                 "has to be said where bytes do not tell)",
                 path, found.text ? found.text : " missing", names + 2);
    qsv_strbuf_fini(&found);
    return st;
}

static enum qsv_status find_reader(const struct qsv_data_reader **out,
                                   const struct qsv_dataset_source *source, struct qsv_error *err)
{
    uint8_t head[QSV_HEAD_BYTES];
    struct stat s;
    size_t n, ignored = 0;
    const bool folder = !stat(source->images, &s) && S_ISDIR(s.st_mode);
    enum qsv_status st = QSV_OK;
    if (!folder)
        st = qsv_stream_peek(source->images, head, sizeof head, &n, err);
    if (!st && source->labels)
        st = qsv_stream_peek(source->labels, &(uint8_t){0}, 1, &ignored, err);
    if (!st && source->format)
        st = find_by_name(out, source->images, source->format, err);
    else if (!st && !folder)
        st = recognise(out, source->images, head, n, err);
    else if (!st)
        *out = &qsv_folder_reader;
    if (!st && (*out)->is_folder != folder)
        st = qsv_fail(err, QSV_EINPUT, "%s: is a %s, expected a %s: its format is '%s'",
                      source->images, folder ? "folder" : "file", folder ? "file" : "folder",
                      (*out)->name);
    return st;
}

static enum qsv_status check_info(struct qsv_dataset *d, struct qsv_error *err)
{
    struct qsv_shape s = d->info.shape;
    size_t bytes;
    if (!s.c || !s.h || !s.w || !d->info.count || d->info.count > UINT32_MAX)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: holds %llu images of %ux%ux%u, expected 1 to %u of at "
                        "least 1x1x1",
                        d->path, (unsigned long long)d->info.count, s.h, s.w, s.c, UINT32_MAX);
    if (!qsv_mul_size((size_t)s.h * s.w, s.c, &bytes) || bytes > MAX_IMAGE_BYTES)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: images of %ux%ux%u are larger than the %d bytes allowed", d->path, s.h,
                        s.w, s.c, MAX_IMAGE_BYTES);
    d->image_bytes = bytes;
    return QSV_OK;
}

static enum qsv_status cut_slice(struct qsv_dataset *d, uint64_t first, uint64_t count,
                                 struct qsv_error *err)
{
    uint64_t all = d->info.count;
    if (first >= all || count > all - first)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: a slice of %llu images from image %llu on (0: all that follow) does "
                        "not fit in its %llu images",
                        d->path, (unsigned long long)count, (unsigned long long)first,
                        (unsigned long long)all);
    d->first = first;
    d->count = count ? count : all - first;
    return QSV_OK;
}

static enum qsv_status load_labels(struct qsv_dataset *d, struct qsv_error *err)
{
    d->labels = qsv_alloc(d->count, sizeof *d->labels);
    if (!d->labels)
        return qsv_fail_memory(err, d->path);
    enum qsv_status st = d->reader->read_labels(d->state, d->first, d->count, d->labels, err);
    for (uint64_t i = 0; !st && i < d->count; i++)
        if (d->labels[i] > d->max_label)
            d->max_label = d->labels[i];
    return st;
}

/* Images to read at once: whole chunks of the file, so that none is decompressed twice. */
static uint64_t block_images(const struct qsv_dataset *d)
{
    uint64_t n = BLOCK_BYTES / d->image_bytes, chunk = d->info.block;
    if (chunk > 1 && chunk <= MAX_BLOCK_BYTES / d->image_bytes)
        n = n > chunk ? n / chunk * chunk : chunk;
    return n ? n : 1;
}

static enum qsv_status hash_pixels(struct qsv_dataset *d, uint64_t first, uint64_t count,
                                   struct qsv_hash *h, struct qsv_error *err)
{
    uint64_t block = block_images(d), end = first + count;
    uint8_t *pixels = qsv_alloc(block, d->image_bytes);
    enum qsv_status st = pixels ? QSV_OK : qsv_fail_memory(err, d->path);
    for (uint64_t at = first, n; !st && at < end; at += n) {
        n = block - at % block;
        n = n < end - at ? n : end - at;
        st = d->reader->read_pixels(d->state, at, n, pixels, err);
        if (!st)
            qsv_hash_add(h, pixels, n * d->image_bytes);
    }
    free(pixels);
    return st;
}

static enum qsv_status hash_images(struct qsv_dataset *d, uint64_t first, uint64_t n,
                                   struct qsv_hash *h, struct qsv_error *err)
{
    return d->reader->hash ? d->reader->hash(d->state, first, n, h, err)
                           : hash_pixels(d, first, n, h, err);
}

static struct qsv_hash *begin_hash(const struct qsv_dataset *d, struct qsv_error *err)
{
    struct qsv_hash *h = qsv_hash_begin();
    if (!h) {
        qsv_fail_memory(err, d->path);
        return NULL;
    }
    qsv_hash_add_u64(h, d->count);
    qsv_hash_add_u64(h, d->info.shape.h);
    qsv_hash_add_u64(h, d->info.shape.w);
    qsv_hash_add_u64(h, d->info.shape.c);
    return h;
}

static void hash_labels(const struct qsv_dataset *d, struct qsv_hash *h)
{
    for (uint64_t i = 0; i < d->count; i++)
        qsv_hash_add_u64(h, d->labels[i]);
}

static enum qsv_status take_fingerprint(struct qsv_dataset *d, struct qsv_error *err)
{
    struct qsv_hash *h = begin_hash(d, err);
    if (!h)
        return QSV_ENOMEM;
    enum qsv_status st = hash_images(d, d->first, d->count, h, err);
    hash_labels(d, h);
    d->marks.fingerprint = qsv_hash_end(h);
    d->marks.has_fingerprint = true;
    return st;
}

static enum qsv_status take_sketch(struct qsv_dataset *d, struct qsv_error *err)
{
    struct qsv_hash *h = begin_hash(d, err);
    const uint64_t n = d->count < SKETCHED ? d->count : SKETCHED;
    enum qsv_status st = QSV_OK;
    if (!h)
        return QSV_ENOMEM;
    hash_labels(d, h);
    for (uint64_t i = 0; i < d->count && d->reader->image_name; i++) {
        const char *name = qsv_dataset_image_name(d, i);
        qsv_hash_add_string(h, name ? name : "");
    }
    for (uint64_t k = 0; !st && k < n; k++)
        st = hash_images(d, d->first + (n > 1 ? k * (d->count - 1) / (n - 1) : 0), 1, h, err);
    d->marks.sketch = qsv_hash_end(h);
    d->marks.has_sketch = true;
    return st;
}

static enum qsv_status take_marks(struct qsv_dataset *d, enum extent extent, struct qsv_error *err)
{
    const bool is_in_memory = d->reader->share;
    enum qsv_status st = QSV_OK;
    if (extent == ALL || (extent == SKETCH && is_in_memory))
        st = take_fingerprint(d, err);
    if (!st && extent != NOTHING && !is_in_memory)
        st = take_sketch(d, err);
    if (!st && d->marks.has_fingerprint && is_in_memory) {
        d->marks.sketch = d->marks.fingerprint;
        d->marks.has_sketch = true;
    }
    return st;
}

/* After the marks of the whole slice were taken. */
static enum qsv_status leave_out(struct qsv_dataset *d, struct qsv_error *err)
{
    enum qsv_status st =
        qsv_damage_find(&d->left_out, d->reader, d->state, d->first, d->count, d->image_bytes, err);
    if (!st && d->left_out.n == d->count)
        st = qsv_fail(err, QSV_EINPUT, "%s: none of its %llu images can be decoded", d->path,
                      (unsigned long long)d->count);
    if (!st && d->marks.has_fingerprint)
        st = qsv_damage_fingerprint(&d->marks.fingerprint, &d->left_out, err);
    if (!st && d->marks.has_sketch)
        st = qsv_damage_fingerprint(&d->marks.sketch, &d->left_out, err);
    if (st)
        return st;
    d->count -= d->left_out.n;
    d->max_label = 0;
    for (uint64_t i = 0; i < d->count; i++) {
        d->labels[i] = d->labels[qsv_damage_number(&d->left_out, i)];
        d->max_label = d->labels[i] > d->max_label ? d->labels[i] : d->max_label;
    }
    return QSV_OK;
}

static enum qsv_status open_files(struct qsv_dataset *d, const struct qsv_data_reader *reader,
                                  const struct qsv_dataset_source *source, enum extent extent,
                                  struct qsv_error *err)
{
    d->reader = reader;
    d->path = qsv_strdup(source->images);
    if (!d->path)
        return qsv_fail_memory(err, source->images);
    struct qsv_dataset_source full = *source;
    full.transform.resize = full.transform.resize ? full.transform.resize : QSV_RESIZE;
    full.transform.crop = full.transform.crop ? full.transform.crop : QSV_CROP;
    d->transform = full.transform;
    enum qsv_status st = reader->open(&d->state, &d->info, &full, err);
    if (!st)
        st = check_info(d, err);
    if (!st)
        st = cut_slice(d, source->first, source->count, err);
    if (!st)
        st = load_labels(d, err);
    if (!st)
        st = take_marks(d, extent, err);
    if (!st && source->on_error == QSV_ON_ERROR_SKIP && reader->decodes)
        st = leave_out(d, err);
    return st;
}

static enum qsv_status open_with(struct qsv_dataset **out, const struct qsv_data_reader *reader,
                                 const struct qsv_dataset_source *source, enum extent extent,
                                 struct qsv_error *err)
{
    struct qsv_dataset *d = qsv_alloc(1, sizeof *d);
    if (!d)
        return qsv_fail_memory(err, source->images);
    enum qsv_status st = open_files(d, reader, source, extent, err);
    if (st)
        qsv_dataset_close(d);
    else
        *out = d;
    return st;
}

struct attempt {
    const struct qsv_data_reader *reader;
    const struct qsv_dataset_source *source;
    enum extent extent;
};

static enum qsv_status try(void *context, void *marks, struct qsv_error *err)
{
    const struct attempt *t = context;
    struct qsv_dataset *d = NULL;
    enum qsv_status st = open_with(&d, t->reader, t->source, t->extent, err);
    if (!st)
        memcpy(marks, &d->marks, sizeof d->marks);
    qsv_dataset_close(d);
    return st;
}

/* Reads in a child, and only when that went well anything here. A member trusts the one that reads
 * everything: it comes to more images when that one is through. */
static enum qsv_status open_fragile(struct qsv_dataset **out, const struct qsv_data_reader *reader,
                                    const struct qsv_dataset_source *source, enum extent extent,
                                    struct qsv_error *err)
{
    struct attempt t = {reader, source, extent};
    struct stat file = {0};
    struct marks marks;
    uint32_t ignored, files;
    stat(source->images, &file);
    if (!qsv_shard_parse(source->images, &ignored, &files))
        files = 1;
    struct qsv_sandbox_limits limits = {
        TRY_MEMORY_BYTES, TRY_S + (unsigned)((uint64_t)file.st_size * files / TRY_BYTES_PER_S)};
    enum qsv_status st =
        qsv_sandbox_run(try, &t, &marks, sizeof marks, &limits, source->images, err);
    if (!st)
        st = open_with(out, reader, source, NOTHING, err);
    if (!st)
        (*out)->marks = marks;
    return st;
}

static enum qsv_status open_as(struct qsv_dataset **out, const struct qsv_dataset_source *source,
                               enum extent extent, struct qsv_error *err)
{
    const struct qsv_data_reader *reader = NULL;
    *out = NULL;
    enum qsv_status st = find_reader(&reader, source, err);
    if (!st && reader->fragile && extent != NOTHING)
        st = open_fragile(out, reader, source, extent, err);
    else if (!st)
        st = open_with(out, reader, source, extent, err);
    return st;
}

enum qsv_status qsv_dataset_open(struct qsv_dataset **out, const struct qsv_dataset_source *source,
                                 struct qsv_error *err)
{
    return open_as(out, source, ALL, err);
}

enum qsv_status qsv_dataset_open_member(struct qsv_dataset **out,
                                        const struct qsv_dataset_source *source,
                                        struct qsv_error *err)
{
    return open_as(out, source, SKETCH, err);
}

enum qsv_status qsv_dataset_open_again(struct qsv_dataset **out,
                                       const struct qsv_dataset_source *source,
                                       struct qsv_error *err)
{
    return open_as(out, source, NOTHING, err);
}

void qsv_dataset_close(struct qsv_dataset *d)
{
    if (!d)
        return;
    if (d->state)
        d->reader->close(d->state);
    qsv_damage_fini(&d->left_out);
    free(d->labels);
    free(d->path);
    free(d);
}

enum qsv_status qsv_dataset_share(struct qsv_dataset *d, struct qsv_error *err)
{
    if (!d->reader->share)
        return QSV_OK;
    enum qsv_status st = d->reader->share(d->state, qsv_dataset_fingerprint(d), err);
    return st ? qsv_fail_in(err, st, "%s", d->path) : QSV_OK;
}

uint64_t qsv_dataset_count(const struct qsv_dataset *d)
{
    return d->count;
}

struct qsv_shape qsv_dataset_shape(const struct qsv_dataset *d)
{
    return d->info.shape;
}

uint64_t qsv_dataset_fingerprint(const struct qsv_dataset *d)
{
    assert(d->marks.has_fingerprint);
    return d->marks.fingerprint;
}

bool qsv_dataset_has_fingerprint(const struct qsv_dataset *d)
{
    return d->marks.has_fingerprint;
}

void qsv_dataset_learn(struct qsv_dataset *d, uint64_t fingerprint)
{
    d->marks.fingerprint = fingerprint;
    d->marks.has_fingerprint = true;
}

uint64_t qsv_dataset_sketch(const struct qsv_dataset *d)
{
    assert(d->marks.has_sketch);
    return d->marks.sketch;
}

uint32_t qsv_dataset_max_label(const struct qsv_dataset *d)
{
    return d->max_label;
}

const char *qsv_dataset_class_name(const struct qsv_dataset *d, uint32_t label)
{
    return d->reader->class_name ? d->reader->class_name(d->state, label) : NULL;
}

static const char *name_of(const struct qsv_dataset *d, uint64_t number)
{
    return d->reader->image_name ? d->reader->image_name(d->state, d->first + number) : NULL;
}

const char *qsv_dataset_image_name(const struct qsv_dataset *d, uint64_t i)
{
    assert(i < d->count);
    return name_of(d, qsv_damage_number(&d->left_out, i));
}

uint64_t qsv_dataset_skipped(const struct qsv_dataset *d)
{
    return d->left_out.n;
}

const char *qsv_dataset_skipped_name(const struct qsv_dataset *d, uint64_t k)
{
    assert(k < d->left_out.n);
    return name_of(d, d->left_out.numbers[k]);
}

const struct qsv_transform *qsv_dataset_transform(const struct qsv_dataset *d)
{
    return d->reader->decodes ? &d->transform : NULL;
}

bool qsv_dataset_is_concurrent(const struct qsv_dataset *d)
{
    return d->info.concurrent;
}

enum qsv_status qsv_dataset_read(const struct qsv_dataset *d, uint64_t i, uint8_t *pixels,
                                 uint32_t *label, struct qsv_error *err)
{
    assert(i < d->count);
    if (label)
        *label = d->labels[i];
    if (!pixels)
        return QSV_OK;
    i = d->first + qsv_damage_number(&d->left_out, i);
    return d->reader->read_pixels(d->state, i, 1, pixels, err);
}

enum qsv_status qsv_dataset_check(const struct qsv_dataset *d, struct qsv_shape input,
                                  uint32_t classes, uint32_t *factor, struct qsv_error *err)
{
    struct qsv_shape s = d->info.shape;
    bool same = s.h == input.h && s.w == input.w;
    bool half = (uint64_t)s.h * 2 == input.h && (uint64_t)s.w * 2 == input.w;
    if (s.c != input.c || (!same && !half))
        return qsv_fail(err, QSV_EINPUT,
                        "%s: images are %ux%ux%u (height x width x channels), the model takes "
                        "%ux%ux%u, or half of that height and width",
                        d->path, s.h, s.w, s.c, input.h, input.w, input.c);
    if (d->max_label >= classes)
        return qsv_fail(err, QSV_EINPUT, "%s: holds label %u, the model has classes 0 to %u",
                        d->path, d->max_label, classes - 1);
    *factor = same ? 1 : 2;
    return QSV_OK;
}

void qsv_image_enlarge(const uint8_t *in, struct qsv_shape shape, uint32_t factor, uint8_t *out)
{
    size_t row_bytes = (size_t)shape.w * factor * shape.c;
    for (uint32_t y = 0; y < shape.h; y++) {
        uint8_t *row = out, *p = out;
        for (uint32_t x = 0; x < shape.w; x++, in += shape.c)
            for (uint32_t k = 0; k < factor; k++, p += shape.c)
                memcpy(p, in, shape.c);
        out += row_bytes;
        for (uint32_t k = 1; k < factor; k++, out += row_bytes)
            memcpy(out, row, row_bytes);
    }
}
