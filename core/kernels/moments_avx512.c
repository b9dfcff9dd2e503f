#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>
#include <stddef.h>

#define HAVE_COUNT_TILE
static void count_tile(uint64_t out[4][4], const uint64_t *const a[4], const uint64_t *const b[4],
                       size_t words)
{
    __m512i n[4][4];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            n[i][j] = _mm512_setzero_si512();
    for (size_t w = 0; w < words; w += 8) {
        const __mmask8 there = words - w < 8 ? (__mmask8)((1u << (words - w)) - 1) : (__mmask8)0xff;
        __m512i y[4];
        for (int j = 0; j < 4; j++)
            y[j] = _mm512_maskz_loadu_epi64(there, b[j] + w);
        for (int i = 0; i < 4; i++) {
            const __m512i x = _mm512_maskz_loadu_epi64(there, a[i] + w);
            for (int j = 0; j < 4; j++)
                n[i][j] = _mm512_add_epi64(n[i][j], _mm512_popcnt_epi64(_mm512_and_si512(x, y[j])));
        }
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            out[i][j] = (uint64_t)_mm512_reduce_add_epi64(n[i][j]);
}

#define TABLE qsv_moments_avx512
#define ISA   "avx512"
#include "core/kernels/moments_loops.h"
#endif
