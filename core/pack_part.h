/* A part of a data set that is being packed: the pixels of some images in a row, kept until the
 * file that they belong to is written (core/pack.h). One file each, which appears under its name
 * when it is complete and durable, little-endian:
 *
 *     u64  magic, identity, number, kept, image_bytes, text_bytes
 *     u8   pixels [kept][image_bytes]
 *     text of those that were left out: lines "NUMBER WHY", numbers in the data set
 *     u64  XXH3-64 of all that stands before
 */
#ifndef QSV_PACK_PART_H
#define QSV_PACK_PART_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/strbuf.h"

/* Which part it is: a file that says otherwise is not taken for it. */
struct qsv_part_key {
    uint64_t identity, number;
    uint64_t images; /* in its range */
    size_t image_bytes;
};

struct qsv_part {
    uint64_t kept; /* images */
    uint8_t *data;
    const uint8_t *pixels; /* [kept][image_bytes], in data */
    const char *text;      /* [text_bytes], in data */
    size_t text_bytes;
};

/* A part with room for all its images; fill pixels(), then write. */
enum qsv_status qsv_part_create(struct qsv_part *part, const struct qsv_part_key *key,
                                struct qsv_error *err);
uint8_t *qsv_part_pixels(const struct qsv_part *part, const struct qsv_part_key *key, uint64_t i);
/* left_out: the text. QSV_EIO where it can't be written. */
enum qsv_status qsv_part_write(struct qsv_part *part, const struct qsv_part_key *key,
                               const struct qsv_strbuf *left_out, const char *path,
                               struct qsv_error *err);

/* Looks at a file's head and length only. QSV_EINPUT where it is not there, or not this part. */
enum qsv_status qsv_part_look(uint64_t *kept, const char *path, const struct qsv_part_key *key,
                              struct qsv_error *err);
/* Reads and checks all of it. QSV_EINPUT where that or its checksum fails. */
enum qsv_status qsv_part_read(struct qsv_part *part, const char *path,
                              const struct qsv_part_key *key, struct qsv_error *err);
void qsv_part_fini(struct qsv_part *part);

#endif
