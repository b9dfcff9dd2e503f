/* A hash index: (u64, u32) -> position. For finding trials, records and the like among thousands.
 */
#ifndef QSV_INDEX_H
#define QSV_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QSV_INDEX_NONE UINT32_MAX

struct qsv_index_slot {
    uint64_t a;
    uint32_t b, position; /* position QSV_INDEX_NONE: free */
};

struct qsv_index { /* zeroed: empty */
    struct qsv_index_slot *slots;
    size_t n, capacity; /* a power of two */
};

void qsv_index_fini(struct qsv_index *x);

/* QSV_INDEX_NONE where it is not there. */
uint32_t qsv_index_find(const struct qsv_index *x, uint64_t a, uint32_t b);

/* The key must not be there yet. False when memory is out; the index is then as it was. */
bool qsv_index_add(struct qsv_index *x, uint64_t a, uint32_t b, uint32_t position);

#endif
