/* A tar archive of image files as ILSVRC2012_img_val.tar is one, read in place: libarchive lists it
 * once, with the place of every file in it; images are then read from there. Plain, not compressed:
 * nothing could be found in it then.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "core/data/encoded.h"

/* The list is read in small blocks, because what lies between headers is skipped. */
enum { BLOCK_BYTES = 1 << 12, MAGIC_AT = 257, MAX_NAME = 4096, MAX_ENTRIES = 1 << 25 };

static bool recognise(const uint8_t *head, size_t n)
{
    return n >= MAGIC_AT + 5 && !memcmp(head + MAGIC_AT, "ustar", 5);
}

static enum qsv_status fail_archive(const struct qsv_encoded *e, struct archive *a,
                                    struct qsv_error *err)
{
    return qsv_fail(err, QSV_EINPUT, "%s: can't be read as a tar archive: %s", e->path,
                    archive_error_string(a) ? archive_error_string(a) : "unknown reason");
}

static enum qsv_status add_entry(struct qsv_encoded *e, struct archive *a, struct archive_entry *t,
                                 uint64_t file_bytes, struct qsv_error *err)
{
    const char *name = archive_entry_pathname(t);
    if (!name) /* has letters that the locale lacks */
        name = archive_entry_pathname_utf8(t);
    if (archive_entry_filetype(t) != AE_IFREG || archive_entry_hardlink(t))
        return QSV_OK;
    if (!name || strnlen(name, MAX_NAME) == MAX_NAME)
        return qsv_fail(err, QSV_EINPUT, "%s: an entry's name is too long or no text", e->path);
    if (!strncmp(name, "./", 2))
        name += 2;
    if (!qsv_encoded_is_image(name))
        return QSV_OK;
    if (archive_entry_sparse_count(t))
        return qsv_fail(err, QSV_EINPUT, "%s: %s: is a sparse file", e->path, name);
    const int64_t offset = archive_filter_bytes(a, -1), bytes = archive_entry_size(t);
    if (offset < 0 || bytes < 0 || (uint64_t)offset > file_bytes ||
        (uint64_t)bytes > file_bytes - (uint64_t)offset)
        return qsv_fail(err, QSV_EINPUT, "%s: ends within %s", e->path, name);
    return qsv_encoded_add(e, name, (uint64_t)offset, (uint64_t)bytes, err);
}

static enum qsv_status list(struct qsv_encoded *e, struct archive *a, struct qsv_error *err)
{
    struct stat s;
    struct archive_entry *t;
    enum qsv_status st = QSV_OK;
    if (fstat(e->fd, &s))
        return qsv_fail(err, QSV_EIO, "%s: cannot stat: %s", e->path, strerror(errno));
    if (archive_read_support_format_tar(a) != ARCHIVE_OK ||
        archive_read_open_fd(a, e->fd, BLOCK_BYTES) != ARCHIVE_OK)
        return fail_archive(e, a, err);
    for (size_t n = 0; !st; n++) {
        const int r = archive_read_next_header(a, &t);
        if (r == ARCHIVE_EOF)
            break;
        if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
            return fail_archive(e, a, err);
        if (n >= MAX_ENTRIES)
            return qsv_fail(err, QSV_EINPUT, "%s: has more than %d entries", e->path, MAX_ENTRIES);
        st = add_entry(e, a, t, (uint64_t)s.st_size, err);
    }
    return st;
}

static enum qsv_status list_archive(struct qsv_encoded *e, struct qsv_error *err)
{
    struct archive *a = archive_read_new();
    if (!a)
        return qsv_fail_memory(err, e->path);
    enum qsv_status st = list(e, a, err);
    archive_read_free(a);
    return st;
}

static enum qsv_status open_tar(void **state, struct qsv_data_info *info,
                                const struct qsv_dataset_source *source, struct qsv_error *err)
{
    return qsv_encoded_open(state, info, source, true, list_archive, err);
}

const struct qsv_data_reader qsv_tar_reader = {.name = "tar",
                                               .decodes = true,
                                               .recognise = recognise,
                                               .open = open_tar,
                                               .read_pixels = qsv_encoded_read_pixels,
                                               .read_labels = qsv_encoded_read_labels,
                                               .hash = qsv_encoded_hash,
                                               .class_name = qsv_encoded_class_name,
                                               .image_name = qsv_encoded_image_name,
                                               .close = qsv_encoded_close};
