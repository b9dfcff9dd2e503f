/* Bytes that are allocated, for tests that memory does not grow. */
#ifndef QSV_TEST_ALLOCATED_H
#define QSV_TEST_ALLOCATED_H

#include <malloc.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#define HAS_ASAN __has_feature(address_sanitizer)
#else
#define HAS_ASAN 0
#endif

/* The allocator's own caches count as in use: up to that much says nothing. */
enum { NOISE_BYTES = 1 << 16 };

static inline size_t allocated_bytes(void)
{
#if HAS_ASAN
    size_t __sanitizer_get_current_allocated_bytes(void);
    return __sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
#endif
}

#endif
