/* A bounded cache: values by number, those not used for longest go first. */
#ifndef QSV_CACHE_H
#define QSV_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

struct qsv_cache;

/* max_bytes: in sum of what put says; destroy is called for each value that goes. */
enum qsv_status qsv_cache_create(struct qsv_cache **out, size_t max_bytes, void (*destroy)(void *),
                                 struct qsv_error *err);
void qsv_cache_destroy(struct qsv_cache *c);

/* From now on what was used before may go; what is used from now on stays until the next call, even
 * where that takes more than max_bytes. */
void qsv_cache_begin_use(struct qsv_cache *c);

/* NULL where it is not there. */
void *qsv_cache_get(struct qsv_cache *c, uint64_t key);
/* Takes the value over, also on failure. The key must not be there. */
enum qsv_status qsv_cache_put(struct qsv_cache *c, uint64_t key, void *value, size_t bytes,
                              struct qsv_error *err);

#endif
