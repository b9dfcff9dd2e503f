#include "core/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/hash.h"

enum { BUFFER_BYTES = 1 << 20 };

#define MARK "qsvit sealed HDF5, "

static void render(uint8_t block[QSV_SEAL_BYTES], uint64_t hash, uint64_t bytes)
{
    memset(block, 0, QSV_SEAL_BYTES);
    snprintf((char *)block, QSV_SEAL_BYTES, MARK "xxh3-64 %016llx over %llu bytes from byte %d\n",
             (unsigned long long)hash, (unsigned long long)bytes, QSV_SEAL_BYTES);
}

void qsv_seal_make(uint8_t block[QSV_SEAL_BYTES], const void *data, size_t bytes)
{
    render(block, qsv_hash_bytes(data, bytes), bytes);
}

enum qsv_status qsv_seal_create(struct qsv_h5_image **out, struct qsv_error *err)
{
    return qsv_h5_image_create(out, QSV_SEAL_BYTES, err);
}

enum qsv_status qsv_seal_commit(struct qsv_h5_image *image, const char *path, struct qsv_error *err)
{
    uint8_t *data;
    size_t bytes;
    enum qsv_status st = qsv_h5_image_close(image, &data, &bytes, err);
    if (!st) {
        qsv_seal_make(data, data + QSV_SEAL_BYTES, bytes - QSV_SEAL_BYTES);
        st = qsv_file_write(path, data, bytes, err);
    }
    qsv_h5_image_destroy(image);
    return st;
}

static enum qsv_status fail_errno(struct qsv_error *err, const char *path, const char *doing)
{
    return qsv_fail(err, QSV_EIO, "%s: %s: %s", path, doing, strerror(errno));
}

/* Hashes from the file's present position to its end. */
static enum qsv_status hash_rest(int fd, const char *path, uint64_t *hash, uint64_t *bytes,
                                 struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    char *buffer = qsv_alloc(BUFFER_BYTES, 1);
    struct qsv_hash *h = buffer ? qsv_hash_begin() : NULL;
    if (!h) {
        free(buffer);
        return qsv_fail_memory(err, path);
    }
    *bytes = 0;
    for (;;) {
        ssize_t n = read(fd, buffer, BUFFER_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            st = fail_errno(err, path, "cannot read");
        if (n <= 0)
            break;
        qsv_hash_add(h, buffer, (size_t)n);
        *bytes += (uint64_t)n;
    }
    *hash = qsv_hash_end(h);
    free(buffer);
    return st;
}

static enum qsv_status read_block(int fd, const char *path, uint8_t block[QSV_SEAL_BYTES],
                                  struct qsv_error *err)
{
    struct stat s;
    if (fstat(fd, &s) < 0)
        return fail_errno(err, path, "cannot stat");
    if (!S_ISREG(s.st_mode))
        return qsv_fail(err, QSV_EINPUT, "%s: not a regular file", path);
    ssize_t n = read(fd, block, QSV_SEAL_BYTES);
    if (n < 0)
        return fail_errno(err, path, "cannot read");
    if (n < QSV_SEAL_BYTES || memcmp(block, MARK, sizeof MARK - 1))
        return qsv_fail(err, QSV_EINPUT,
                        "%s: not a file that qsvit has written (it begins with no seal)", path);
    return QSV_OK;
}

static enum qsv_status verify(int fd, const char *path, struct qsv_error *err)
{
    uint8_t found[QSV_SEAL_BYTES], expected[QSV_SEAL_BYTES];
    uint64_t hash = 0, bytes = 0;
    enum qsv_status st = read_block(fd, path, found, err);
    if (!st)
        st = hash_rest(fd, path, &hash, &bytes, err);
    if (st)
        return st;
    render(expected, hash, bytes);
    if (memcmp(found, expected, QSV_SEAL_BYTES))
        return qsv_fail(err, QSV_EINPUT,
                        "%s: %llu bytes do not match the checksum in its first line: torn, "
                        "damaged, or changed by another program",
                        path, (unsigned long long)bytes);
    return QSV_OK;
}

bool qsv_seal_is_missing(const char *path)
{
    char begin[sizeof MARK - 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, begin, sizeof begin);
    if (fd >= 0)
        close(fd);
    return n >= 0 && (n < (ssize_t)sizeof begin || memcmp(begin, MARK, sizeof begin));
}

enum qsv_status qsv_seal_open(hid_t *file, const char *path, struct qsv_error *err)
{
    *file = -1;
    /* O_NONBLOCK: opening a FIFO must not hang before fstat can refuse it. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return qsv_fail(err, QSV_EINPUT, "%s: cannot open: %s", path, strerror(errno));
    enum qsv_status st = verify(fd, path, err);
    close(fd);
    return st ? st : qsv_h5_open(file, path, err);
}
