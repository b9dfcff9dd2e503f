/* Allocation with checked sizes. Every function returns zeroed memory, or NULL when memory is out
 * or count * size overflows; the caller turns NULL into QSV_ENOMEM. Free with free().
 *
 * Tests make allocation N fail: qsv_alloc_fail_at(N) counts from there; 0 turns it off.
 */
#ifndef QSV_ALLOC_H
#define QSV_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QSV_ALIGN = 64 }; /* bytes: a cache line, and the widest vector */

void *qsv_alloc(size_t count, size_t size);

/* Aligned to QSV_ALIGN; the size is rounded up to a multiple of it. */
void *qsv_alloc_aligned(size_t count, size_t size);

/* Grows *array to hold at least `need` elements (doubling); *capacity counts elements. False when
 * memory is out; the array is then as it was. New elements are zeroed. */
bool qsv_grow(void *array, size_t *capacity, size_t need, size_t size);

char *qsv_strdup(const char *s);
char *qsv_strndup(const char *s, size_t n);

/* *out = a * b; false on overflow. */
bool qsv_mul_size(size_t a, size_t b, size_t *out);

void qsv_alloc_fail_at(long n);

#endif
