#include "core/data/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/base/alloc.h"
#include "core/data/reader.h"

enum { BUFFER_BYTES = 1 << 15, PIECE_BYTES = 1 << 30 };

struct qsv_stream {
    const char *path;
    gzFile file;
    uint64_t file_bytes, at;
};

/* Debian's packages of data sets are called after the folder that they fill. */
static enum qsv_status fail_open(const char *path, int why, struct qsv_error *err)
{
    static const char shelf[] = "/usr/share/datasets/";
    const char *name = path + sizeof shelf - 1;
    if (why != ENOENT || strncmp(path, shelf, sizeof shelf - 1) != 0 || !strchr(name, '/'))
        return qsv_fail(err, QSV_EINPUT, "%s: cannot open: %s", path, strerror(why));
    return qsv_fail(err, QSV_EINPUT, "%s: cannot open: %s; on Debian: apt-get install dataset-%.*s",
                    path, strerror(why), (int)strcspn(name, "/"), name);
}

static enum qsv_status open_regular(int *fd, uint64_t *bytes, const char *path,
                                    struct qsv_error *err)
{
    struct stat s;
    /* O_NONBLOCK: opening a FIFO must not hang before fstat can refuse it. */
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return fail_open(path, errno, err);
    if (fstat(*fd, &s) == 0 && S_ISREG(s.st_mode)) {
        *bytes = (uint64_t)s.st_size;
        return QSV_OK;
    }
    close(*fd);
    return qsv_fail(err, QSV_EINPUT, "%s: not a regular file", path);
}

enum qsv_status qsv_stream_open(struct qsv_stream **out, const char *path, struct qsv_error *err)
{
    int fd;
    uint64_t bytes;
    *out = NULL;
    enum qsv_status st = open_regular(&fd, &bytes, path, err);
    if (st)
        return st;
    struct qsv_stream *s = qsv_alloc(1, sizeof *s);
    gzFile file = s ? gzdopen(fd, "rb") : NULL;
    if (!file) {
        free(s);
        close(fd);
        return qsv_fail_memory(err, path);
    }
    gzbuffer(file, BUFFER_BYTES);
    *s = (struct qsv_stream){path, file, bytes, 0};
    *out = s;
    return QSV_OK;
}

void qsv_stream_close(struct qsv_stream *s)
{
    if (s)
        gzclose(s->file);
    free(s);
}

static enum qsv_status fail_read(struct qsv_stream *s, struct qsv_error *err)
{
    int code, why = errno;
    gzerror(s->file, &code);
    if (code == Z_ERRNO)
        return qsv_fail(err, QSV_EIO, "%s: cannot read: %s", s->path, strerror(why));
    if (code == Z_MEM_ERROR)
        return qsv_fail_memory(err, s->path);
    return qsv_fail(err, QSV_EINPUT, "%s: gzip data are damaged or cut off", s->path);
}

enum qsv_status qsv_stream_read(struct qsv_stream *s, void *out, size_t n, struct qsv_error *err)
{
    uint64_t want = s->at + n;
    for (char *p = out; s->at < want;) {
        uint64_t left = want - s->at;
        int got = gzread(s->file, p, left < PIECE_BYTES ? (unsigned)left : PIECE_BYTES);
        if (got < 0)
            return fail_read(s, err);
        if (got == 0)
            return qsv_fail(err, QSV_EINPUT,
                            "%s: ends after %llu bytes, expected %llu or more by its header",
                            s->path, (unsigned long long)s->at, (unsigned long long)want);
        p += got;
        s->at += (uint64_t)got;
    }
    return QSV_OK;
}

enum qsv_status qsv_stream_end(struct qsv_stream *s, struct qsv_error *err)
{
    char byte;
    int code = Z_OK, got = gzread(s->file, &byte, 1);
    if (got > 0)
        return qsv_fail(err, QSV_EINPUT, "%s: goes on after the %llu bytes that its header says",
                        s->path, (unsigned long long)s->at);
    gzerror(s->file, &code);
    return got < 0 || code == Z_BUF_ERROR ? fail_read(s, err) : QSV_OK;
}

uint64_t qsv_stream_limit(const struct qsv_stream *s)
{
    uint64_t limit;
    if (gzdirect(s->file))
        return s->at < s->file_bytes ? s->file_bytes - s->at : 0;
    return __builtin_mul_overflow(s->file_bytes, QSV_DEFLATE_RATIO, &limit) ? UINT64_MAX : limit;
}

enum qsv_status qsv_stream_peek(const char *path, uint8_t *head, size_t n, size_t *got,
                                struct qsv_error *err)
{
    int fd;
    uint64_t bytes;
    enum qsv_status st = open_regular(&fd, &bytes, path, err);
    if (st)
        return st;
    ssize_t count = pread(fd, head, n, 0);
    if (count < 0)
        st = qsv_fail(err, QSV_EIO, "%s: cannot read: %s", path, strerror(errno));
    else
        *got = (size_t)count;
    close(fd);
    return st;
}
