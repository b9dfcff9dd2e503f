/* Zip archives in memory, read through libarchive by their central directory.
 *
 * PyTorch stores its entries uncompressed. So an archive that claims to unpack to more than 64
 * times its own size is no checkpoint but a bomb, and is refused before anything is unpacked.
 */
#ifndef QSV_ZIP_H
#define QSV_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

struct qsv_zip;

struct qsv_zip_entry {
    char *path;
    size_t bytes; /* unpacked */
    uint32_t tag; /* the caller's; 0 at first */
};

/* Lists the entries; data must outlive the archive. QSV_EINPUT for a broken directory, a path that
 * is there twice, too many entries or too much to unpack. */
enum qsv_status qsv_zip_open(struct qsv_zip **out, const uint8_t *data, size_t bytes,
                             struct qsv_error *err);
void qsv_zip_close(struct qsv_zip *z);

/* Sorted by path. */
struct qsv_zip_entry *qsv_zip_entries(struct qsv_zip *z, size_t *n);
/* NULL where there is none. */
struct qsv_zip_entry *qsv_zip_find(struct qsv_zip *z, const char *path);

/* Unpacks one entry; *data is the caller's to free. */
enum qsv_status qsv_zip_load(uint8_t **data, struct qsv_zip *z, const struct qsv_zip_entry *entry,
                             struct qsv_error *err);

/* Unpacks the next entry whose tag is not 0, in the archive's order: its bytes are valid until the
 * next call. *entry is NULL behind the last. */
enum qsv_status qsv_zip_next(struct qsv_zip_entry **entry, const uint8_t **data, struct qsv_zip *z,
                             struct qsv_error *err);

#endif
