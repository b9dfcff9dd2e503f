/* AVX-512 (F, BW, VL, DQ); compiled with its own flags, run only where the CPU has them. */
#if defined(__x86_64__)
#include <immintrin.h>

#define KERNELS qsv_kernels_avx512
#define ISA     "avx512"

typedef int mask_lanes __attribute__((vector_size(64), aligned(4), may_alias));

static inline unsigned short mask16(mask_lanes m)
{
    return _mm512_movepi32_mask((__m512i)m);
}

#include "core/kernels/vector.inc"
#endif
