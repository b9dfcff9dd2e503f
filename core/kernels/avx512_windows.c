/* AVX-512: depthwise convolutions of spikes by integer codes. The seven spikes of a row look up the
 * sum of the weights that fired in a table of 128 bytes, 64 positions at a time (vpermi2b). */
#if defined(__x86_64__)
#include "core/kernels/avx512.h"
#include "core/kernels/subsets.h"

typedef qsv_v512 V;

QSV_INLINE V even_of(V full, V high)
{
    return _mm512_sub_epi16(full, _mm512_slli_epi16(high, 8));
}

/* Adds 16-bit sums of 64 positions to 32-bit ones in order. */
QSV_INLINE void empty_sums(int32_t *sums, V even, V odd)
{
    const V low_half = _mm512_unpacklo_epi16(even, odd),
            high_half = _mm512_unpackhi_epi16(even, odd);
    /* lane L of low_half holds positions 16 L to 16 L + 7, of high_half 16 L + 8 to 16 L + 15 */
    __m128i part[8] = {
        _mm512_extracti32x4_epi32(low_half, 0), _mm512_extracti32x4_epi32(high_half, 0),
        _mm512_extracti32x4_epi32(low_half, 1), _mm512_extracti32x4_epi32(high_half, 1),
        _mm512_extracti32x4_epi32(low_half, 2), _mm512_extracti32x4_epi32(high_half, 2),
        _mm512_extracti32x4_epi32(low_half, 3), _mm512_extracti32x4_epi32(high_half, 3),
    };
    for (int i = 0; i < 8; i++) {
        __m256i *at = (__m256i *)(void *)(sums + 8 * i);
        _mm256_store_si256(at,
                           _mm256_add_epi32(_mm256_load_si256(at), _mm256_cvtepu16_epi32(part[i])));
    }
}

/* Index bytes of the windows of spikes of a row around each position. */
static void index_windows(const struct qsv_code_depthwise *d)
{
    const size_t words = d->block / QSV_WORD;
    for (size_t w = 0; w < d->steps * words; w++) {
        V x = _mm512_setzero_si512();
        for (uint32_t k = 0; k < d->kernel; k++)
            x = _mm512_mask_add_epi8(x, qsv_window_bits(d, d->spikes + w, w % words, k), x,
                                     _mm512_set1_epi8((char)(1 << k)));
        _mm512_storeu_si512(d->index + w * QSV_WORD, x);
    }
}

struct windows { /* of one channel and one nibble */
    uint8_t entry[QSV_MAX_WINDOW][128] __attribute__((aligned(64)));
    bool widen[QSV_MAX_WINDOW]; /* behind the row */
    int base;
};

static void build_windows(struct windows *t, const struct qsv_code_depthwise *d, int nibble)
{
    int span;
    t->base = qsv_window_schedule(t->widen, d, nibble);
    for (uint32_t y = 0; y < d->kernel; y++) {
        const int8_t *codes = d->codes + y * d->kernel;
        qsv_subset_sums(t->entry[y], codes, d->kernel, nibble,
                        qsv_subset_negative(codes, d->kernel, nibble, &span));
    }
}

/* 16-bit sums of 64 positions: full = even + 256 x odd, high = odd. */
static inline void sum_windows(V *full, V *high, const struct qsv_code_depthwise *d,
                               const struct windows *t, size_t at, size_t word)
{
    const size_t words = d->block / QSV_WORD;
    V byte = _mm512_setzero_si512();
    *full = *high = byte;
    for (uint32_t y = 0; y < d->kernel; y++) {
        const size_t tap = (size_t)y * d->kernel +
                           d->pad; /* the row's middle column is inside wherever the row is */
        const V x = _mm512_maskz_loadu_epi8(d->taps.mask[tap * words + word],
                                            d->index + at + d->taps.offset[tap]);
        byte = _mm512_add_epi8(byte, _mm512_permutex2var_epi8(_mm512_load_si512(t->entry[y]), x,
                                                              _mm512_load_si512(t->entry[y] + 64)));
        if (!t->widen[y])
            continue;
        *full = _mm512_add_epi16(*full, byte);
        *high = _mm512_add_epi16(*high, _mm512_srli_epi16(byte, 8));
        byte = _mm512_setzero_si512();
    }
}

void qsv_avx512_code_depthwise(const struct qsv_code_depthwise *d)
{
    const bool nibbles = d->code_max > 32; /* seven times 32 still fits a byte */
    const __m512 multiplier = _mm512_set1_ps(d->multiplier), shift = _mm512_set1_ps(d->shift);
    struct windows low, upper;
    int32_t sums[2][QSV_WORD] __attribute__((aligned(64)));
    index_windows(d);
    build_windows(&low, d, nibbles ? 0 : -1);
    if (nibbles)
        build_windows(&upper, d, 1);
    const V base = _mm512_set1_epi32(low.base + (nibbles ? 16 * upper.base : 0));
    for (uint32_t step = 0; step < d->steps; step++)
        for (size_t word = 0; word < d->block / QSV_WORD; word++) {
            const size_t at = (size_t)step * d->block + word * QSV_WORD;
            V full, high;
            memset(sums, 0, sizeof sums);
            sum_windows(&full, &high, d, &low, at, word);
            empty_sums(sums[0], even_of(full, high), high);
            if (nibbles) {
                sum_windows(&full, &high, d, &upper, at, word);
                empty_sums(sums[1], even_of(full, high), high);
            }
            for (int j = 0; j < 4; j++) {
                const V sum =
                    _mm512_add_epi32(_mm512_load_si512(sums[0] + 16 * j),
                                     _mm512_slli_epi32(_mm512_load_si512(sums[1] + 16 * j), 4));
                const __m512 v = _mm512_cvtepi32_ps(_mm512_sub_epi32(sum, base));
                _mm512_storeu_ps(d->out + at + 16 * j, _mm512_fmadd_ps(v, multiplier, shift));
            }
        }
}

#endif
