/* AVX-512: integer weights on spikes, by subset sums.
 *
 * Six spikes of a position are a number from 0 to 63, which looks up the sum of the weights that
 * fired in a table of 64 bytes, 64 positions an instruction (vpermb): 384 multiply-accumulates
 * whatever the firing rate. A table is the sums of two tables of eight, of the first and the last
 * three weights, which lie ready (core/kernels/code_weights.h). The 16-bit sums `full` hold
 * even + 256 x odd positions, `high` the odd ones.
 */
#if defined(__x86_64__)
#include "core/kernels/avx512.h"
#include "core/kernels/subsets.h"

enum {
    INDEX_BITS = QSV_AVX512_INDEX_BITS,
    VECTORS = QSV_TILE / QSV_WORD,
    CHUNK_BYTES = 256 << 10 /* of indices that all outputs read before the next: half an L2 */
};

typedef qsv_v512 V;

/* Keeps gcc from loading a table once for each use, and from copying sums in every round. */
#define IN_REGISTER(v) __asm__("" : "+v"(v))

/* 16-bit sums of a tile: positions 2 i and 2 i + 1 of each 64, modulo 65536. */
struct sums {
    V even[QSV_OUTPUTS][VECTORS], odd[QSV_OUTPUTS][VECTORS];
};

void qsv_avx512_make_index(uint8_t *index, size_t index_stride, const uint64_t *spikes,
                           uint32_t channels, uint32_t positions)
{
    const size_t words = positions / QSV_WORD;
    for (uint32_t g = 0; g * INDEX_BITS < channels; g++) {
        uint8_t *out = index + g * index_stride;
        const uint64_t *in = spikes + (size_t)g * INDEX_BITS * words;
        const uint32_t n =
            channels - g * INDEX_BITS < INDEX_BITS ? channels - g * INDEX_BITS : INDEX_BITS;
        for (size_t w = 0; w < words; w++) {
            V x = _mm512_setzero_si512();
            for (uint32_t b = 0; b < n; b++)
                x = _mm512_mask_add_epi8(x, in[b * words + w], x, _mm512_set1_epi8((char)(1 << b)));
            _mm512_storeu_si512(out + w * QSV_WORD, x);
        }
    }
}

size_t qsv_avx512_table_bytes(uint32_t taps, uint32_t groups)
{
    return (size_t)2 * taps * groups * QSV_OUTPUTS * 64;
}

/* Entries of four outputs, both parts behind each other. */
static void build_tables(uint8_t *entry, const struct qsv_code_weights *w, uint32_t o4)
{
    const size_t n = (size_t)w->parts * w->taps * w->groups * QSV_OUTPUTS;
    const uint8_t *halves = w->subsets + (size_t)(o4 / QSV_OUTPUTS) * n * 16;
    const V eighth = _mm512_set_epi64(0x0707070707070707, 0x0606060606060606, 0x0505050505050505,
                                      0x0404040404040404, 0x0303030303030303, 0x0202020202020202,
                                      0x0101010101010101, 0);
    for (size_t i = 0; i < n; i++, halves += 16, entry += 64) {
        int64_t first, last;
        memcpy(&first, halves, 8);
        memcpy(&last, halves + 8, 8);
        const V repeated = _mm512_shuffle_epi8(_mm512_set1_epi64(last), eighth);
        _mm512_store_si512(entry, _mm512_add_epi8(_mm512_set1_epi64(first), repeated));
    }
}

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

/* Where a tile of 128 positions lies: words `word` and, where `both`, word + 1 of a time step. */
struct place {
    uint32_t step, word;
    bool both;
};

/* Adds the groups of one part to `s`; wide: whenever it is full, s is emptied into wide
 * [4][128], and at the end too. */
QSV_INLINE void add_groups(struct sums *s, const struct qsv_code_conv *c, const uint8_t *entry,
                           const uint8_t *then, struct place at, int32_t *wide)
{
    const struct qsv_code_weights *w = c->weights;
    const size_t position = (size_t)at.step * c->block + (size_t)at.word * QSV_WORD;
    V byte[QSV_OUTPUTS][VECTORS], full[QSV_OUTPUTS][VECTORS], high[QSV_OUTPUTS][VECTORS];
#pragma GCC unroll 4
    for (int o = 0; o < QSV_OUTPUTS; o++)
#pragma GCC unroll 2
        for (int j = 0; j < VECTORS; j++) {
            byte[o][j] = _mm512_setzero_si512();
            high[o][j] = s->odd[o][j];
            full[o][j] = _mm512_add_epi16(s->even[o][j], _mm512_slli_epi16(s->odd[o][j], 8));
        }
    for (uint32_t t = 0; t < w->taps; t++) {
        const uint64_t *mask = c->taps.mask + (size_t)t * (c->block / QSV_WORD) + at.word;
        const __mmask64 m0 = mask[0], m1 = at.both ? mask[1] : 0;
        const uint8_t *index =
            c->index + c->taps.plane[t] * c->plane_stride + position + c->taps.offset[t];
        for (uint32_t g = 0; g < w->groups;
             g++, index += c->index_stride, entry += 64 * QSV_OUTPUTS) {
            const V x0 = _mm512_maskz_loadu_epi8(m0, index);
            const V x1 = _mm512_maskz_loadu_epi8(m1, index + QSV_WORD);
#pragma GCC unroll 4
            for (int o = 0; o < QSV_OUTPUTS; o++) {
                V table = _mm512_load_si512(entry + 64 * o);
                IN_REGISTER(table);
                byte[o][0] = _mm512_add_epi8(byte[o][0], _mm512_permutexvar_epi8(x0, table));
                byte[o][1] = _mm512_add_epi8(byte[o][1], _mm512_permutexvar_epi8(x1, table));
            }
            if (*then++ == QSV_GO_ON)
                continue;
#pragma GCC unroll 4
            for (int o = 0; o < QSV_OUTPUTS; o++)
#pragma GCC unroll 2
                for (int j = 0; j < VECTORS; j++) {
                    full[o][j] = _mm512_add_epi16(full[o][j], byte[o][j]);
                    high[o][j] = _mm512_add_epi16(high[o][j], _mm512_srli_epi16(byte[o][j], 8));
                    byte[o][j] = _mm512_setzero_si512();
                    IN_REGISTER(full[o][j]);
                    IN_REGISTER(high[o][j]);
                }
            if (!wide || then[-1] == QSV_WIDEN)
                continue;
#pragma GCC unroll 4
            for (int o = 0; o < QSV_OUTPUTS; o++)
#pragma GCC unroll 2
                for (int j = 0; j < VECTORS; j++) {
                    empty_sums(wide + o * QSV_TILE + j * QSV_WORD, even_of(full[o][j], high[o][j]),
                               high[o][j]);
                    full[o][j] = high[o][j] = _mm512_setzero_si512();
                }
        }
    }
#pragma GCC unroll 4
    for (int o = 0; o < QSV_OUTPUTS; o++)
#pragma GCC unroll 2
        for (int j = 0; j < VECTORS; j++) {
            s->odd[o][j] = high[o][j];
            s->even[o][j] = even_of(full[o][j], high[o][j]);
        }
}

struct block { /* four outputs */
    uint32_t o4;
    const uint8_t *entry[2], *then[2]; /* of the parts */
    const int32_t *base;
};

/* Sums that fit 16 bits: what they are too large by is taken off before the first is added. */
static void sum_narrow(struct sums *s, const struct qsv_code_conv *c, const struct block *b,
                       struct place at)
{
    if (c->weights->parts > 1) {
        memset(s, 0, sizeof *s);
        add_groups(s, c, b->entry[1], b->then[1], at, NULL);
    }
    for (int o = 0; o < QSV_OUTPUTS; o++) {
        const V base = _mm512_set1_epi16((short)b->base[o]);
        for (int j = 0; j < VECTORS; j++) {
            V even = _mm512_setzero_si512(), odd = even;
            if (c->weights->parts > 1) {
                even = _mm512_slli_epi16(s->even[o][j], 4);
                odd = _mm512_slli_epi16(s->odd[o][j], 4);
            }
            s->even[o][j] = _mm512_sub_epi16(even, base);
            s->odd[o][j] = _mm512_sub_epi16(odd, base);
        }
    }
    add_groups(s, c, b->entry[0], b->then[0], at, NULL);
}

static void sum_wide(int32_t wide[QSV_OUTPUTS * QSV_TILE], const struct qsv_code_conv *c,
                     const struct block *b, struct place at)
{
    struct sums s;
    memset(wide, 0, QSV_OUTPUTS * QSV_TILE * sizeof *wide);
    for (uint32_t part = c->weights->parts; part-- > 0;) {
        memset(&s, 0, sizeof s);
        add_groups(&s, c, b->entry[part], b->then[part], at, wide);
        for (uint32_t i = 0; i < QSV_OUTPUTS * QSV_TILE; i += 16) {
            V sum = _mm512_load_si512(wide + i);
            sum = part ? _mm512_slli_epi32(sum, 4)
                       : _mm512_sub_epi32(sum, _mm512_set1_epi32(b->base[i / QSV_TILE]));
            _mm512_store_si512(wide + i, sum);
        }
    }
}

/* 64 sums of one output as floats in order. */
QSV_INLINE void floats_of_narrow(__m512 x[4], V even, V odd)
{
    static const int16_t first[32] __attribute__((aligned(64))) = {
        0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
        8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
    const V pick = _mm512_load_si512(first);
    const V low = _mm512_permutex2var_epi16(even, pick, odd);
    const V high =
        _mm512_permutex2var_epi16(even, _mm512_add_epi16(pick, _mm512_set1_epi16(16)), odd);
    x[0] = _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm512_castsi512_si256(low)));
    x[1] = _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(low, 1)));
    x[2] = _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm512_castsi512_si256(high)));
    x[3] = _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(high, 1)));
}

QSV_INLINE void floats_of_wide(__m512 x[4], const int32_t *sums)
{
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        x[i] = _mm512_cvtepi32_ps(_mm512_load_si512(sums + 16 * i));
}

/* The neurons of a tile while its time steps pass. */
struct neurons {
    __m512 v[QSV_OUTPUTS][VECTORS][4];
    V potential[QSV_OUTPUTS];
    uint64_t fired;
};

/* 64 neurons of output o, word j of the tile. */
QSV_INLINE uint64_t charge(const struct qsv_code_conv *c, struct neurons *n, uint32_t o, uint32_t j,
                           const __m512 x[4], uint32_t step, uint64_t valid)
{
    __m512 v[4], h[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        v[i] = step ? n->v[o][j][i] : _mm512_setzero_ps();
    const uint64_t spikes =
        valid & qsv_fire(v, x, _mm512_set1_ps(c->v_th), _mm512_set1_ps(c->decay), h);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        n->v[o][j][i] = v[i];
    n->fired += (uint64_t)_mm_popcnt_u64(spikes);
    if (c->potential)
        n->potential[o] = qsv_add_potential(n->potential[o], h, valid);
    return spikes;
}

/* What follows the sums of output o4 + o, two words of them or one. */
QSV_INLINE void finish(const struct qsv_code_conv *c, struct neurons *n, uint32_t o4, uint32_t o,
                       struct place at, __m512 x[VECTORS][4])
{
    const size_t p = (size_t)at.word * QSV_WORD, position = (size_t)at.step * c->block + p;
    const __m512 multiplier = _mm512_set1_ps(c->multiplier[o4 + o]),
                 shift = _mm512_set1_ps(c->shift[o4 + o]);
    const float *residual = c->residual;
    if (residual)
        residual += (o4 + o) * c->residual_stride + (c->residual_steps > 1 ? position : p);
    float *out = c->out ? c->out + (o4 + o) * c->out_stride + position : NULL;
#pragma GCC unroll 2
    for (uint32_t j = 0; j < VECTORS; j++) {
        if (j && !at.both)
            break;
#pragma GCC unroll 4
        for (uint32_t i = 0; i < 4; i++)
            x[j][i] = _mm512_fmadd_ps(x[j][i], multiplier, shift);
        if (residual)
#pragma GCC unroll 4
            for (uint32_t i = 0; i < 4; i++)
                x[j][i] = _mm512_add_ps(_mm512_loadu_ps(residual + QSV_WORD * j + 16 * i), x[j][i]);
        if (out)
#pragma GCC unroll 4
            for (uint32_t i = 0; i < 4; i++)
                _mm512_storeu_ps(out + QSV_WORD * j + 16 * i, x[j][i]);
    }
    if (!c->spikes)
        return;
    const size_t words = c->block / QSV_WORD;
    uint64_t *spikes = c->spikes + ((size_t)(o4 + o) * c->steps + at.step) * words + at.word;
    spikes[0] = charge(c, n, o, 0, x[0], at.step, qsv_valid_bits(c->positions, at.word));
    if (at.both)
        spikes[1] = charge(c, n, o, 1, x[1], at.step, qsv_valid_bits(c->positions, at.word + 1));
}

/* One tile through all time steps; returns spikes fired. */
static uint64_t run_tile(const struct qsv_code_conv *c, const struct block *b, struct place at)
{
    struct neurons n;
    struct sums narrow;
    int32_t wide[QSV_OUTPUTS * QSV_TILE] __attribute__((aligned(64)));
    const uint32_t left = c->weights->out_ch - b->o4,
                   outputs = left < QSV_OUTPUTS ? left : QSV_OUTPUTS;
    n.fired = 0;
    for (int o = 0; o < QSV_OUTPUTS; o++)
        n.potential[o] = _mm512_setzero_si512();
    for (at.step = 0; at.step < c->steps; at.step++) {
        __m512 x[VECTORS][4];
        if (c->weights->narrow)
            sum_narrow(&narrow, c, b, at);
        else
            sum_wide(wide, c, b, at);
        for (uint32_t o = 0; o < outputs; o++) {
#pragma GCC unroll 2
            for (int j = 0; j < VECTORS; j++)
                if (c->weights->narrow)
                    floats_of_narrow(x[j], narrow.even[o][j], narrow.odd[o][j]);
                else
                    floats_of_wide(x[j], wide + o * QSV_TILE + j * QSV_WORD);
            finish(c, &n, b->o4, o, at, x);
        }
    }
    for (uint32_t o = 0; c->spikes && c->potential && o < outputs; o++)
        c->potential[b->o4 + o] += _mm512_reduce_add_epi32(n.potential[o]);
    return n.fired;
}

static struct block block_of(const struct qsv_code_conv *c, uint32_t o4)
{
    const struct qsv_code_weights *w = c->weights;
    const size_t n = (size_t)w->taps * w->groups;
    const uint8_t *then = w->then + (size_t)(o4 / QSV_OUTPUTS) * w->parts * n;
    return (struct block){
        .o4 = o4,
        .entry = {c->tables, c->tables + n * QSV_OUTPUTS * 64},
        .then = {then, then + n},
        .base = w->base + o4,
    };
}

uint64_t qsv_avx512_code_conv(const struct qsv_code_conv *c)
{
    const uint32_t words = c->block / QSV_WORD;
    const size_t word_bytes = (size_t)c->weights->groups * c->steps * QSV_WORD;
    const uint32_t chunk = (uint32_t)(CHUNK_BYTES / word_bytes + 8) / VECTORS * VECTORS;
    uint64_t fired = 0;
    for (uint32_t first = 0; first < words; first += chunk) {
        const uint32_t end = words - first < chunk ? words : first + chunk;
        for (uint32_t o4 = 0; o4 < c->weights->out_ch; o4 += QSV_OUTPUTS) {
            const struct block b = block_of(c, o4);
            build_tables(c->tables, c->weights, o4);
            for (uint32_t word = first; word < end; word += VECTORS)
                fired += run_tile(c, &b, (struct place){0, word, word + 1 < words});
        }
    }
    return fired;
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
