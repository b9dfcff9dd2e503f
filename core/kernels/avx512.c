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

static inline unsigned expand16(unsigned *out, unsigned short bits, unsigned base)
{
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i at = _mm512_add_epi32(lane, _mm512_set1_epi32((int)base));
    _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(bits, at));
    return (unsigned)_mm_popcnt_u32(bits);
}

#include "core/kernels/vector.inc"
#endif
