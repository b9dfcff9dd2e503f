#include "core/base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_long fail_countdown; /* threads allocate, too */

void qsv_alloc_fail_at(long n)
{
    atomic_store(&fail_countdown, n);
}

static bool injected_failure(void)
{
    return atomic_load(&fail_countdown) > 0 && atomic_fetch_sub(&fail_countdown, 1) == 1;
}

bool qsv_mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

void *qsv_alloc(size_t count, size_t size)
{
    size_t bytes;
    if (!qsv_mul_size(count, size, &bytes) || injected_failure())
        return NULL;
    return calloc(1, bytes ? bytes : 1);
}

void *qsv_alloc_aligned(size_t count, size_t size)
{
    size_t bytes;
    if (!qsv_mul_size(count, size, &bytes) || bytes > SIZE_MAX - QSV_ALIGN || injected_failure())
        return NULL;
    bytes = (bytes + QSV_ALIGN) & ~(size_t)(QSV_ALIGN - 1);
    void *p = aligned_alloc(QSV_ALIGN, bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

bool qsv_grow(void *array, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity)
        return true;
    size_t n = *capacity ? *capacity : 8, bytes;
    while (n < need)
        if (!qsv_mul_size(n, 2, &n))
            return false;
    void *old;
    memcpy(&old, array, sizeof old);
    if (!qsv_mul_size(n, size, &bytes) || injected_failure())
        return false;
    char *p = realloc(old, bytes);
    if (!p)
        return false;
    memset(p + *capacity * size, 0, bytes - *capacity * size);
    memcpy(array, &p, sizeof p);
    *capacity = n;
    return true;
}

char *qsv_strndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *p = qsv_alloc(len + 1, 1);
    if (p)
        memcpy(p, s, len);
    return p;
}

char *qsv_strdup(const char *s)
{
    return qsv_strndup(s, strlen(s));
}
