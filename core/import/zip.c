#include "core/import/zip.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

enum { MAX_ENTRIES = 1 << 18, MAX_RATIO = 64, MAX_PATH_BYTES = 4096 };
static const uint64_t MAX_UNPACKED = 16ull << 30;

struct qsv_zip {
    const uint8_t *data;
    size_t bytes;
    struct archive *archive; /* between qsv_zip_next's first and last call, else NULL */
    struct qsv_zip_entry *entries;
    size_t n, capacity;
    uint64_t unpacked;
    uint8_t *buffer; /* what qsv_zip_next gave last */
    locale_t utf8;   /* 0 where the system has none */
};

static enum qsv_status fail_archive(struct qsv_error *err, struct archive *a, const char *what)
{
    const char *text = archive_error_string(a);
    return qsv_fail(err, QSV_EINPUT, "%s can't be read: %s", what, text ? text : "unknown reason");
}

static enum qsv_status begin(struct qsv_zip *z, struct qsv_error *err)
{
    z->archive = archive_read_new();
    if (!z->archive)
        return qsv_fail_memory(err, "the zip archive");
    if (archive_read_support_format_zip_seekable(z->archive) != ARCHIVE_OK ||
        archive_read_open_memory(z->archive, z->data, z->bytes) != ARCHIVE_OK)
        return fail_archive(err, z->archive, "the zip archive");
    return QSV_OK;
}

static void end(struct qsv_zip *z)
{
    archive_read_free(z->archive);
    z->archive = NULL;
}

/* *entry is NULL at the end. libarchive converts paths to the thread's locale, and loses those that
 * the C locale has no letters for: PyTorch names a folder after the file it saved to. */
static enum qsv_status next_header(struct archive_entry **entry, struct qsv_zip *z,
                                   struct qsv_error *err)
{
    locale_t old = z->utf8 ? uselocale(z->utf8) : (locale_t)0;
    int r = archive_read_next_header(z->archive, entry);
    if (z->utf8)
        uselocale(old);
    if (r == ARCHIVE_EOF)
        *entry = NULL;
    else if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
        return fail_archive(err, z->archive, "the zip archive");
    return QSV_OK;
}

static const char *entry_path(struct archive_entry *e)
{
    const char *path = archive_entry_pathname(e);
    return path ? path : "";
}

static enum qsv_status list_entry(struct qsv_zip *z, struct archive_entry *e, struct qsv_error *err)
{
    const char *path = entry_path(e);
    if (archive_entry_filetype(e) != AE_IFREG)
        return QSV_OK;
    if (strnlen(path, MAX_PATH_BYTES) == MAX_PATH_BYTES)
        return qsv_fail(err, QSV_EINPUT, "zip entry '%.40s...': the path is too long", path);
    if (!archive_entry_size_is_set(e) || archive_entry_size(e) < 0)
        return qsv_fail(err, QSV_EINPUT, "zip entry '%s': its size is not stated", path);
    uint64_t bytes = (uint64_t)archive_entry_size(e);
    if (bytes > MAX_UNPACKED || (z->unpacked += bytes) > MAX_UNPACKED ||
        z->unpacked / MAX_RATIO > z->bytes)
        return qsv_fail(err, QSV_EINPUT,
                        "zip entry '%s': unpacks to %llu bytes, all entries together may have %d "
                        "times the file's %zu bytes and 16 GiB",
                        path, (unsigned long long)bytes, MAX_RATIO, z->bytes);
    if (z->n >= MAX_ENTRIES)
        return qsv_fail(err, QSV_EINPUT, "the zip archive has more than %d entries", MAX_ENTRIES);
    if (!qsv_grow(&z->entries, &z->capacity, z->n + 1, sizeof *z->entries))
        return qsv_fail_memory(err, "the zip archive's directory");
    z->entries[z->n] = (struct qsv_zip_entry){.path = qsv_strdup(path), .bytes = (size_t)bytes};
    if (!z->entries[z->n].path)
        return qsv_fail_memory(err, "the zip archive's directory");
    z->n++;
    return QSV_OK;
}

static int by_path(const void *a, const void *b)
{
    const struct qsv_zip_entry *x = a, *y = b;
    return strcmp(x->path, y->path);
}

static enum qsv_status list(struct qsv_zip *z, struct qsv_error *err)
{
    struct archive_entry *e = NULL;
    enum qsv_status st = begin(z, err);
    while (!st && !(st = next_header(&e, z, err)) && e)
        st = list_entry(z, e, err);
    end(z);
    if (z->n)
        qsort(z->entries, z->n, sizeof *z->entries, by_path);
    for (size_t i = 1; !st && i < z->n; i++)
        if (!by_path(&z->entries[i - 1], &z->entries[i]))
            st = qsv_fail(err, QSV_EINPUT, "zip entry '%s' is there twice", z->entries[i].path);
    return st;
}

enum qsv_status qsv_zip_open(struct qsv_zip **out, const uint8_t *data, size_t bytes,
                             struct qsv_error *err)
{
    struct qsv_zip *z = qsv_alloc(1, sizeof *z);
    if (!z)
        return qsv_fail_memory(err, "the zip archive");
    z->data = data;
    z->bytes = bytes;
    z->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    enum qsv_status st = list(z, err);
    if (st)
        qsv_zip_close(z);
    else
        *out = z;
    return st;
}

void qsv_zip_close(struct qsv_zip *z)
{
    if (!z)
        return;
    end(z);
    for (size_t i = 0; i < z->n; i++)
        free(z->entries[i].path);
    free(z->entries);
    free(z->buffer);
    if (z->utf8)
        freelocale(z->utf8);
    free(z);
}

struct qsv_zip_entry *qsv_zip_entries(struct qsv_zip *z, size_t *n)
{
    *n = z->n;
    return z->entries;
}

struct qsv_zip_entry *qsv_zip_find(struct qsv_zip *z, const char *path)
{
    struct qsv_zip_entry key = {.path = (char *)path};
    return z->n ? bsearch(&key, z->entries, z->n, sizeof key, by_path) : NULL;
}

/* Exactly the bytes that the directory states: libarchive also compares the CRC once it has seen
 * the entry's end. */
static enum qsv_status read_entry(struct qsv_zip *z, const struct qsv_zip_entry *entry,
                                  uint8_t *data, struct qsv_error *err)
{
    for (size_t at = 0;;) {
        uint8_t beyond;
        bool full = at == entry->bytes;
        la_ssize_t n =
            archive_read_data(z->archive, full ? &beyond : data + at, full ? 1 : entry->bytes - at);
        if (n < 0)
            return fail_archive(err, z->archive, entry->path);
        if (n == 0 && full)
            return QSV_OK;
        if (n == 0 || full)
            return qsv_fail(err, QSV_EINPUT,
                            "zip entry '%s': unpacks to %s bytes than the %zu stated", entry->path,
                            full ? "more" : "fewer", entry->bytes);
        at += (size_t)n;
    }
}

static enum qsv_status unpack(uint8_t **data, struct qsv_zip *z, const struct qsv_zip_entry *entry,
                              struct qsv_error *err)
{
    uint8_t *buffer = qsv_alloc(entry->bytes, 1);
    if (!buffer)
        return qsv_fail_memory(err, entry->path);
    enum qsv_status st = read_entry(z, entry, buffer, err);
    if (st)
        free(buffer);
    else
        *data = buffer;
    return st;
}

/* Goes on to the next entry that is `one`, or where that is NULL has a tag; *found is NULL behind
 * the last. */
static enum qsv_status seek(struct qsv_zip_entry **found, struct qsv_zip *z,
                            const struct qsv_zip_entry *one, struct qsv_error *err)
{
    struct archive_entry *e = NULL;
    enum qsv_status st;
    while (!(st = next_header(&e, z, err)) && e) {
        *found = qsv_zip_find(z, entry_path(e));
        if (*found && (one ? *found == one : (*found)->tag != 0))
            return QSV_OK;
    }
    *found = NULL;
    return st;
}

enum qsv_status qsv_zip_load(uint8_t **data, struct qsv_zip *z, const struct qsv_zip_entry *entry,
                             struct qsv_error *err)
{
    struct qsv_zip_entry *found = NULL;
    end(z);
    enum qsv_status st = begin(z, err);
    if (!st)
        st = seek(&found, z, entry, err);
    if (!st)
        st = found ? unpack(data, z, found, err)
                   : qsv_fail(err, QSV_EINPUT, "zip entry '%s' is lost", entry->path);
    end(z);
    return st;
}

enum qsv_status qsv_zip_next(struct qsv_zip_entry **entry, const uint8_t **data, struct qsv_zip *z,
                             struct qsv_error *err)
{
    free(z->buffer);
    z->buffer = NULL;
    enum qsv_status st = z->archive ? QSV_OK : begin(z, err);
    if (!st)
        st = seek(entry, z, NULL, err);
    if (!st && *entry)
        st = unpack(&z->buffer, z, *entry, err);
    if (st || !*entry)
        end(z);
    *data = z->buffer;
    return st;
}
