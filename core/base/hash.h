/* 64-bit XXH3 hashes, streamed. Used for identities, trial ids and checksums: against accident, not
 * malice. */
#ifndef QSV_HASH_H
#define QSV_HASH_H

#include <stddef.h>
#include <stdint.h>

struct qsv_hash; /* a hash in progress */

/* NULL when memory is out. */
struct qsv_hash *qsv_hash_begin(void);
void qsv_hash_add(struct qsv_hash *h, const void *data, size_t bytes);
/* Length first, so that ("ab","c") and ("a","bc") differ. */
void qsv_hash_add_string(struct qsv_hash *h, const char *s);
void qsv_hash_add_u64(struct qsv_hash *h, uint64_t v);
/* Frees h and returns its value. */
uint64_t qsv_hash_end(struct qsv_hash *h);

uint64_t qsv_hash_bytes(const void *data, size_t bytes);

#endif
