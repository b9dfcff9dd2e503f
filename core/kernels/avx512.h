/* What the AVX-512 kernels share, and where the table finds them. Included only by files compiled
 * for AVX-512 (F, BW, VL, DQ, VBMI, VPOPCNTDQ) and BMI2. */
#ifndef QSV_AVX512_H
#define QSV_AVX512_H

#include <immintrin.h>

#include "core/kernels/kernels.h"

enum { QSV_AVX512_INDEX_BITS = 6 };

typedef __m512i qsv_v512;

#define QSV_INLINE static inline __attribute__((always_inline))

/* Keeps gcc from loading twice what is used twice, and from moving what comes later ahead until the
 * registers do not suffice. */
#define QSV_IN_REGISTER(v) __asm__("" : "+v"(v))

/* Sixteen neurons: charges v by x, gives the potential h before they fire, returns which do. */
QSV_INLINE __mmask16 qsv_fire_16(__m512 *v, __m512 x, __m512 v_th, __m512 decay, __m512 *h)
{
    *h = _mm512_fmadd_ps(_mm512_sub_ps(x, *v), decay, *v);
    const __mmask16 fire = _mm512_cmp_ps_mask(*h, v_th, _CMP_GE_OQ);
    *v = _mm512_mask_mov_ps(*h, fire, _mm512_setzero_ps());
    return fire;
}

/* Four vectors of neurons of a word of positions. */
QSV_INLINE uint64_t qsv_fire(__m512 v[4], const __m512 x[4], __m512 v_th, __m512 decay, __m512 h[4])
{
    uint64_t spikes = 0;
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++)
        spikes |= (uint64_t)qsv_fire_16(&v[j], x[j], v_th, decay, &h[j]) << 16 * j;
    return spikes;
}

/* Adds round(256 x clip(h)), ties to even, of the valid positions. */
QSV_INLINE qsv_v512 qsv_add_potential_16(qsv_v512 sum, __m512 h, __mmask16 valid)
{
    const __m512 clipped =
        _mm512_max_ps(_mm512_min_ps(h, _mm512_set1_ps(128)), _mm512_set1_ps(-128));
    const qsv_v512 fixed = _mm512_cvtps_epi32(_mm512_mul_ps(clipped, _mm512_set1_ps(256)));
    return _mm512_mask_add_epi32(sum, valid, sum, fixed);
}

QSV_INLINE qsv_v512 qsv_add_potential(qsv_v512 sum, const __m512 h[4], uint64_t valid)
{
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++)
        sum = qsv_add_potential_16(sum, h[j], (__mmask16)(valid >> 16 * j));
    return sum;
}

void qsv_avx512_make_index(uint8_t *index, size_t index_stride, const uint64_t *spikes,
                           uint32_t channels, uint32_t positions);
size_t qsv_avx512_table_bytes(uint32_t taps, uint32_t groups);
uint64_t qsv_avx512_code_conv(const struct qsv_code_conv *c);
void qsv_avx512_code_depthwise(const struct qsv_code_depthwise *d);
void qsv_avx512_list_events(uint16_t *events, uint32_t *first_event, const uint8_t *index,
                            size_t index_stride, uint32_t groups, uint32_t positions);
void qsv_avx512_row_conv(const struct qsv_row_conv *c);
void qsv_avx512_dense(const struct qsv_dense *d);
void qsv_avx512_depthwise(const struct qsv_depthwise *d);

#endif
