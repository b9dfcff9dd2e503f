#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
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

static enum qsv_status write_file(const char *temporary, const struct qsv_strbuf *header,
                                  const struct qsv_tensors *t, struct qsv_error *err)
{
    FILE *f = fopen(temporary, "wbe");
    if (!f)
        return qsv_fail(err, QSV_EIO, "%s: cannot create: %s", temporary, strerror(errno));
    bool good = fwrite(header->text, 1, header->len, f) == header->len;
    for (size_t i = 0; good && i < t->n; i++)
        good = fwrite(t->v[i].data, 1, t->v[i].bytes, f) == t->v[i].bytes;
    int error = errno;
    if (fclose(f) && good) {
        good = false;
        error = errno;
    }
    if (good)
        return QSV_OK;
    unlink(temporary);
    return qsv_fail(err, QSV_EIO, "%s: cannot write: %s", temporary, strerror(error));
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
    st = temporary ? write_file(temporary, &header, t, err) : qsv_fail_memory(err, path);
    if (!st)
        st = qsv_file_commit(temporary, path, err);
out:
    free(temporary);
    qsv_strbuf_fini(&header);
    return st;
}
