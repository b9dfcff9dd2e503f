/* A growing byte or text buffer. Appending never fails at once: when memory is out the buffer is
 * `failed`, later appends do nothing, and the caller checks once at the end. `text` is always
 * NUL-terminated once anything was appended.
 */
#ifndef QSV_STRBUF_H
#define QSV_STRBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qsv_strbuf {
    char *text;
    size_t len, capacity;
    bool failed;
};

void qsv_strbuf_fini(struct qsv_strbuf *b);
void qsv_strbuf_add(struct qsv_strbuf *b, const void *data, size_t bytes);
void qsv_strbuf_puts(struct qsv_strbuf *b, const char *s);
void qsv_strbuf_printf(struct qsv_strbuf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void qsv_strbuf_u32(struct qsv_strbuf *b, uint32_t v); /* little-endian */
void qsv_strbuf_u64(struct qsv_strbuf *b, uint64_t v);
void qsv_strbuf_u64s(struct qsv_strbuf *b, const uint64_t *v, size_t n); /* at once: faster */
void qsv_strbuf_f64(struct qsv_strbuf *b, double v);

#endif
