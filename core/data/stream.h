/* A file's bytes in order, decompressed where it is gzip (recognised by its first bytes). */
#ifndef QSV_STREAM_H
#define QSV_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

struct qsv_stream;

/* QSV_EINPUT where it can't be opened or is not a regular file. path outlives the stream. */
enum qsv_status qsv_stream_open(struct qsv_stream **out, const char *path, struct qsv_error *err);
void qsv_stream_close(struct qsv_stream *s);

/* Exactly n bytes; QSV_EINPUT where fewer are left or gzip data are damaged. */
enum qsv_status qsv_stream_read(struct qsv_stream *s, void *out, size_t n, struct qsv_error *err);

/* QSV_EINPUT where bytes are left, or where gzip's checksum of what was read is wrong. */
enum qsv_status qsv_stream_end(struct qsv_stream *s, struct qsv_error *err);

/* No more bytes than this can be left, whatever the file says. */
uint64_t qsv_stream_limit(const struct qsv_stream *s);

/* The file's first bytes as they are, at most n: *got of them. QSV_EINPUT as qsv_stream_open. */
enum qsv_status qsv_stream_peek(const char *path, uint8_t *head, size_t n, size_t *got,
                                struct qsv_error *err);

#endif
