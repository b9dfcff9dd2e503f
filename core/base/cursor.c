#include "core/base/cursor.h"

#include <string.h>

const uint8_t *qsv_cursor_take(struct qsv_cursor *c, size_t n)
{
    if (c->failed || n > c->bytes - c->at) {
        c->failed = true;
        return NULL;
    }
    const uint8_t *p = c->data + c->at;
    c->at += n;
    return p;
}

static uint64_t little_endian(struct qsv_cursor *c, size_t n)
{
    const uint8_t *p = qsv_cursor_take(c, n);
    uint64_t v = 0;
    for (size_t i = 0; p && i < n; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

uint8_t qsv_cursor_u8(struct qsv_cursor *c)
{
    return (uint8_t)little_endian(c, 1);
}

uint16_t qsv_cursor_u16(struct qsv_cursor *c)
{
    return (uint16_t)little_endian(c, 2);
}

uint32_t qsv_cursor_u32(struct qsv_cursor *c)
{
    return (uint32_t)little_endian(c, 4);
}

uint64_t qsv_cursor_u64(struct qsv_cursor *c)
{
    return little_endian(c, 8);
}

void qsv_cursor_u64s(struct qsv_cursor *c, uint64_t *out, size_t n)
{
    qsv_cursor_copy(c, out, n * sizeof *out);
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    for (size_t i = 0; i < n; i++)
        out[i] = __builtin_bswap64(out[i]);
#endif
}

uint32_t qsv_cursor_u32_be(struct qsv_cursor *c)
{
    return __builtin_bswap32(qsv_cursor_u32(c));
}

double qsv_cursor_f64(struct qsv_cursor *c)
{
    uint64_t bits = qsv_cursor_u64(c);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

void qsv_cursor_copy(struct qsv_cursor *c, void *out, size_t n)
{
    const uint8_t *p = qsv_cursor_take(c, n);
    if (p)
        memcpy(out, p, n);
    else
        memset(out, 0, n);
}
