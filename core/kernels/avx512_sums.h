/* AVX-512: from the log of looked-up sums (core/kernels/avx512_lookup.h) to floats in order. */
#ifndef QSV_AVX512_SUMS_H
#define QSV_AVX512_SUMS_H

#include "core/kernels/avx512_lookup.h"

enum { QSV_ALWAYS_FIT = 256 }; /* byte sums whose sum is below 65536 */

/* 16-bit sums of 64 positions, modulo 65536: 2 i and 2 i + 1. */
struct qsv_pair {
    qsv_v512 even, odd;
};

/* Adds the byte sums of an output in the records [from, end). */
QSV_INLINE void qsv_add_bytes(struct qsv_pair *sum, const qsv_v512 *from, const qsv_v512 *end,
                              const int vectors)
{
    qsv_v512 full[QSV_BYTE_VECTORS]; /* even + 256 x odd */
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        full[v] = _mm512_add_epi16(sum[v].even, _mm512_slli_epi16(sum[v].odd, 8));
    for (; from < end; from += QSV_RECORD)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            qsv_v512 byte = from[v];
            QSV_IN_REGISTER(byte);
            full[v] = _mm512_add_epi16(full[v], byte);
            sum[v].odd = _mm512_add_epi16(sum[v].odd, _mm512_srli_epi16(byte, 8));
        }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        sum[v].even = _mm512_sub_epi16(full[v], _mm512_slli_epi16(sum[v].odd, 8));
}

/* In order of position, each in the lower half of 32 bits below an `upper` half. */
QSV_INLINE void qsv_spread(qsv_v512 out[4], struct qsv_pair sum, qsv_v512 upper)
{
    /* unpacking takes the first and the last four of each eight */
    static const int16_t order[32]
        __attribute__((aligned(64))) = {0, 32, 1, 33, 8,  40, 9,  41, 2, 34, 3, 35, 10, 42, 11, 43,
                                        4, 36, 5, 37, 12, 44, 13, 45, 6, 38, 7, 39, 14, 46, 15, 47};
    const qsv_v512 pick = _mm512_load_si512(order);
    const qsv_v512 first = _mm512_permutex2var_epi16(sum.even, pick, sum.odd);
    const qsv_v512 last =
        _mm512_permutex2var_epi16(sum.even, _mm512_add_epi16(pick, _mm512_set1_epi16(16)), sum.odd);
    out[0] = _mm512_unpacklo_epi16(first, upper);
    out[1] = _mm512_unpackhi_epi16(first, upper);
    out[2] = _mm512_unpacklo_epi16(last, upper);
    out[3] = _mm512_unpackhi_epi16(last, upper);
}

/* Sums that fit 16 bits, from the records [log, end) of an output: plus 32768, they are the last
 * bits of a float that is 2^23 larger. */
QSV_INLINE void qsv_narrow_floats(__m512 x[][4], const qsv_v512 *log, const qsv_v512 *end,
                                  int32_t base, bool words, const int vectors)
{
    const qsv_v512 start = _mm512_set1_epi16((short)(INT16_MIN - base));
    const __m512 excess = _mm512_set1_ps(8388608 + 32768);
    struct qsv_pair sum[QSV_BYTE_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        sum[v] = words ? (struct qsv_pair){_mm512_add_epi16(log[2 * v], start),
                                           _mm512_add_epi16(log[2 * v + 1], start)}
                       : (struct qsv_pair){start, start};
    if (!words)
        qsv_add_bytes(sum, log, end, vectors);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        qsv_v512 bits[4];
        qsv_spread(bits, sum[v], _mm512_set1_epi16(0x4b00));
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            x[v][j] = _mm512_sub_ps(_mm512_castsi512_ps(bits[j]), excess);
    }
}

/* Sums beyond 16 bits: the records are added as far as they fit, then as 32 bits. */
static inline void qsv_wide_floats(__m512 x[][4], const qsv_v512 *log, const qsv_v512 *end,
                                   int32_t base, bool words, const int vectors)
{
    const qsv_v512 half = _mm512_set1_epi16(words ? INT16_MIN : 0); /* makes words unsigned */
    qsv_v512 sum[QSV_BYTE_VECTORS][4];
    for (int v = 0; v < vectors; v++)
        for (int j = 0; j < 4; j++)
            sum[v][j] = _mm512_set1_epi32(-base);
    for (const qsv_v512 *next; log < end; log = next) {
        const size_t at_once = words ? QSV_RECORD : QSV_ALWAYS_FIT * QSV_RECORD;
        struct qsv_pair part[QSV_BYTE_VECTORS];
        next = (size_t)(end - log) < at_once ? end : log + at_once;
        for (int v = 0; v < vectors; v++)
            part[v] = words ? (struct qsv_pair){_mm512_xor_si512(log[2 * v], half),
                                                _mm512_xor_si512(log[2 * v + 1], half)}
                            : (struct qsv_pair){half, half};
        if (!words)
            qsv_add_bytes(part, log, next, vectors);
        for (int v = 0; v < vectors; v++) {
            qsv_v512 of[4];
            qsv_spread(of, part[v], _mm512_setzero_si512());
            for (int j = 0; j < 4; j++)
                sum[v][j] = _mm512_add_epi32(
                    sum[v][j], _mm512_add_epi32(of[j], _mm512_set1_epi32(words ? INT16_MIN : 0)));
        }
    }
    for (int v = 0; v < vectors; v++)
        for (int j = 0; j < 4; j++)
            x[v][j] = _mm512_cvtepi32_ps(sum[v][j]);
}

/* The sums of output o, 64 positions a vector. */
QSV_INLINE void qsv_floats_of(__m512 x[][4], const struct qsv_code_weights *w, uint32_t o,
                              const qsv_v512 *log, const qsv_v512 *end, bool words,
                              const int vectors)
{
    log += o % QSV_OUTPUTS * (QSV_RECORD / QSV_OUTPUTS);
    if (w->narrow)
        qsv_narrow_floats(x, log, end, w->base[o], words, vectors);
    else
        qsv_wide_floats(x, log, end, w->base[o], words, vectors);
}

#endif
