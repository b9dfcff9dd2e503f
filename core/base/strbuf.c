#include "core/base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

void qsv_strbuf_fini(struct qsv_strbuf *b)
{
    free(b->text);
    *b = (struct qsv_strbuf){0};
}

static bool reserve(struct qsv_strbuf *b, size_t more)
{
    if (!b->failed &&
        (more > SIZE_MAX - b->len - 1 || !qsv_grow(&b->text, &b->capacity, b->len + more + 1, 1)))
        b->failed = true;
    return !b->failed;
}

void qsv_strbuf_add(struct qsv_strbuf *b, const void *data, size_t bytes)
{
    if (!reserve(b, bytes))
        return;
    if (bytes)
        memcpy(b->text + b->len, data, bytes);
    b->len += bytes;
    b->text[b->len] = '\0';
}

void qsv_strbuf_puts(struct qsv_strbuf *b, const char *s)
{
    qsv_strbuf_add(b, s, strlen(s));
}

void qsv_strbuf_printf(struct qsv_strbuf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    if (n < 0)
        b->failed = true;
    else if (reserve(b, (size_t)n)) {
        vsnprintf(b->text + b->len, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

static void add_little_endian(struct qsv_strbuf *b, uint64_t v, size_t bytes)
{
    unsigned char raw[8];
    for (size_t i = 0; i < bytes; i++)
        raw[i] = (unsigned char)(v >> 8 * i);
    qsv_strbuf_add(b, raw, bytes);
}

void qsv_strbuf_u32(struct qsv_strbuf *b, uint32_t v)
{
    add_little_endian(b, v, 4);
}

void qsv_strbuf_u64(struct qsv_strbuf *b, uint64_t v)
{
    add_little_endian(b, v, 8);
}

void qsv_strbuf_u64s(struct qsv_strbuf *b, const uint64_t *v, size_t n)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    qsv_strbuf_add(b, v, n * sizeof *v);
#else
    for (size_t i = 0; i < n; i++)
        qsv_strbuf_u64(b, v[i]);
#endif
}

void qsv_strbuf_f64(struct qsv_strbuf *b, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    qsv_strbuf_u64(b, bits);
}
