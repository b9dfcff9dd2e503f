/* A bounds-checked reader over bytes. Once a read runs past the end the cursor is `failed`, every
 * later read gives zero, and the caller checks once. Numbers are little-endian.
 */
#ifndef QSV_CURSOR_H
#define QSV_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qsv_cursor {
    const uint8_t *data;
    size_t bytes, at;
    bool failed;
};

static inline struct qsv_cursor qsv_cursor_over(const void *data, size_t bytes)
{
    return (struct qsv_cursor){data, bytes, 0, false};
}

static inline size_t qsv_cursor_left(const struct qsv_cursor *c)
{
    return c->failed ? 0 : c->bytes - c->at;
}

/* The next n bytes, or NULL (and failed) when fewer are left. */
const uint8_t *qsv_cursor_take(struct qsv_cursor *c, size_t n);
uint8_t qsv_cursor_u8(struct qsv_cursor *c);
uint16_t qsv_cursor_u16(struct qsv_cursor *c);
uint32_t qsv_cursor_u32(struct qsv_cursor *c);
uint64_t qsv_cursor_u64(struct qsv_cursor *c);
/* n of them at once: much faster, all 0 where they are not all there. */
void qsv_cursor_u64s(struct qsv_cursor *c, uint64_t *out, size_t n);
uint32_t qsv_cursor_u32_be(struct qsv_cursor *c);
double qsv_cursor_f64(struct qsv_cursor *c);
/* Copies n bytes to out; zeroes out when fewer are left. */
void qsv_cursor_copy(struct qsv_cursor *c, void *out, size_t n);

#endif
