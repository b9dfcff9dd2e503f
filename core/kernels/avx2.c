/* AVX2 and FMA; compiled with its own flags, run only where the CPU has them. */
#if defined(__x86_64__)
#include <immintrin.h>

#define KERNELS qsv_kernels_avx2
#define ISA     "avx2"

typedef int mask_lanes __attribute__((vector_size(64), aligned(4), may_alias));

static inline unsigned short mask16(mask_lanes m)
{
    union {
        mask_lanes all;
        __m256 half[2];
    } u = {m};
    return (unsigned short)(_mm256_movemask_ps(u.half[0]) | _mm256_movemask_ps(u.half[1]) << 8);
}

static inline unsigned expand16(unsigned *out, unsigned short bits, unsigned base)
{
    unsigned n = 0;
    for (unsigned left = bits; left; left &= left - 1)
        out[n++] = base + (unsigned)__builtin_ctz(left);
    return n;
}

#include "core/kernels/vector.inc"
#endif
