/* CIFAR-10's and CIFAR-100's binary files (www.cs.toronto.edu/~kriz/cifar.html): records of a class
 * (CIFAR-100: a coarse one, which is passed over, and a fine one), then 32x32 pixels a plane of
 * red, green and blue. Nothing in a file says what it is, so that the format has to be given.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/data/reader.h"

enum { SIDE = 32, PLANE = SIDE * SIDE };

struct cifar {
    char *path;
    int fd;
    uint32_t label_bytes, classes;
};

static bool never(const uint8_t *head, size_t n)
{
    (void)head;
    (void)n;
    return false;
}

static size_t record_bytes(const struct cifar *c)
{
    return c->label_bytes + 3 * PLANE;
}

static void close_cifar(void *state)
{
    struct cifar *c = state;
    if (c->fd >= 0)
        close(c->fd);
    free(c->path);
    free(c);
}

static enum qsv_status check(struct cifar *c, struct qsv_data_info *info,
                             const struct qsv_dataset_source *source, struct qsv_error *err)
{
    struct stat s;
    if (source->labels)
        return qsv_fail(err, QSV_EINPUT, "%s: CIFAR's files hold their labels, found labels in %s",
                        source->images, source->labels);
    if (c->fd < 0 || fstat(c->fd, &s))
        return qsv_fail(err, QSV_EINPUT, "%s: cannot open: %s", source->images, strerror(errno));
    if (!s.st_size || (uint64_t)s.st_size % record_bytes(c))
        return qsv_fail(err, QSV_EINPUT,
                        "%s: has %lld bytes, expected records of %zu: is it CIFAR-%u's binary "
                        "version, unpacked?",
                        source->images, (long long)s.st_size, record_bytes(c), c->classes);
    c->path = qsv_strdup(source->images);
    *info = (struct qsv_data_info){(uint64_t)s.st_size / record_bytes(c), {3, SIDE, SIDE}, 1, true};
    return c->path ? QSV_OK : qsv_fail_memory(err, source->images);
}

static enum qsv_status open_cifar(void **state, struct qsv_data_info *info,
                                  const struct qsv_dataset_source *source, uint32_t label_bytes,
                                  uint32_t classes, struct qsv_error *err)
{
    struct cifar *c = qsv_alloc(1, sizeof *c);
    *state = NULL;
    if (!c)
        return qsv_fail_memory(err, source->images);
    c->label_bytes = label_bytes;
    c->classes = classes;
    c->fd = open(source->images, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum qsv_status st = check(c, info, source, err);
    if (st)
        close_cifar(c);
    else
        *state = c;
    return st;
}

static enum qsv_status open_10(void **state, struct qsv_data_info *info,
                               const struct qsv_dataset_source *source, struct qsv_error *err)
{
    return open_cifar(state, info, source, 1, 10, err);
}

static enum qsv_status open_100(void **state, struct qsv_data_info *info,
                                const struct qsv_dataset_source *source, struct qsv_error *err)
{
    return open_cifar(state, info, source, 2, 100, err);
}

static enum qsv_status read_at(const struct cifar *c, uint64_t i, size_t skip, uint8_t *out,
                               size_t n, struct qsv_error *err)
{
    ssize_t got;
    do
        got = pread(c->fd, out, n, (off_t)(i * record_bytes(c) + skip));
    while (got < 0 && errno == EINTR);
    if (got == (ssize_t)n)
        return QSV_OK;
    return qsv_fail(err, QSV_EIO, "%s: image %llu: cannot read: %s", c->path, (unsigned long long)i,
                    got < 0 ? strerror(errno) : "the file became shorter");
}

static enum qsv_status read_pixels(void *state, uint64_t first, size_t n, uint8_t *pixels,
                                   struct qsv_error *err)
{
    const struct cifar *c = state;
    uint8_t planes[3 * PLANE];
    for (size_t i = 0; i < n; i++) {
        enum qsv_status st = read_at(c, first + i, c->label_bytes, planes, sizeof planes, err);
        if (st)
            return st;
        for (int p = 0; p < PLANE; p++)
            for (int k = 0; k < 3; k++)
                *pixels++ = planes[k * PLANE + p];
    }
    return QSV_OK;
}

static enum qsv_status read_labels(void *state, uint64_t first, size_t n, uint16_t *labels,
                                   struct qsv_error *err)
{
    const struct cifar *c = state;
    for (size_t i = 0; i < n; i++) {
        uint8_t label;
        enum qsv_status st = read_at(c, first + i, c->label_bytes - 1, &label, 1, err);
        if (st)
            return st;
        if (label >= c->classes)
            return qsv_fail(err, QSV_EINPUT, "%s: image %llu: label %u, expected 0 to %u", c->path,
                            (unsigned long long)(first + i), label, c->classes - 1);
        labels[i] = label;
    }
    return QSV_OK;
}

const struct qsv_data_reader qsv_cifar10_reader = {.name = "cifar10",
                                                   .recognise = never,
                                                   .open = open_10,
                                                   .read_pixels = read_pixels,
                                                   .read_labels = read_labels,
                                                   .close = close_cifar};
const struct qsv_data_reader qsv_cifar100_reader = {.name = "cifar100",
                                                    .recognise = never,
                                                    .open = open_100,
                                                    .read_pixels = read_pixels,
                                                    .read_labels = read_labels,
                                                    .close = close_cifar};
