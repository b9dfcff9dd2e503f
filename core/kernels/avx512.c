/* AVX-512 (F, BW, VL, DQ, VBMI, VPOPCNTDQ); compiled with its own flags, run only where the CPU has
 * them.
 *
 * Integer weights on spikes go by subset sums: six spikes of a position are a number from 0 to 63,
 * which looks up the sum of the weights that fired in a table of 64 bytes, 64 positions an
 * instruction (vpermb): 384 multiply-accumulates whatever the firing rate.
 * - Table entries are made unsigned by adding the magnitude of the group's negative weights, taken
 * off once at the end.
 * - Bytes are added up as long as no sum can pass 255 (a property of the weights, found when the
 * tables are built), then widened: the 16-bit sums `full` hold even + 256 x odd positions, `high`
 * the odd ones. They are emptied into 32 bits before they can pass 65535.
 * - int8 takes two tables, one a nibble: code = 16 x high + low.
 * Depthwise layers look up the spikes of a kernel's row, up to seven, in tables of 128 bytes.
 */
#if defined(__x86_64__)
#include "core/kernels/subsets.h"

#include <immintrin.h>

enum { INDEX_BITS = 6, VECTORS = QSV_TILE / QSV_WORD };

typedef __m512i V;

static void make_index(uint8_t *index, size_t index_stride, const uint64_t *spikes,
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

static size_t groups_bytes(uint32_t taps, uint32_t groups)
{
    return (size_t)taps * groups * QSV_OUTPUTS * 64 * 2; /* two nibbles */
}

/* Tables of four outputs, what to do behind each group, 32-bit sums of a tile, two nibbles' worth.
 */
static size_t table_bytes(uint32_t taps, uint32_t groups)
{
    const size_t sums = 2 * QSV_OUTPUTS * QSV_TILE * sizeof(int32_t);
    return groups_bytes(taps, groups) + sums + 2 * (((size_t)taps * groups + 63) / 64 * 64);
}

struct tables { /* of four outputs and one nibble */
    uint8_t (*entry)[QSV_OUTPUTS][64];
    uint8_t *then;             /* [taps x groups] */
    int32_t base[QSV_OUTPUTS]; /* what the sums are too large by */
};

static void build_entry(uint8_t entry[64], const int8_t *codes, int nibble)
{
    static const uint64_t fires[INDEX_BITS] = {0xAAAAAAAAAAAAAAAAu, 0xCCCCCCCCCCCCCCCCu,
                                               0xF0F0F0F0F0F0F0F0u, 0xFF00FF00FF00FF00u,
                                               0xFFFF0000FFFF0000u, 0xFFFFFFFF00000000u};
    int span;
    V t = _mm512_set1_epi8((char)qsv_subset_negative(codes, INDEX_BITS, nibble, &span));
    for (int b = 0; b < INDEX_BITS; b++)
        t = _mm512_mask_add_epi8(t, fires[b], t,
                                 _mm512_set1_epi8((char)qsv_code_part(codes[b], nibble)));
    _mm512_store_si512(entry, t);
}

static void build_tables(struct tables *t, const struct qsv_code_conv *c, uint32_t o4, int nibble)
{
    const uint32_t n = c->taps.n * c->groups;
    qsv_subset_schedule(t->then, t->base, c, o4, INDEX_BITS, nibble);
    for (uint32_t o = 0; o < QSV_OUTPUTS; o++)
        for (uint32_t k = 0; k < n; k++)
            build_entry(t->entry[k][o], c->codes + ((size_t)(o4 + o) * n + k) * INDEX_BITS, nibble);
}

/* Adds 16-bit sums of 64 positions to 32-bit ones in order. */
static inline void empty_sums(int32_t *sums, V full, V high)
{
    const V even = _mm512_sub_epi16(full, _mm512_slli_epi16(high, 8));
    const V low_half = _mm512_unpacklo_epi16(even, high),
            high_half = _mm512_unpackhi_epi16(even, high);
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

/* Sums of one tile of 128 positions into sums [4][128]. */
static void sum_tile(int32_t *sums, const struct qsv_code_conv *c, const struct tables *tables,
                     uint32_t step, uint32_t word)
{
    const size_t at = (size_t)step * c->block + (size_t)word * QSV_WORD;
    const bool both = (word + 1) * QSV_WORD < c->block;
    const uint8_t(*entry)[QSV_OUTPUTS][64] = (const uint8_t(*)[QSV_OUTPUTS][64])tables->entry;
    const uint8_t *then = tables->then;
    V byte[QSV_OUTPUTS][VECTORS], full[QSV_OUTPUTS][VECTORS], high[QSV_OUTPUTS][VECTORS];
#pragma GCC unroll 4
    for (int o = 0; o < QSV_OUTPUTS; o++)
#pragma GCC unroll 2
        for (int j = 0; j < VECTORS; j++)
            byte[o][j] = full[o][j] = high[o][j] = _mm512_setzero_si512();
    memset(sums, 0, QSV_OUTPUTS * QSV_TILE * sizeof *sums);
    for (uint32_t t = 0; t < c->taps.n; t++) {
        const uint64_t *mask = c->taps.mask + (size_t)t * (c->block / QSV_WORD) + word;
        const __mmask64 m0 = mask[0], m1 = both ? mask[1] : 0;
        const uint8_t *index = c->index + t * c->tap_stride + at + c->taps.offset[t];
        for (uint32_t g = 0; g < c->groups; g++, index += c->index_stride, entry++) {
            const V x0 = _mm512_maskz_loadu_epi8(m0, index);
            const V x1 = _mm512_maskz_loadu_epi8(m1, index + QSV_WORD);
#pragma GCC unroll 4
            for (int o = 0; o < QSV_OUTPUTS; o++) {
                const V table = _mm512_load_si512((*entry)[o]);
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
                }
            if (then[-1] == QSV_WIDEN)
                continue;
#pragma GCC unroll 4
            for (int o = 0; o < QSV_OUTPUTS; o++)
#pragma GCC unroll 2
                for (int j = 0; j < VECTORS; j++) {
                    empty_sums(sums + o * QSV_TILE + j * QSV_WORD, full[o][j], high[o][j]);
                    full[o][j] = high[o][j] = _mm512_setzero_si512();
                }
        }
    }
}

static inline __m512 affine(__m512 v, const float *multiplier, const float *shift, uint32_t o)
{
    if (multiplier)
        v = _mm512_mul_ps(v, _mm512_set1_ps(multiplier[o]));
    if (shift)
        v = _mm512_add_ps(v, _mm512_set1_ps(shift[o]));
    return v;
}

static void store_tile(const struct qsv_code_conv *c, uint32_t o4, size_t at, uint32_t positions,
                       const int32_t *low, const int32_t *high, const int32_t base[QSV_OUTPUTS])
{
    for (uint32_t o = 0; o < QSV_OUTPUTS && o4 + o < c->out_ch; o++) {
        float *out = c->out + (o4 + o) * c->out_stride + at;
        for (uint32_t p = 0; p < positions; p += 16) {
            V sum = _mm512_load_si512(low + o * QSV_TILE + p);
            if (high)
                sum = _mm512_add_epi32(
                    sum, _mm512_slli_epi32(_mm512_load_si512(high + o * QSV_TILE + p), 4));
            sum = _mm512_sub_epi32(sum, _mm512_set1_epi32(base[o]));
            _mm512_storeu_ps(out + p,
                             affine(_mm512_cvtepi32_ps(sum), c->multiplier, c->shift, o4 + o));
        }
    }
}

static void code_conv(const struct qsv_code_conv *c)
{
    const uint32_t n = c->taps.n * c->groups, words = c->block / QSV_WORD;
    const bool nibbles = c->code_max > 32; /* six times 32 still fits a byte */
    uint8_t *memory = c->tables;
    int32_t *sums = (int32_t *)(void *)memory;
    memory += 2 * QSV_OUTPUTS * QSV_TILE * sizeof *sums;
    struct tables low = {.entry = (uint8_t(*)[QSV_OUTPUTS][64])(void *)memory}, high = low;
    high.entry += n;
    low.then = memory + groups_bytes(c->taps.n, c->groups);
    high.then = low.then + (n + 63) / 64 * 64;
    for (uint32_t o4 = 0; o4 < c->out_ch; o4 += QSV_OUTPUTS) {
        build_tables(&low, c, o4, nibbles ? 0 : -1);
        if (nibbles)
            build_tables(&high, c, o4, 1);
        for (int o = 0; nibbles && o < QSV_OUTPUTS; o++)
            low.base[o] += 16 * high.base[o];
        for (uint32_t step = 0; step < c->steps; step++)
            for (uint32_t word = 0; word < words; word += VECTORS) {
                int32_t *sums_high = nibbles ? sums + QSV_OUTPUTS * QSV_TILE : NULL;
                sum_tile(sums, c, &low, step, word);
                if (nibbles)
                    sum_tile(sums_high, c, &high, step, word);
                store_tile(c, o4, (size_t)step * c->block + (size_t)word * QSV_WORD,
                           word + 1 < words ? QSV_TILE : QSV_WORD, sums, sums_high, low.base);
            }
    }
}

/* places[index]: which bits of an index are set, ascending, as 16-bit numbers. */
static const uint16_t *places_of(uint32_t index)
{
    static uint16_t places[64][8];
    static bool made;
    if (!made) {
        for (uint32_t i = 0; i < 64; i++)
            for (uint32_t b = 0, n = 0; b < INDEX_BITS; b++)
                if (i >> b & 1)
                    places[i][n++] = (uint16_t)b;
        made = true;
    }
    return places[index];
}

static void list_events(uint16_t *events, uint32_t *first_event, const uint8_t *index,
                        size_t index_stride, uint32_t groups, uint32_t positions)
{
    const uint16_t *places = places_of(0);
    uint32_t n = 0;
    for (uint32_t p = 0; p < positions; p++) {
        const uint8_t *at = index + p;
        first_event[p] = n;
        for (uint32_t g = 0; g < groups; g++, at += index_stride) {
            const __m128i channel =
                _mm_add_epi16(_mm_loadu_si128((const __m128i *)(const void *)(places + 8 * *at)),
                              _mm_set1_epi16((short)(g * INDEX_BITS)));
            _mm_storeu_si128((__m128i *)(void *)(events + n), channel);
            n += (uint32_t)_mm_popcnt_u32(*at);
        }
    }
    first_event[positions] = n;
}

/* The weight rows of one output position, in ascending k; returns how many. */
static inline uint32_t gather_rows(const struct qsv_row_conv *c, uint32_t *list,
                                   const uint32_t *first_event, uint32_t oy, uint32_t ox)
{
    uint32_t n = 0, y0, y1, x0, x1;
    qsv_taps_inside(oy, c->step, c->pad, c->kernel, c->h, &y0, &y1);
    qsv_taps_inside(ox, c->step, c->pad, c->kernel, c->w, &x0, &x1);
    for (uint32_t ky = y0; ky < y1; ky++) {
        const uint32_t *first =
            first_event + (size_t)(oy * c->step + ky - c->pad) * c->w + ox * c->step - c->pad;
        for (uint32_t kx = x0; kx < x1; kx++) {
            const V base = _mm512_set1_epi32((int)((ky * c->kernel + kx) * c->in_ch));
            for (uint32_t e = first[kx]; e < first[kx + 1]; e += 16) {
                const V row = _mm512_cvtepu16_epi32(
                    _mm256_loadu_si256((const __m256i *)(const void *)(c->events + e)));
                _mm512_storeu_si512(list + n + (e - first[kx]), _mm512_add_epi32(row, base));
            }
            n += first[kx + 1] - first[kx];
        }
    }
    return n;
}

/* Sums n rows of `vectors` x 16 outputs; a constant number of vectors keeps them in registers. */
static inline __attribute__((always_inline)) void add_vectors(float *out, const float *rows,
                                                              uint32_t width, const uint32_t *list,
                                                              uint32_t n, int vectors)
{
    __m512 s[8];
#pragma GCC unroll 8
    for (int j = 0; j < vectors; j++)
        s[j] = _mm512_setzero_ps();
    for (uint32_t i = 0; i < n; i++) {
        const float *w = rows + (size_t)list[i] * width;
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++)
            s[j] = _mm512_add_ps(s[j], _mm512_load_ps(w + 16 * j));
    }
#pragma GCC unroll 8
    for (int j = 0; j < vectors; j++)
        _mm512_store_ps(out + 16 * j, s[j]);
}

/* As many vectors at once as there are: a sum's additions wait for each other, those of others do
 * not. */
static void add_rows(float *out, const struct qsv_row_conv *c, const uint32_t *list, uint32_t n)
{
    for (uint32_t o = 0; o < c->width; o += 128) {
        const float *rows = c->rows + o;
        switch (c->width - o < 128 ? (c->width - o) / 16 : 8) {
        case 1:
            add_vectors(out + o, rows, c->width, list, n, 1);
            break;
        case 2:
            add_vectors(out + o, rows, c->width, list, n, 2);
            break;
        case 3:
            add_vectors(out + o, rows, c->width, list, n, 3);
            break;
        case 4:
            add_vectors(out + o, rows, c->width, list, n, 4);
            break;
        case 5:
            add_vectors(out + o, rows, c->width, list, n, 5);
            break;
        case 6:
            add_vectors(out + o, rows, c->width, list, n, 6);
            break;
        case 7:
            add_vectors(out + o, rows, c->width, list, n, 7);
            break;
        default:
            add_vectors(out + o, rows, c->width, list, n, 8);
        }
    }
}

static inline void transpose16(__m512 r[16])
{
    __m512 t[16];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_castpd_ps(
            _mm512_unpacklo_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
        r[i + 1] = _mm512_castpd_ps(
            _mm512_unpackhi_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
        r[i + 2] = _mm512_castpd_ps(
            _mm512_unpacklo_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
        r[i + 3] = _mm512_castpd_ps(
            _mm512_unpackhi_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

/* Sixteen positions of the tile, outputs innermost -> positions innermost. */
static void store_rows(const struct qsv_row_conv *c, float *out, uint32_t positions)
{
    const __mmask16 keep = (__mmask16)((1u << positions) - 1);
    for (uint32_t o = 0; o < c->out_ch; o += 16) {
        const uint32_t n = c->out_ch - o < 16 ? c->out_ch - o : 16;
        __m512 r[16];
#pragma GCC unroll 16
        for (int p = 0; p < 16; p++)
            r[p] = _mm512_load_ps(c->tile + (size_t)p * c->width + o);
        transpose16(r);
#pragma GCC unroll 16
        for (uint32_t i = 0; i < 16; i++)
            if (i < n)
                _mm512_mask_storeu_ps(out + (o + i) * c->out_stride, keep,
                                      affine(r[i], c->multiplier, c->shift, o + i));
    }
}

/* Output positions in order. */
struct walk {
    const uint32_t *first_event; /* of the image */
    uint32_t oy, ox;
};

static inline void walk_on(struct walk *w, const struct qsv_row_conv *c)
{
    if (++w->ox < c->out_w)
        return;
    w->ox = 0;
    if (++w->oy < c->out_h)
        return;
    w->oy = 0;
    w->first_event += (size_t)c->h * c->w;
}

/* Two positions of a layer of at most 16 outputs, whose two sums do not wait for each other. */
static void add_rows_of_two(float *tile, const struct qsv_row_conv *c, const uint32_t *list,
                            uint32_t n0, uint32_t n1)
{
    const uint32_t *other = list + n0, both = n0 < n1 ? n0 : n1;
    __m512 s0 = _mm512_setzero_ps(), s1 = s0;
    for (uint32_t i = 0; i < both; i++) {
        s0 = _mm512_add_ps(s0, _mm512_load_ps(c->rows + (size_t)list[i] * 16));
        s1 = _mm512_add_ps(s1, _mm512_load_ps(c->rows + (size_t)other[i] * 16));
    }
    for (uint32_t i = both; i < n0; i++)
        s0 = _mm512_add_ps(s0, _mm512_load_ps(c->rows + (size_t)list[i] * 16));
    for (uint32_t i = both; i < n1; i++)
        s1 = _mm512_add_ps(s1, _mm512_load_ps(c->rows + (size_t)other[i] * 16));
    _mm512_store_ps(tile, s0);
    _mm512_store_ps(tile + 16, s1);
}

static void fill_tile(const struct qsv_row_conv *c, struct walk *w, uint32_t positions)
{
    uint32_t p = 0;
    for (; c->width == 16 && p + 2 <= positions; p += 2) {
        const uint32_t n0 = gather_rows(c, c->list, w->first_event, w->oy, w->ox);
        walk_on(w, c);
        const uint32_t n1 = gather_rows(c, c->list + n0, w->first_event, w->oy, w->ox);
        walk_on(w, c);
        add_rows_of_two(c->tile + (size_t)p * 16, c, c->list, n0, n1);
    }
    for (; p < positions; p++) {
        const uint32_t n = gather_rows(c, c->list, w->first_event, w->oy, w->ox);
        walk_on(w, c);
        add_rows(c->tile + (size_t)p * c->width, c, c->list, n);
    }
}

static void row_conv(const struct qsv_row_conv *c)
{
    const uint32_t positions = c->images * c->out_h * c->out_w;
    struct walk w = {c->first_event, 0, 0};
    for (uint32_t p = 0; p < positions; p += 16) {
        const uint32_t n = positions - p < 16 ? positions - p : 16;
        fill_tile(c, &w, n);
        store_rows(c, c->out + p, n);
    }
}

static void dense(const struct qsv_dense *d)
{
    for (uint32_t p = 0; p < d->positions; p += 64)
        for (uint32_t o4 = 0; o4 < d->out_ch; o4 += 4) {
            const float *w = d->weight + (size_t)o4 * d->k, *x = d->x + p;
            __m512 s[4][4];
#pragma GCC unroll 4
            for (int o = 0; o < 4; o++)
#pragma GCC unroll 4
                for (int j = 0; j < 4; j++)
                    s[o][j] = _mm512_setzero_ps();
            for (uint32_t k = 0; k < d->k; k++, w += 4, x += d->x_stride) {
                const __m512 x0 = _mm512_loadu_ps(x), x1 = _mm512_loadu_ps(x + 16);
                const __m512 x2 = _mm512_loadu_ps(x + 32), x3 = _mm512_loadu_ps(x + 48);
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
                        _mm512_storeu_ps(d->out + (o4 + o) * d->out_stride + p + 16 * j,
                                         affine(s[o][j], d->multiplier, d->shift, o4 + o));
        }
}

static void depthwise(const struct qsv_depthwise *d)
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
                _mm512_storeu_ps(d->out + at + 16 * j,
                                 _mm512_add_ps(_mm512_mul_ps(s[j], multiplier), shift));
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

static void code_depthwise(const struct qsv_code_depthwise *d)
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
            empty_sums(sums[0], full, high);
            if (nibbles) {
                sum_windows(&full, &high, d, &upper, at, word);
                empty_sums(sums[1], full, high);
            }
            for (int j = 0; j < 4; j++) {
                const V sum =
                    _mm512_add_epi32(_mm512_load_si512(sums[0] + 16 * j),
                                     _mm512_slli_epi32(_mm512_load_si512(sums[1] + 16 * j), 4));
                const __m512 v = _mm512_cvtepi32_ps(_mm512_sub_epi32(sum, base));
                _mm512_storeu_ps(d->out + at + 16 * j,
                                 _mm512_add_ps(_mm512_mul_ps(v, multiplier), shift));
            }
        }
}

static void expand(float *out, const uint64_t *spikes, size_t words)
{
    for (size_t w = 0; w < words; w++, out += QSV_WORD)
        for (int j = 0; j < 4; j++)
            _mm512_storeu_ps(out + 16 * j, _mm512_maskz_mov_ps((__mmask16)(spikes[w] >> 16 * j),
                                                               _mm512_set1_ps(1)));
}

/* round(256 x clip(h)), ties to even */
static inline V fixed_point(__m512 h)
{
    h = _mm512_max_ps(_mm512_min_ps(h, _mm512_set1_ps(128)), _mm512_set1_ps(-128));
    return _mm512_cvtps_epi32(_mm512_mul_ps(h, _mm512_set1_ps(256)));
}

static uint64_t lif(const struct qsv_lif_channel *f)
{
    const __m512 v_th = _mm512_set1_ps(f->v_th), decay = _mm512_set1_ps(f->decay);
    const size_t words = f->block / QSV_WORD, x_step = f->x_steps > 1 ? f->block : 0;
    uint64_t fired = 0;
    for (size_t word = 0; word < words; word++) {
        const uint64_t valid = qsv_valid_bits(f->positions, word);
        __m512 v[4];
        V potential = _mm512_setzero_si512();
        for (int j = 0; j < 4; j++)
            v[j] = _mm512_setzero_ps();
        for (uint32_t t = 0; t < f->steps; t++) {
            const float *x = f->x + t * x_step + word * QSV_WORD;
            uint64_t spikes = 0;
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) {
                const __m512 in = _mm512_loadu_ps(x + 16 * j);
                const __m512 h = _mm512_add_ps(v[j], _mm512_mul_ps(_mm512_sub_ps(in, v[j]), decay));
                const __mmask16 fire = _mm512_cmp_ps_mask(h, v_th, _CMP_GE_OQ);
                v[j] = _mm512_maskz_mov_ps((__mmask16)~fire, h);
                spikes |= (uint64_t)fire << 16 * j;
                if (f->potential)
                    potential = _mm512_mask_add_epi32(potential, (__mmask16)(valid >> 16 * j),
                                                      potential, fixed_point(h));
            }
            f->spikes[t * words + word] = spikes & valid;
            fired += (uint64_t)_mm_popcnt_u64(spikes & valid);
        }
        if (f->potential)
            *f->potential += _mm512_reduce_add_epi32(potential);
    }
    return fired;
}

static uint64_t count_both(const struct qsv_attend *a)
{
    const size_t width = (a->channels + 15) / 16 * 16;
    uint64_t n = 0;
    for (uint32_t i = 0; i < a->channels; i++)
        for (uint32_t j = 0; j < a->channels; j++) {
            const uint64_t *k = a->k + (size_t)i * a->words, *v = a->v + (size_t)j * a->words;
            uint64_t both = 0;
            for (uint32_t w = 0; w < a->words; w++)
                both += (uint64_t)_mm_popcnt_u64(k[w] & v[w]);
            a->counts[i * width + j] = (int32_t)both;
            n += both;
        }
    return n;
}

static uint64_t attend(const struct qsv_attend *a)
{
    const size_t width = (a->channels + 15) / 16 * 16;
    const __m512 scale = _mm512_set1_ps(a->scale);
    uint64_t n = count_both(a);
    for (uint32_t j = 0; j < a->channels; j++)
        for (uint32_t p = 0; p < a->tokens; p += 16) {
            V sum = _mm512_setzero_si512();
            for (uint32_t i = 0; i < a->channels; i++) {
                const __mmask16 q = (__mmask16)(a->q[(size_t)i * a->words + p / 64] >> p % 64);
                sum =
                    _mm512_mask_add_epi32(sum, q, sum, _mm512_set1_epi32(a->counts[i * width + j]));
            }
            _mm512_storeu_ps(a->out + j * a->out_stride + p,
                             _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale));
        }
    for (size_t i = 0; i < (size_t)a->channels * a->words; i++)
        n += (uint64_t)_mm_popcnt_u64(a->q[i]) * a->channels;
    return n;
}

static void add(float *out, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        _mm512_storeu_ps(out + i, _mm512_add_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i)));
}

static uint64_t weigh(const uint64_t *spikes, uint32_t steps, uint32_t words, const uint64_t *mask,
                      const uint32_t *value, uint32_t classes)
{
    uint64_t sum = 0;
    for (uint32_t s = 0; s < steps; s++, spikes += words)
        for (uint32_t c = 0; c < classes; c++) {
            uint64_t n = 0;
            for (uint32_t w = 0; w < words; w++)
                n += (uint64_t)_mm_popcnt_u64(spikes[w] & mask[(size_t)c * words + w]);
            sum += value[c] * n;
        }
    return sum;
}

const struct qsv_kernels qsv_kernels_avx512 = {
    "avx512",  INDEX_BITS,     make_index, table_bytes, code_conv, list_events, row_conv, dense,
    depthwise, code_depthwise, expand,     lif,         attend,    add,         weigh,
};
#endif
