#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/io.h"
#include "core/base/strbuf.h"
#include "core/import/checkpoint.h"

/* JSON's quotes and escapes. jansson also refuses what is no UTF-8. */
static enum qsv_status add_quoted(struct qsv_strbuf *b, const char *name, struct qsv_error *err)
{
    json_t *string = json_string(name);
    char *text = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    if (text)
        qsv_strbuf_puts(b, text);
    json_decref(string);
    free(text);
    return text ? QSV_OK
                : qsv_fail(err, QSV_EINPUT, "tensor '%s': the name is no valid UTF-8", name);
}

static enum qsv_status add_entry(struct qsv_strbuf *b, const struct qsv_tensor *t, size_t begin,
                                 struct qsv_error *err)
{
    if (t->defect || t->format != QSV_F32)
        return qsv_fail(err, QSV_EINPUT, "tensor '%s': only f32 tensors can be written, this %s %s",
                        t->name, t->defect ? "one" : "is",
                        t->defect ? t->defect : qsv_format_info(t->format)->name);
    qsv_strbuf_puts(b, ",");
    enum qsv_status st = add_quoted(b, t->name, err);
    if (st)
        return st;
    qsv_strbuf_puts(b, ":{\"dtype\":\"F32\",\"shape\":[");
    for (uint32_t i = 0; i < t->rank; i++)
        qsv_strbuf_printf(b, "%s%u", i ? "," : "", t->shape[i]);
    qsv_strbuf_printf(b, "],\"data_offsets\":[%zu,%zu]}", begin, begin + t->bytes);
    return QSV_OK;
}

/* Its length first; padded, so that the data is aligned to 8 bytes. */
static enum qsv_status make_header(struct qsv_strbuf *b, const struct qsv_tensors *t,
                                   struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    size_t begin = 0;
    qsv_strbuf_u64(b, 0);
    qsv_strbuf_puts(b, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; !st && i < t->n; begin += t->v[i++].bytes)
        st = add_entry(b, &t->v[i], begin, err);
    qsv_strbuf_puts(b, "}");
    while (b->len % 8 && !b->failed)
        qsv_strbuf_puts(b, " ");
    if (b->failed && !st)
        st = qsv_fail_memory(err, "the safetensors header");
    for (size_t i = 0; !st && i < 8; i++)
        b->text[i] = (char)((b->len - 8) >> 8 * i);
    return st;
}

static enum qsv_status write_file(const char *temporary, const char *path,
                                  const struct qsv_strbuf *header, const struct qsv_tensors *t,
                                  struct qsv_error *err)
{
    int fd = qsv_io_open(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0)
        return qsv_io_fail(err, path, "cannot create");
    enum qsv_status st = QSV_OK;
    bool good = qsv_io_write(fd, header->text, header->len) == 0;
    for (size_t i = 0; good && i < t->n; i++)
        good = qsv_io_write(fd, t->v[i].data, t->v[i].bytes) == 0;
    if (!good)
        st = qsv_io_fail(err, path, "cannot write");
    if (close(fd) < 0 && !st)
        st = qsv_io_fail(err, path, "cannot write");
    if (st)
        unlink(temporary);
    return st;
}

enum qsv_status qsv_safetensors_write(const struct qsv_tensors *t, const char *path,
                                      struct qsv_error *err)
{
    struct qsv_strbuf header = {0};
    char *temporary = NULL;
    enum qsv_status st = make_header(&header, t, err);
    if (st) {
        qsv_fail_in(err, st, "%s", path);
        goto out;
    }
    temporary = qsv_file_temporary(path);
    st = temporary ? write_file(temporary, path, &header, t, err) : qsv_fail_memory(err, path);
    if (!st)
        st = qsv_file_commit(temporary, path, err);
out:
    free(temporary);
    qsv_strbuf_fini(&header);
    return st;
}
