#include "core/pack_part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/cursor.h"
#include "core/base/file.h"
#include "core/base/hash.h"

static const uint64_t magic = 0x3174726170767371; /* "qsvpart1" */

enum { HEAD_BYTES = 48, HASH_BYTES = 8 };

struct head {
    uint64_t kept, text_bytes;
};

void qsv_part_fini(struct qsv_part *part)
{
    free(part->data);
    *part = (struct qsv_part){0};
}

enum qsv_status qsv_part_create(struct qsv_part *part, const struct qsv_part_key *key,
                                struct qsv_error *err)
{
    size_t bytes;
    *part = (struct qsv_part){0};
    if (qsv_mul_size(key->images, key->image_bytes, &bytes))
        part->data = qsv_alloc(HEAD_BYTES + bytes + HASH_BYTES, 1);
    return part->data ? QSV_OK : qsv_fail_memory(err, "images");
}

uint8_t *qsv_part_pixels(const struct qsv_part *part, const struct qsv_part_key *key, uint64_t i)
{
    return part->data + HEAD_BYTES + i * key->image_bytes;
}

static void put_u64(uint8_t *at, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(v >> 8 * i);
}

enum qsv_status qsv_part_write(struct qsv_part *part, const struct qsv_part_key *key,
                               const struct qsv_strbuf *left_out, const char *path,
                               struct qsv_error *err)
{
    const size_t pixels_end = HEAD_BYTES + part->kept * key->image_bytes;
    const size_t end = pixels_end + left_out->len;
    const uint64_t fields[] = {magic,      key->identity,    key->number,
                               part->kept, key->image_bytes, left_out->len};
    size_t capacity = HEAD_BYTES + key->images * key->image_bytes + HASH_BYTES;
    if (left_out->failed || !qsv_grow(&part->data, &capacity, end + HASH_BYTES, 1))
        return qsv_fail_memory(err, path);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        put_u64(part->data + 8 * i, fields[i]);
    if (left_out->len)
        memcpy(part->data + pixels_end, left_out->text, left_out->len);
    put_u64(part->data + end, qsv_hash_bytes(part->data, end));
    return qsv_file_write(path, part->data, end + HASH_BYTES, err);
}

/* Checks what begins a file of so many bytes. */
static enum qsv_status read_head(struct head *h, struct qsv_cursor *c, uint64_t file_bytes,
                                 const char *path, const struct qsv_part_key *key,
                                 struct qsv_error *err)
{
    const bool ours = qsv_cursor_u64(c) == magic && qsv_cursor_u64(c) == key->identity &&
                      qsv_cursor_u64(c) == key->number;
    h->kept = qsv_cursor_u64(c);
    const uint64_t image_bytes = qsv_cursor_u64(c);
    h->text_bytes = qsv_cursor_u64(c);
    const bool whole =
        h->kept <= key->images && image_bytes == key->image_bytes && h->text_bytes <= file_bytes &&
        file_bytes == HEAD_BYTES + h->kept * image_bytes + h->text_bytes + HASH_BYTES;
    if (c->failed || !ours || !whole)
        return qsv_fail(err, QSV_EINPUT, "%s: is damaged, or not part %llu of these images", path,
                        (unsigned long long)key->number);
    return QSV_OK;
}

enum qsv_status qsv_part_look(uint64_t *kept, const char *path, const struct qsv_part_key *key,
                              struct qsv_error *err)
{
    uint8_t bytes[HEAD_BYTES];
    struct head head = {0};
    struct stat s;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return qsv_fail(err, QSV_EINPUT, "%s: cannot open: %s", path, strerror(errno));
    const bool there = !fstat(fd, &s) && S_ISREG(s.st_mode);
    const ssize_t n = there ? pread(fd, bytes, sizeof bytes, 0) : 0;
    close(fd);
    struct qsv_cursor c = qsv_cursor_over(bytes, n > 0 ? (size_t)n : 0);
    enum qsv_status st = read_head(&head, &c, there ? (uint64_t)s.st_size : 0, path, key, err);
    *kept = head.kept;
    return st;
}

enum qsv_status qsv_part_read(struct qsv_part *part, const char *path,
                              const struct qsv_part_key *key, struct qsv_error *err)
{
    struct head head;
    size_t bytes;
    *part = (struct qsv_part){0};
    enum qsv_status st = qsv_file_read(&part->data, &bytes, path, SIZE_MAX / 2, err);
    if (st)
        return st;
    struct qsv_cursor c = qsv_cursor_over(part->data, bytes);
    st = read_head(&head, &c, bytes, path, key, err);
    if (!st) {
        part->kept = head.kept;
        part->pixels = part->data + HEAD_BYTES;
        part->text = (const char *)part->pixels + head.kept * key->image_bytes;
        part->text_bytes = head.text_bytes;
        c.at = bytes - HASH_BYTES;
        if (qsv_cursor_u64(&c) != qsv_hash_bytes(part->data, bytes - HASH_BYTES))
            st = qsv_fail(err, QSV_EINPUT, "%s: is damaged: its checksum does not match", path);
    }
    if (st)
        qsv_part_fini(part);
    return st;
}
