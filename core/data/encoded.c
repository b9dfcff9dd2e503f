#include "core/data/encoded.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/data/labels.h"

enum { MAX_IMAGES = 1 << 24, MAX_FILE_BYTES = 1 << 28, MAX_CLASSES = 65536 };

static enum qsv_status create(struct qsv_encoded **out, const struct qsv_dataset_source *source,
                              bool archive, struct qsv_error *err)
{
    struct qsv_encoded *e = *out = qsv_alloc(1, sizeof *e);
    if (!e)
        return qsv_fail_memory(err, source->images);
    e->transform = source->transform;
    e->archive = archive;
    e->path = qsv_strdup(source->images);
    e->fd = open(source->images, O_RDONLY | O_CLOEXEC | (archive ? O_NONBLOCK : O_DIRECTORY));
    if (e->fd < 0)
        return qsv_fail(err, QSV_EINPUT, "%s: cannot open: %s", source->images, strerror(errno));
    if (!e->path)
        return qsv_fail_memory(err, source->images);
    enum qsv_status st = qsv_transform_check(&e->transform, err);
    return st ? qsv_fail_in(err, st, "%s", source->images) : QSV_OK;
}

bool qsv_encoded_is_image(const char *name)
{
    static const char *const suffixes[] = {".jpg", ".jpeg", ".png",  ".ppm", ".bmp",
                                           ".pgm", ".tif",  ".tiff", ".webp"};
    const char *suffix = strrchr(name, '.');
    for (size_t i = 0; suffix && i < sizeof suffixes / sizeof *suffixes; i++)
        if (!strcasecmp(suffix, suffixes[i]))
            return true;
    return false;
}

enum qsv_status qsv_encoded_add(struct qsv_encoded *e, const char *name, uint64_t offset,
                                uint64_t bytes, struct qsv_error *err)
{
    if (e->n >= MAX_IMAGES)
        return qsv_fail(err, QSV_EINPUT, "%s: holds more than %d images", e->path, MAX_IMAGES);
    if (!qsv_grow(&e->images, &e->capacity, e->n + 1, sizeof *e->images))
        return qsv_fail_memory(err, e->path);
    char *copy = qsv_strdup(name);
    if (!copy)
        return qsv_fail_memory(err, e->path);
    e->images[e->n++] = (struct qsv_encoded_image){copy, offset, bytes, 0};
    return QSV_OK;
}

/* Bytes of the folder's name. */
static size_t folder_length(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? (size_t)(slash - name) : 0;
}

static int compare_folders(const char *a, const char *b)
{
    const size_t n = folder_length(a), m = folder_length(b);
    const int order = memcmp(a, b, n < m ? n : m);
    return order ? order : (n > m) - (n < m);
}

static int by_folder_and_name(const void *a, const void *b)
{
    const char *x = ((const struct qsv_encoded_image *)a)->name;
    const char *y = ((const struct qsv_encoded_image *)b)->name;
    const int order = compare_folders(x, y);
    return order ? order : strcmp(x, y);
}

static enum qsv_status sort(struct qsv_encoded *e, struct qsv_error *err)
{
    if (!e->n)
        return qsv_fail(err, QSV_EINPUT, "%s: holds no images", e->path);
    qsort(e->images, e->n, sizeof *e->images, by_folder_and_name);
    for (size_t i = 1; i < e->n; i++)
        if (!strcmp(e->images[i].name, e->images[i - 1].name))
            return qsv_fail(err, QSV_EINPUT, "%s: holds '%s' twice", e->path, e->images[i].name);
    return QSV_OK;
}

static enum qsv_status add_folder(struct qsv_encoded *e, const char *image, struct qsv_error *err)
{
    const size_t n = folder_length(image);
    size_t capacity = e->n_folders;
    if (!n)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: '%s' lies in no class folder, and no labels are given", e->path,
                        image);
    if (e->n_folders == MAX_CLASSES)
        return qsv_fail(err, QSV_EINPUT, "%s: has more than %d class folders", e->path,
                        MAX_CLASSES);
    if (!qsv_grow(&e->folders, &capacity, e->n_folders + 1, sizeof *e->folders) ||
        !(e->folders[e->n_folders] = qsv_strndup(image, n)))
        return qsv_fail_memory(err, e->path);
    e->n_folders++;
    return QSV_OK;
}

static enum qsv_status label_by_folder(struct qsv_encoded *e, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (size_t i = 0; !st && i < e->n; i++) {
        const char *name = e->images[i].name;
        if (!i || compare_folders(name, e->images[i - 1].name))
            st = add_folder(e, name, err);
        if (!st)
            e->images[i].label = (uint16_t)(e->n_folders - 1);
    }
    return st;
}

static enum qsv_status label_by_file(struct qsv_encoded *e, const char *labels,
                                     struct qsv_error *err)
{
    enum qsv_status st = qsv_labels_read(&e->labels, labels, err);
    if (st)
        return st;
    for (size_t i = 0; !st && i < e->n; i++)
        st = qsv_labels_find(e->labels, e->images[i].name, &e->images[i].label, err);
    return st ? qsv_fail_in(err, st, "%s", labels) : QSV_OK;
}

enum qsv_status qsv_encoded_open(void **state, struct qsv_data_info *info,
                                 const struct qsv_dataset_source *source, bool archive,
                                 enum qsv_status (*list)(struct qsv_encoded *, struct qsv_error *),
                                 struct qsv_error *err)
{
    struct qsv_encoded *e;
    enum qsv_status st = create(&e, source, archive, err);
    if (!st)
        st = list(e, err);
    if (!st)
        st = sort(e, err);
    if (!st && source->labels)
        st = label_by_file(e, source->labels, err);
    else if (!st)
        st = label_by_folder(e, err);
    if (st) {
        qsv_encoded_close(e);
        e = NULL;
    } else {
        const struct qsv_shape shape = {3, e->transform.crop, e->transform.crop};
        *info = (struct qsv_data_info){e->n, shape, 1, true};
    }
    *state = e;
    return st;
}

/* The bytes of image i's file in a folder: fd and how many. */
static enum qsv_status open_file(int *fd, uint64_t *bytes, const struct qsv_encoded *e, size_t i,
                                 struct qsv_error *err)
{
    struct stat s;
    *fd = openat(e->fd, e->images[i].name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return qsv_fail(err, QSV_EINPUT, "cannot open: %s", strerror(errno));
    if (fstat(*fd, &s) || !S_ISREG(s.st_mode))
        return qsv_fail(err, QSV_EINPUT, "not a regular file");
    *bytes = (uint64_t)s.st_size;
    return QSV_OK;
}

/* A file in memory. */
struct file {
    uint8_t *data;
    uint64_t bytes;
    size_t capacity;
};

static enum qsv_status read_bytes(struct file *f, int fd, uint64_t offset, uint64_t bytes,
                                  struct qsv_error *err)
{
    if (bytes > MAX_FILE_BYTES)
        return qsv_fail(err, QSV_EINPUT, "has %llu bytes, at most %d are allowed",
                        (unsigned long long)bytes, MAX_FILE_BYTES);
    if (!qsv_grow(&f->data, &f->capacity, bytes ? bytes : 1, 1))
        return qsv_fail_memory(err, "an image");
    f->bytes = bytes;
    for (uint64_t at = 0; at < bytes;) {
        const ssize_t got = pread(fd, f->data + at, bytes - at, (off_t)(offset + at));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return qsv_fail(err, QSV_EIO, "cannot read: %s", strerror(errno));
        if (!got)
            return qsv_fail(err, QSV_EINPUT, "ends after %llu of %llu bytes",
                            (unsigned long long)at, (unsigned long long)bytes);
        at += (uint64_t)got;
    }
    return QSV_OK;
}

/* Image i's file. */
static enum qsv_status read_image(struct file *f, const struct qsv_encoded *e, size_t i,
                                  struct qsv_error *err)
{
    uint64_t bytes = 0;
    int fd;
    if (e->archive)
        return read_bytes(f, e->fd, e->images[i].offset, e->images[i].bytes, err);
    enum qsv_status st = open_file(&fd, &bytes, e, i, err);
    if (!st)
        st = read_bytes(f, fd, 0, bytes, err);
    if (fd >= 0)
        close(fd);
    return st;
}

static enum qsv_status fail_image(const struct qsv_encoded *e, size_t i, enum qsv_status st,
                                  struct qsv_error *err)
{
    return qsv_fail_in(err, st, "%s%s%s", e->path, e->archive ? ": " : "/", e->images[i].name);
}

enum qsv_status qsv_encoded_read_pixels(void *state, uint64_t first, size_t n, uint8_t *pixels,
                                        struct qsv_error *err)
{
    const struct qsv_encoded *e = state;
    const size_t bytes = (size_t)e->transform.crop * e->transform.crop * 3;
    struct file f = {0};
    enum qsv_status st = QSV_OK;
    for (size_t i = first; !st && i < first + n; i++, pixels += bytes) {
        st = read_image(&f, e, i, err);
        if (st ==
            QSV_EINPUT) /* it could be read when its bytes were hashed: no damage of its own */
            st = QSV_EIO;
        if (!st)
            st = qsv_transform_image(&e->transform, f.data, f.bytes, pixels, err);
        if (st)
            fail_image(e, i, st, err);
    }
    free(f.data);
    return st;
}

enum qsv_status qsv_encoded_read_labels(void *state, uint64_t first, size_t n, uint16_t *labels,
                                        struct qsv_error *err)
{
    const struct qsv_encoded *e = state;
    (void)err;
    for (size_t i = 0; i < n; i++)
        labels[i] = e->images[first + i].label;
    return QSV_OK;
}

enum qsv_status qsv_encoded_hash(void *state, uint64_t first, uint64_t n, struct qsv_hash *h,
                                 struct qsv_error *err)
{
    const struct qsv_encoded *e = state;
    struct file f = {0};
    enum qsv_status st = QSV_OK;
    qsv_hash_add_string(h, "encoded");
    qsv_hash_add_u64(h, e->transform.resize);
    qsv_hash_add_u64(h, e->transform.interpolation);
    for (uint64_t i = first; !st && i < first + n; i++) {
        st = read_image(&f, e, i, err);
        if (st) {
            fail_image(e, i, st, err);
        } else {
            qsv_hash_add_u64(h, f.bytes);
            qsv_hash_add(h, f.data, f.bytes);
        }
    }
    free(f.data);
    return st;
}

const char *qsv_encoded_class_name(void *state, uint32_t label)
{
    const struct qsv_encoded *e = state;
    size_t n = e->n_folders;
    char *const *names = e->labels ? qsv_labels_classes(e->labels, &n) : e->folders;
    return label < n ? names[label] : NULL;
}

const char *qsv_encoded_image_name(void *state, uint64_t i)
{
    const struct qsv_encoded *e = state;
    return e->images[i].name;
}

void qsv_encoded_close(void *state)
{
    struct qsv_encoded *e = state;
    if (!e)
        return;
    if (e->fd >= 0)
        close(e->fd);
    for (size_t i = 0; i < e->n; i++)
        free(e->images[i].name);
    for (size_t i = 0; i < e->n_folders; i++)
        free(e->folders[i]);
    qsv_labels_destroy(e->labels);
    free(e->folders);
    free(e->images);
    free(e->path);
    free(e);
}
