/* AVX-512: real inputs, by fused multiply-add in ascending k. */
#if defined(__x86_64__)
#include "core/kernels/avx512.h"

/* Four vectors of positions, wherever in the blocks they lie, by four outputs. The last ones may be
 * computed twice. */
void qsv_avx512_dense(const struct qsv_dense *d)
{
    const uint32_t a_step = (d->positions + 15) / 16, vectors = d->steps * a_step;
    for (uint32_t v = 0; v < vectors; v += 4) {
        size_t at[4];
        for (uint32_t j = 0; j < 4; j++) {
            const uint32_t i = v + j < vectors ? v + j : vectors - 1;
            at[j] = (size_t)(i / a_step) * d->block + i % a_step * 16;
        }
        for (uint32_t o4 = 0; o4 < d->out_ch; o4 += 4) {
            const float *w = d->weight + (size_t)o4 * d->k, *x = d->x;
            __m512 s[4][4];
#pragma GCC unroll 4
            for (int o = 0; o < 4; o++)
#pragma GCC unroll 4
                for (int j = 0; j < 4; j++)
                    s[o][j] = _mm512_setzero_ps();
            for (uint32_t k = 0; k < d->k; k++, w += 4, x += d->x_stride) {
                const __m512 x0 = _mm512_loadu_ps(x + at[0]), x1 = _mm512_loadu_ps(x + at[1]);
                const __m512 x2 = _mm512_loadu_ps(x + at[2]), x3 = _mm512_loadu_ps(x + at[3]);
#pragma GCC unroll 4
                for (int o = 0; o < 4; o++) {
                    const __m512 wo = _mm512_set1_ps(w[o]);
                    s[o][0] = _mm512_fmadd_ps(wo, x0, s[o][0]);
                    s[o][1] = _mm512_fmadd_ps(wo, x1, s[o][1]);
                    s[o][2] = _mm512_fmadd_ps(wo, x2, s[o][2]);
                    s[o][3] = _mm512_fmadd_ps(wo, x3, s[o][3]);
                }
            }
#pragma GCC unroll 4
            for (uint32_t o = 0; o < 4; o++)
                if (o4 + o < d->out_ch)
#pragma GCC unroll 4
                    for (int j = 0; j < 4; j++)
                        _mm512_storeu_ps(d->out + (o4 + o) * d->out_stride + at[j],
                                         _mm512_fmadd_ps(s[o][j],
                                                         _mm512_set1_ps(d->multiplier[o4 + o]),
                                                         _mm512_set1_ps(d->shift[o4 + o])));
        }
    }
}

void qsv_avx512_depthwise(const struct qsv_depthwise *d)
{
    const __m512 multiplier = _mm512_set1_ps(d->multiplier), shift = _mm512_set1_ps(d->shift);
    const size_t words = d->block / QSV_WORD;
    for (uint32_t step = 0; step < d->steps; step++)
        for (size_t word = 0; word < words; word++) {
            const size_t at = (size_t)step * d->block + word * QSV_WORD;
            __m512 s[4];
            for (int j = 0; j < 4; j++)
                s[j] = _mm512_setzero_ps();
            for (uint32_t t = 0; t < d->taps.n; t++) {
                const uint64_t mask = d->taps.mask[t * words + word];
                const float *x = d->x + at + d->taps.offset[t];
                const __m512 w = _mm512_set1_ps(d->weight[t]);
#pragma GCC unroll 4
                for (int j = 0; j < 4; j++)
                    s[j] = _mm512_fmadd_ps(
                        w, _mm512_maskz_loadu_ps((__mmask16)(mask >> 16 * j), x + 16 * j), s[j]);
            }
            for (int j = 0; j < 4; j++)
                _mm512_storeu_ps(d->out + at + 16 * j, _mm512_fmadd_ps(s[j], multiplier, shift));
        }
}

#endif
