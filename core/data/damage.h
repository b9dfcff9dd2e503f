/* Image files that can't be decoded: an error, or left out where that is asked for.
 *
 * Which are left out is decided by decoding every one, so that it depends on nothing but the files.
 * A file that can't be read at all (missing, not permitted, a disk's error) is an error always:
 * elsewhere it may be readable, and all ranks of a run must leave out the same.
 */
#ifndef QSV_DAMAGE_H
#define QSV_DAMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

enum qsv_on_error { QSV_ON_ERROR_FAIL, QSV_ON_ERROR_SKIP };

struct qsv_data_reader;

/* Images of a slice that are left out, by rising number in it. {0}: none. */
struct qsv_damage {
    uint64_t *numbers; /* [n] */
    size_t n, capacity;
};

void qsv_damage_fini(struct qsv_damage *d);
enum qsv_status qsv_damage_add(struct qsv_damage *d, uint64_t number, struct qsv_error *err);

/* Decodes images first .. first+count-1, of image_bytes each, and adds those that are damaged. */
enum qsv_status qsv_damage_find(struct qsv_damage *d, const struct qsv_data_reader *reader,
                                void *state, uint64_t first, uint64_t count, size_t image_bytes,
                                struct qsv_error *err);

/* The number in the slice of the i-th image that is there. */
uint64_t qsv_damage_number(const struct qsv_damage *d, uint64_t i);

/* The fingerprint of a slice of which these are left out, given that of the whole: itself where
 * none is. */
enum qsv_status qsv_damage_fingerprint(uint64_t *fingerprint, const struct qsv_damage *d,
                                       struct qsv_error *err);

#endif
