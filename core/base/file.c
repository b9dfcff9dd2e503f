#include "core/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/io.h"
#include "core/base/strbuf.h"

static enum qsv_status fail_errno(struct qsv_error *err, enum qsv_status code, const char *path,
                                  const char *doing)
{
    return qsv_fail(err, code, "%s: %s: %s", path, doing, strerror(errno));
}

static enum qsv_status read_all(int fd, uint8_t *data, size_t bytes, const char *path,
                                struct qsv_error *err)
{
    for (size_t at = 0; at < bytes;) {
        ssize_t n = read(fd, data + at, bytes - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(err, QSV_EIO, path, "cannot read");
        if (n == 0)
            return qsv_fail(err, QSV_EIO, "%s: ends after %zu of %zu bytes", path, at, bytes);
        at += (size_t)n;
    }
    return QSV_OK;
}

enum qsv_status qsv_file_read(uint8_t **data, size_t *bytes, const char *path, size_t max_bytes,
                              struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    uint8_t *buf = NULL;
    struct stat s;
    /* O_NONBLOCK: opening a FIFO must not hang before fstat can refuse it. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fail_errno(err, QSV_EINPUT, path, "cannot open");
    if (fstat(fd, &s) < 0)
        st = fail_errno(err, QSV_EIO, path, "cannot stat");
    else if (!S_ISREG(s.st_mode))
        st = qsv_fail(err, QSV_EINPUT, "%s: not a regular file", path);
    else if ((uint64_t)s.st_size > max_bytes)
        st = qsv_fail(err, QSV_EINPUT, "%s: has %lld bytes, at most %zu are allowed", path,
                      (long long)s.st_size, max_bytes);
    else if (!(buf = malloc((size_t)s.st_size + 1)))
        st = qsv_fail_memory(err, path);
    else
        st = read_all(fd, buf, (size_t)s.st_size, path, err);
    close(fd);
    if (st) {
        free(buf);
        return st;
    }
    buf[s.st_size] = 0;
    *data = buf;
    *bytes = (size_t)s.st_size;
    return QSV_OK;
}

char *qsv_file_temporary(const char *path)
{
    struct qsv_strbuf b = {0};
    qsv_strbuf_printf(&b, "%s.%ld.tmp", path, (long)getpid());
    if (b.failed)
        qsv_strbuf_fini(&b);
    return b.text;
}

enum qsv_status qsv_file_write(const char *path, const void *data, size_t bytes,
                               struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    char *temporary = qsv_file_temporary(path);
    if (!temporary)
        return qsv_fail_memory(err, path);
    int fd = qsv_io_open(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0) {
        st = qsv_io_fail(err, path, "cannot create");
        free(temporary);
        return st;
    }
    if (qsv_io_write(fd, data, bytes) < 0)
        st = qsv_io_fail(err, path, "cannot write");
    /* Quotas and file servers may tell only now. */
    if (close(fd) < 0 && !st)
        st = qsv_io_fail(err, path, "cannot write");
    if (!st)
        st = qsv_file_commit(temporary, path, err);
    else
        unlink(temporary);
    free(temporary);
    return st;
}

/* `name` is what errors call it. */
static enum qsv_status sync_path(const char *path, int flags, const char *name,
                                 struct qsv_error *err)
{
    int fd = qsv_io_open(path, O_RDONLY | flags);
    if (fd < 0)
        return qsv_io_fail(err, name, "cannot open to sync");
    enum qsv_status st = qsv_io_fsync(fd) < 0 ? qsv_io_fail(err, name, "cannot sync") : QSV_OK;
    close(fd);
    return st;
}

enum qsv_status qsv_file_sync_folder(const char *path, struct qsv_error *err)
{
    return sync_path(path, O_DIRECTORY, path, err);
}

static enum qsv_status sync_parent(const char *path, struct qsv_error *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return qsv_file_sync_folder(".", err);
    char *folder = qsv_strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (!folder)
        return qsv_fail_memory(err, path);
    enum qsv_status st = qsv_file_sync_folder(folder, err);
    free(folder);
    return st;
}

enum qsv_status qsv_file_commit(const char *temporary, const char *path, struct qsv_error *err)
{
    enum qsv_status st = sync_path(temporary, 0, path, err);
    if (!st && qsv_io_rename(temporary, path) < 0)
        st = qsv_io_fail(err, path, "cannot rename into place");
    if (st) {
        unlink(temporary);
        return st;
    }
    return sync_parent(path, err);
}

enum qsv_status qsv_file_make_folder(const char *path, struct qsv_error *err)
{
    char *p = qsv_strdup(path);
    if (!p)
        return qsv_fail_memory(err, path);
    enum qsv_status st = QSV_OK;
    for (char *s = *p ? p + 1 : p; !st; s++) {
        if (*s && *s != '/')
            continue;
        char c = *s;
        *s = '\0';
        struct stat info;
        if (stat(p, &info) == 0 && S_ISDIR(info.st_mode))
            ; /* a parent that may not be written is no obstacle */
        else if (qsv_io_mkdir(p) < 0 &&
                 (errno != EEXIST || stat(p, &info) < 0 || !S_ISDIR(info.st_mode)))
            st = qsv_io_fail(err, p, "cannot create the folder");
        *s = c;
        if (!c)
            break;
    }
    free(p);
    return st;
}

char *qsv_file_join(const char *folder, const char *name)
{
    if (!folder || !*folder || !strcmp(folder, ".") || *name == '/')
        return qsv_strdup(name);
    struct qsv_strbuf b = {0};
    qsv_strbuf_printf(&b, "%s/%s", folder, name);
    if (b.failed)
        qsv_strbuf_fini(&b);
    return b.text;
}
