/* AVX2 and FMA; compiled with its own flags, run only where the CPU has them.
 *
 * The same subset sums as AVX-512's with four spikes an index, tables of 16 bytes and 32 positions
 * a look-up (vpshufb).
 */
#if defined(__x86_64__)
#include "core/kernels/subsets.h"

#include <immintrin.h>
#include <math.h>

enum { INDEX_BITS = 4, PAIR = 2, LANES = 8 };

typedef __m256i V;

/* Bit i of bits -> byte i: 0xff or 0. */
static inline V byte_mask(uint32_t bits)
{
    const V spread =
        _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const V select = _mm256_set1_epi64x((long long)0x8040201008040201u);
    const V bytes = _mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), spread);
    return _mm256_cmpeq_epi8(_mm256_and_si256(bytes, select), select);
}

/* Bit i of bits -> lane i: all ones or 0. */
static inline V lane_mask(uint32_t bits)
{
    const V select = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), select), select);
}

static inline V load(const void *p)
{
    return _mm256_loadu_si256((const V *)p);
}

static inline void store(void *p, V v)
{
    _mm256_storeu_si256((V *)p, v);
}

static inline V table_of(const uint8_t *entry)
{
    return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)(const void *)entry));
}

static void make_index(uint8_t *index, size_t index_stride, const uint64_t *spikes,
                       uint32_t channels, uint32_t positions)
{
    const size_t words = positions / QSV_WORD;
    for (uint32_t g = 0; g * INDEX_BITS < channels; g++) {
        const uint64_t *in = spikes + (size_t)g * INDEX_BITS * words;
        const uint32_t left = channels - g * INDEX_BITS, n = left < INDEX_BITS ? left : INDEX_BITS;
        for (size_t half = 0; half < 2 * words; half++) {
            V x = _mm256_setzero_si256();
            for (uint32_t b = 0; b < n; b++) {
                const V fires = byte_mask((uint32_t)(in[b * words + half / 2] >> half % 2 * 32));
                x = _mm256_or_si256(x, _mm256_and_si256(fires, _mm256_set1_epi8((char)(1 << b))));
            }
            store(index + g * index_stride + half * 32, x);
        }
    }
}

/* Of one word: 32-bit sums of two outputs, and of their upper nibbles. */
static size_t table_bytes(uint32_t taps, uint32_t groups)
{
    (void)taps;
    (void)groups;
    return 2 * PAIR * QSV_WORD * sizeof(int32_t);
}

/* Adds 16-bit sums of 32 positions to 32-bit ones in order: full = even + 256 x odd, high = odd. */
static inline void empty_sums(int32_t *sums, V full, V high)
{
    const V even = _mm256_sub_epi16(full, _mm256_slli_epi16(high, 8));
    const V low = _mm256_unpacklo_epi16(even, high), up = _mm256_unpackhi_epi16(even, high);
    /* low holds positions 0 to 7 and 16 to 23, up 8 to 15 and 24 to 31 */
    const __m128i part[4] = {_mm256_castsi256_si128(low), _mm256_castsi256_si128(up),
                             _mm256_extracti128_si256(low, 1), _mm256_extracti128_si256(up, 1)};
    for (int i = 0; i < 4; i++)
        store(sums + 8 * i, _mm256_add_epi32(load(sums + 8 * i), _mm256_cvtepu16_epi32(part[i])));
}

/* Neurons of eight positions at one time step; returns which fired. */
static inline uint32_t fire(__m256 *v, __m256 x, float v_th, float decay, __m256 *h)
{
    *h = _mm256_fmadd_ps(_mm256_sub_ps(x, *v), _mm256_set1_ps(decay), *v);
    const __m256 spikes = _mm256_cmp_ps(*h, _mm256_set1_ps(v_th), _CMP_GE_OQ);
    *v = _mm256_andnot_ps(spikes, *h);
    return (uint32_t)_mm256_movemask_ps(spikes);
}

/* Adds round(256 x clip(h)), ties to even, of the valid positions. */
static inline V add_potential(V sum, __m256 h, uint32_t valid)
{
    h = _mm256_max_ps(_mm256_min_ps(h, _mm256_set1_ps(128)), _mm256_set1_ps(-128));
    const V fixed = _mm256_cvtps_epi32(_mm256_mul_ps(h, _mm256_set1_ps(256)));
    return _mm256_add_epi32(sum, _mm256_and_si256(lane_mask(valid), fixed));
}

static int64_t sum_lanes(V v)
{
    int32_t lane[LANES];
    int64_t sum = 0;
    store(lane, v);
    for (int i = 0; i < LANES; i++)
        sum += lane[i];
    return sum;
}

/* A part's tables of four outputs. */
struct block {
    const uint8_t (*entry)[QSV_OUTPUTS][16];
    const uint8_t *then;
};

static struct block block_of(const struct qsv_code_weights *w, uint32_t o4, uint32_t part)
{
    const size_t n = (size_t)w->taps * w->groups,
                 at = ((size_t)(o4 / QSV_OUTPUTS) * w->parts + part) * n;
    return (struct block){(const uint8_t(*)[QSV_OUTPUTS][16])w->subsets + at, w->then + at};
}

struct place {
    uint32_t step, word;
};

/* Sums of 64 positions of outputs pair and pair + 1 of a block into sums [2][64]. */
static void sum_word(int32_t *sums, const struct qsv_code_conv *c, struct block b, uint32_t pair,
                     struct place at)
{
    const struct qsv_code_weights *w = c->weights;
    const size_t position = (size_t)at.step * c->block + (size_t)at.word * QSV_WORD;
    V byte[PAIR][2], full[PAIR][2], high[PAIR][2];
#pragma GCC unroll 2
    for (int o = 0; o < PAIR; o++)
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++)
            byte[o][j] = full[o][j] = high[o][j] = _mm256_setzero_si256();
    memset(sums, 0, PAIR * QSV_WORD * sizeof *sums);
    for (uint32_t t = 0; t < w->taps; t++) {
        const uint64_t mask = c->taps.mask[(size_t)t * (c->block / QSV_WORD) + at.word];
        const V m0 = byte_mask((uint32_t)mask), m1 = byte_mask((uint32_t)(mask >> 32));
        const uint8_t *index =
            c->index + c->taps.plane[t] * c->plane_stride + position + c->taps.offset[t];
        for (uint32_t g = 0; g < w->groups; g++, index += c->index_stride, b.entry++) {
            const V x0 = _mm256_and_si256(m0, load(index)),
                    x1 = _mm256_and_si256(m1, load(index + 32));
#pragma GCC unroll 2
            for (uint32_t o = 0; o < PAIR; o++) {
                const V table = table_of((*b.entry)[pair + o]);
                byte[o][0] = _mm256_add_epi8(byte[o][0], _mm256_shuffle_epi8(table, x0));
                byte[o][1] = _mm256_add_epi8(byte[o][1], _mm256_shuffle_epi8(table, x1));
            }
            if (*b.then++ == QSV_GO_ON)
                continue;
#pragma GCC unroll 2
            for (int o = 0; o < PAIR; o++)
#pragma GCC unroll 2
                for (int j = 0; j < 2; j++) {
                    full[o][j] = _mm256_add_epi16(full[o][j], byte[o][j]);
                    high[o][j] = _mm256_add_epi16(high[o][j], _mm256_srli_epi16(byte[o][j], 8));
                    byte[o][j] = _mm256_setzero_si256();
                }
            if (b.then[-1] == QSV_WIDEN)
                continue;
#pragma GCC unroll 2
            for (int o = 0; o < PAIR; o++)
#pragma GCC unroll 2
                for (int j = 0; j < 2; j++) {
                    empty_sums(sums + o * QSV_WORD + j * 32, full[o][j], high[o][j]);
                    full[o][j] = high[o][j] = _mm256_setzero_si256();
                }
        }
    }
}

/* The neurons of two outputs and a word while its time steps pass. */
struct neurons {
    __m256 v[PAIR][QSV_WORD / LANES];
    V potential[PAIR];
    uint64_t fired;
};

/* What follows 64 sums of one output; upper: the upper nibble's, or NULL. */
static void finish_word(const struct qsv_code_conv *c, struct neurons *n, uint32_t o,
                        struct place at, const int32_t *lower, const int32_t *upper)
{
    const size_t words = c->block / QSV_WORD, p = (size_t)at.word * QSV_WORD,
                 position = (size_t)at.step * c->block + p;
    const uint64_t valid = qsv_valid_bits(c->positions, at.word);
    const float *residual = c->residual;
    uint64_t spikes = 0;
    if (residual)
        residual += o * c->residual_stride + (c->residual_steps > 1 ? position : p);
    for (uint32_t i = 0; i < QSV_WORD; i += LANES) {
        V sum = load(lower + i);
        if (upper)
            sum = _mm256_add_epi32(sum, _mm256_slli_epi32(load(upper + i), 4));
        sum = _mm256_sub_epi32(sum, _mm256_set1_epi32(c->weights->base[o]));
        __m256 h, x = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(c->multiplier[o]),
                                      _mm256_set1_ps(c->shift[o]));
        if (residual)
            x = _mm256_add_ps(_mm256_loadu_ps(residual + i), x);
        if (c->out)
            _mm256_storeu_ps(c->out + o * c->out_stride + position + i, x);
        if (!c->spikes)
            continue;
        spikes |= (uint64_t)fire(&n->v[o % PAIR][i / LANES], x, c->v_th, c->decay, &h) << i;
        if (c->potential)
            n->potential[o % PAIR] =
                add_potential(n->potential[o % PAIR], h, (uint32_t)(valid >> i) & 255);
    }
    if (!c->spikes)
        return;
    c->spikes[((size_t)o * c->steps + at.step) * words + at.word] = spikes & valid;
    n->fired += (uint64_t)_mm_popcnt_u64(spikes & valid);
}

/* Outputs o and o + 1, one word through all time steps; returns spikes fired. */
static uint64_t run_word(const struct qsv_code_conv *c, uint32_t o, uint32_t word)
{
    const struct qsv_code_weights *w = c->weights;
    const uint32_t o4 = o / QSV_OUTPUTS * QSV_OUTPUTS;
    int32_t *lower = (int32_t *)(void *)c->tables, *upper = lower + PAIR * QSV_WORD;
    struct neurons n;
    memset(&n, 0, sizeof n);
    for (uint32_t step = 0; step < c->steps; step++) {
        const struct place at = {step, word};
        sum_word(lower, c, block_of(w, o4, 0), o - o4, at);
        if (w->parts > 1)
            sum_word(upper, c, block_of(w, o4, 1), o - o4, at);
        for (uint32_t i = 0; i < PAIR && o + i < w->out_ch; i++)
            finish_word(c, &n, o + i, at, lower + i * QSV_WORD,
                        w->parts > 1 ? upper + i * QSV_WORD : NULL);
    }
    for (uint32_t i = 0; c->spikes && c->potential && i < PAIR && o + i < w->out_ch; i++)
        c->potential[o + i] += sum_lanes(n.potential[i]);
    return n.fired;
}

static uint64_t code_conv(const struct qsv_code_conv *c)
{
    uint64_t fired = 0;
    for (uint32_t o = 0; o < c->weights->out_ch; o += PAIR)
        for (uint32_t word = 0; word < c->block / QSV_WORD; word++)
            fired += run_word(c, o, word);
    return fired;
}

static void list_events(uint16_t *events, uint32_t *first_event, const uint8_t *index,
                        size_t index_stride, uint32_t groups, uint32_t positions)
{
    uint32_t n = 0;
    for (uint32_t p = 0; p < positions; p++) {
        first_event[p] = n;
        for (uint32_t g = 0; g < groups; g++)
            for (uint32_t bits = index[g * index_stride + p]; bits; bits &= bits - 1)
                events[n++] = (uint16_t)(g * INDEX_BITS + (uint32_t)__builtin_ctz(bits));
    }
    first_event[positions] = n;
}

/* The weight rows of one output position, in ascending k; returns how many. */
static inline uint32_t gather_rows(const struct qsv_row_conv *c, const uint32_t *first_event,
                                   uint32_t oy, uint32_t ox)
{
    uint32_t n = 0, y0, y1, x0, x1;
    qsv_taps_inside(oy, c->step, c->pad, c->kernel, c->h, &y0, &y1);
    qsv_taps_inside(ox, c->step, c->pad, c->kernel, c->w, &x0, &x1);
    for (uint32_t ky = y0; ky < y1; ky++) {
        const uint32_t *first =
            first_event + (size_t)(oy * c->step + ky - c->pad) * c->w + ox * c->step - c->pad;
        for (uint32_t kx = x0; kx < x1; kx++) {
            const V base = _mm256_set1_epi32((int)((ky * c->kernel + kx) * c->in_ch));
            for (uint32_t e = first[kx]; e < first[kx + 1]; e += LANES) {
                const V row = _mm256_cvtepu16_epi32(
                    _mm_loadu_si128((const __m128i *)(const void *)(c->events + e)));
                store(c->list + n + (e - first[kx]), _mm256_add_epi32(row, base));
            }
            n += first[kx + 1] - first[kx];
        }
    }
    return n;
}

static inline void add_rows(float *out, const struct qsv_row_conv *c, uint32_t n)
{
    for (uint32_t o = 0; o < c->width; o += 16) { /* the width is a multiple of 16 */
        __m256 s0 = _mm256_setzero_ps(), s1 = s0;
        for (uint32_t i = 0; i < n; i++) {
            const float *w = c->rows + (size_t)c->list[i] * c->width + o;
            s0 = _mm256_add_ps(s0, _mm256_load_ps(w));
            s1 = _mm256_add_ps(s1, _mm256_load_ps(w + 8));
        }
        _mm256_store_ps(out + o, s0);
        _mm256_store_ps(out + o + 8, s1);
    }
}

static void store_rows(const struct qsv_row_conv *c, float *out, uint32_t positions)
{
    for (uint32_t o = 0; o < c->out_ch; o++)
        for (uint32_t p = 0; p < positions; p++) {
            const float v = c->tile[(size_t)p * c->width + o];
            out[o * c->out_stride + p] = fmaf(v, c->multiplier[o], c->shift[o]);
        }
}

static void row_conv(const struct qsv_row_conv *c)
{
    const uint32_t positions = c->images * c->out_h * c->out_w;
    const uint32_t *first_event = c->first_event;
    uint32_t in_tile = 0, done = 0, oy = 0, ox = 0;
    while (done < positions) {
        add_rows(c->tile + (size_t)in_tile * c->width, c, gather_rows(c, first_event, oy, ox));
        if (++ox == c->out_w) {
            ox = 0;
            if (++oy == c->out_h) {
                oy = 0;
                first_event += (size_t)c->h * c->w;
            }
        }
        if (++in_tile == 16 || done + in_tile == positions) {
            store_rows(c, c->out + done, in_tile);
            done += in_tile;
            in_tile = 0;
        }
    }
}

static inline __m256 affine(__m256 v, const struct qsv_dense *d, uint32_t o)
{
    return _mm256_fmadd_ps(v, _mm256_set1_ps(d->multiplier[o]), _mm256_set1_ps(d->shift[o]));
}

/* Sixteen positions from `at` on. */
static void dense_16(const struct qsv_dense *d, size_t at)
{
    for (uint32_t o4 = 0; o4 < d->out_ch; o4 += 4) {
        const float *w = d->weight + (size_t)o4 * d->k, *x = d->x + at;
        __m256 s[4][2];
#pragma GCC unroll 4
        for (int o = 0; o < 4; o++)
            s[o][0] = s[o][1] = _mm256_setzero_ps();
        for (uint32_t k = 0; k < d->k; k++, w += 4, x += d->x_stride) {
            const __m256 x0 = _mm256_loadu_ps(x), x1 = _mm256_loadu_ps(x + 8);
#pragma GCC unroll 4
            for (int o = 0; o < 4; o++) {
                const __m256 wo = _mm256_broadcast_ss(w + o);
                s[o][0] = _mm256_fmadd_ps(wo, x0, s[o][0]);
                s[o][1] = _mm256_fmadd_ps(wo, x1, s[o][1]);
            }
        }
#pragma GCC unroll 4
        for (uint32_t o = 0; o < 4; o++)
            if (o4 + o < d->out_ch) {
                float *out = d->out + (o4 + o) * d->out_stride + at;
                _mm256_storeu_ps(out, affine(s[o][0], d, o4 + o));
                _mm256_storeu_ps(out + 8, affine(s[o][1], d, o4 + o));
            }
    }
}

static void dense(const struct qsv_dense *d)
{
    for (uint32_t step = 0; step < d->steps; step++)
        for (uint32_t p = 0; p < d->positions; p += 16)
            dense_16(d, (size_t)step * d->block + p);
}

static void depthwise(const struct qsv_depthwise *d)
{
    const __m256 multiplier = _mm256_set1_ps(d->multiplier), shift = _mm256_set1_ps(d->shift);
    const size_t words = d->block / QSV_WORD;
    for (size_t at = 0; at < (size_t)d->steps * d->block; at += LANES) {
        const size_t p = at % d->block;
        __m256 s = _mm256_setzero_ps();
        for (uint32_t t = 0; t < d->taps.n; t++) {
            const V inside = lane_mask((uint32_t)(d->taps.mask[t * words + p / 64] >> p % 64));
            const __m256 x = _mm256_maskload_ps(d->x + at + d->taps.offset[t], inside);
            s = _mm256_fmadd_ps(_mm256_set1_ps(d->weight[t]), x, s);
        }
        _mm256_storeu_ps(d->out + at, _mm256_fmadd_ps(s, multiplier, shift));
    }
}

/* Index bytes of the windows of spikes of a row around each position. */
static void index_windows(const struct qsv_code_depthwise *d)
{
    const size_t words = d->block / QSV_WORD;
    for (size_t w = 0; w < d->steps * words; w++) {
        V x0 = _mm256_setzero_si256(), x1 = x0;
        for (uint32_t k = 0; k < d->kernel; k++) {
            const uint64_t bits = qsv_window_bits(d, d->spikes + w, w % words, k);
            const V one = _mm256_set1_epi8((char)(1 << k));
            x0 = _mm256_or_si256(x0, _mm256_and_si256(byte_mask((uint32_t)bits), one));
            x1 = _mm256_or_si256(x1, _mm256_and_si256(byte_mask((uint32_t)(bits >> 32)), one));
        }
        store(d->index + w * QSV_WORD, x0);
        store(d->index + w * QSV_WORD + 32, x1);
    }
}

struct windows { /* of one channel and one nibble: a row's first four codes, and its last three */
    uint8_t first[QSV_MAX_WINDOW][16] __attribute__((aligned(16)));
    uint8_t last[QSV_MAX_WINDOW][16] __attribute__((aligned(16)));
    bool widen[QSV_MAX_WINDOW]; /* behind the row */
    int base;
};

static void build_windows(struct windows *t, const struct qsv_code_depthwise *d, int nibble)
{
    int span;
    const uint32_t n = d->kernel < 4 ? d->kernel : 4;
    t->base = qsv_window_schedule(t->widen, d, nibble);
    for (uint32_t y = 0; y < d->kernel; y++) {
        const int8_t *codes = d->codes + y * d->kernel;
        const int negative = qsv_subset_negative(codes, d->kernel, nibble, &span);
        qsv_subset_sums(t->first[y], codes, n, nibble, negative);
        qsv_subset_sums(t->last[y], codes + n, d->kernel - n, nibble, 0);
    }
}

/* 16-bit sums of 32 positions: full = even + 256 x odd, high = odd. */
static inline void sum_windows(V *full, V *high, const struct qsv_code_depthwise *d,
                               const struct windows *t, size_t at, size_t half)
{
    const size_t words = d->block / QSV_WORD;
    V byte = _mm256_setzero_si256();
    *full = *high = byte;
    for (uint32_t y = 0; y < d->kernel; y++) {
        /* the row's middle column is inside wherever the row is */
        const size_t tap = (size_t)y * d->kernel + d->pad;
        const uint64_t mask = d->taps.mask[tap * words + half / 2];
        const V x = _mm256_and_si256(byte_mask((uint32_t)(mask >> half % 2 * 32)),
                                     load(d->index + at + d->taps.offset[tap]));
        const V low = _mm256_and_si256(x, _mm256_set1_epi8(15));
        const V up = _mm256_and_si256(_mm256_srli_epi16(x, 4), _mm256_set1_epi8(15));
        byte = _mm256_add_epi8(byte, _mm256_shuffle_epi8(table_of(t->first[y]), low));
        byte = _mm256_add_epi8(byte, _mm256_shuffle_epi8(table_of(t->last[y]), up));
        if (!t->widen[y])
            continue;
        *full = _mm256_add_epi16(*full, byte);
        *high = _mm256_add_epi16(*high, _mm256_srli_epi16(byte, 8));
        byte = _mm256_setzero_si256();
    }
}

static void code_depthwise(const struct qsv_code_depthwise *d)
{
    const bool nibbles = d->code_max > 32; /* seven times 32 still fits a byte */
    const __m256 multiplier = _mm256_set1_ps(d->multiplier), shift = _mm256_set1_ps(d->shift);
    struct windows low, upper;
    index_windows(d);
    build_windows(&low, d, nibbles ? 0 : -1);
    if (nibbles)
        build_windows(&upper, d, 1);
    const V base = _mm256_set1_epi32(low.base + (nibbles ? 16 * upper.base : 0));
    for (size_t at = 0; at < (size_t)d->steps * d->block; at += 32) {
        const size_t half = at % d->block / 32;
        int32_t sums[2][32] = {{0}};
        V full, high;
        sum_windows(&full, &high, d, &low, at, half);
        empty_sums(sums[0], full, high);
        if (nibbles) {
            sum_windows(&full, &high, d, &upper, at, half);
            empty_sums(sums[1], full, high);
        }
        for (int p = 0; p < 32; p += LANES) {
            const V sum =
                _mm256_add_epi32(load(sums[0] + p), _mm256_slli_epi32(load(sums[1] + p), 4));
            const __m256 v = _mm256_cvtepi32_ps(_mm256_sub_epi32(sum, base));
            _mm256_storeu_ps(d->out + at + (size_t)p, _mm256_fmadd_ps(v, multiplier, shift));
        }
    }
}

static void expand(float *out, const uint64_t *spikes, size_t words)
{
    const V one = _mm256_castps_si256(_mm256_set1_ps(1));
    for (size_t p = 0; p < words * QSV_WORD; p += LANES)
        store(out + p, _mm256_and_si256(lane_mask((uint32_t)(spikes[p / 64] >> p % 64)), one));
}

static uint64_t lif(const struct qsv_lif_channel *f)
{
    const size_t words = f->block / QSV_WORD, x_step = f->x_steps > 1 ? f->block : 0;
    uint64_t fired = 0;
    memset(f->spikes, 0, f->steps * words * sizeof *f->spikes);
    for (size_t p = 0; p < f->block; p += LANES) {
        const uint32_t valid = (uint32_t)(qsv_valid_bits(f->positions, p / 64) >> p % 64) & 255;
        __m256 h, v = _mm256_setzero_ps();
        V potential = _mm256_setzero_si256();
        for (uint32_t t = 0; valid && t < f->steps; t++) {
            const __m256 x = _mm256_loadu_ps(f->x + t * x_step + p);
            const uint64_t bits = fire(&v, x, f->v_th, f->decay, &h) & valid;
            f->spikes[t * words + p / 64] |= bits << p % 64;
            fired += (uint64_t)_mm_popcnt_u64(bits);
            if (f->potential)
                potential = add_potential(potential, h, valid);
        }
        if (f->potential)
            *f->potential += sum_lanes(potential);
    }
    return fired;
}

static uint64_t attend(const struct qsv_attend *a)
{
    const size_t width = (a->channels + 15) / 16 * 16;
    uint64_t n = 0;
    for (uint32_t i = 0; i < a->channels; i++)
        for (uint32_t j = 0; j < a->channels; j++) {
            uint64_t both = 0;
            for (uint32_t w = 0; w < a->words; w++)
                both += (uint64_t)_mm_popcnt_u64(a->k[(size_t)i * a->words + w] &
                                                 a->v[(size_t)j * a->words + w]);
            a->counts[i * width + j] = (int32_t)both;
            n += both;
        }
    for (uint32_t j = 0; j < a->channels; j++)
        for (uint32_t p = 0; p < a->tokens; p += LANES) {
            V sum = _mm256_setzero_si256();
            for (uint32_t i = 0; i < a->channels; i++) {
                const V q = lane_mask((uint32_t)(a->q[(size_t)i * a->words + p / 64] >> p % 64));
                sum = _mm256_add_epi32(
                    sum, _mm256_and_si256(q, _mm256_set1_epi32(a->counts[i * width + j])));
            }
            _mm256_storeu_ps(a->out + j * a->out_stride + p,
                             _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(a->scale)));
        }
    for (size_t i = 0; i < (size_t)a->channels * a->words; i++)
        n += (uint64_t)_mm_popcnt_u64(a->q[i]) * a->channels;
    return n;
}

static void add(float *out, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        _mm256_storeu_ps(out + i, _mm256_add_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i)));
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

const struct qsv_kernels qsv_kernels_avx2 = {
    .isa = "avx2",
    .index_bits = INDEX_BITS,
    .subsets = true,
    .make_index = make_index,
    .table_bytes = table_bytes,
    .code_conv = code_conv,
    .list_events = list_events,
    .row_conv = row_conv,
    .dense = dense,
    .depthwise = depthwise,
    .code_depthwise = code_depthwise,
    .expand = expand,
    .lif = lif,
    .attend = attend,
    .add = add,
    .weigh = weigh,
};
#endif
