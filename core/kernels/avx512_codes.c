/* AVX-512: integer weights on spikes, by subset sums.
 *
 * Six spikes of a position are a number from 0 to 63, which looks up the sum of the weights that
 * fired in a table of 64 bytes, 64 positions an instruction (vpermb): 384 multiply-accumulates
 * whatever the firing rate. A table is the sums of two tables of eight, of the first and the last
 * three weights, which lie ready (core/kernels/code_weights.h).
 *
 * A tile is four outputs of four vectors of 64 positions: sixteen look-ups for four tables, which
 * come from the second-level cache as fast as they are used, where eight would wait for them. Its
 * sums of bytes fill half of the registers. When they are full they go to a log, which is added up
 * behind the last group. The taps of a group follow each other, so that what they share of its
 * indices stays in the first-level cache.
 */
#if defined(__x86_64__)
#include "core/kernels/avx512.h"
#include "core/kernels/subsets.h"

enum {
    INDEX_BITS = QSV_AVX512_INDEX_BITS,
    VECTORS = 4,
    BYTE_SUMS = QSV_OUTPUTS * VECTORS,
    ALWAYS_FIT = 256,        /* byte sums whose sum is below 65536 */
    CHUNK_BYTES = 256 << 10, /* of indices that all outputs read before the next: half an L2 */
    ENTRY_BYTES = 64 * QSV_OUTPUTS
};

typedef qsv_v512 V;

/* Keeps gcc from loading a table once for each use, and from moving look-ups ahead of others until
 * the registers do not suffice. */
#define IN_REGISTER(v) __asm__("" : "+v"(v))

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

/* What a tap reads for the words of a tile. */
struct tap {
    V inside[VECTORS]; /* bytes to keep: masked loads would take turns with the look-ups */
    size_t at;         /* from the position in plane 0 */
    bool whole;        /* every position that is not padding is inside */
};

/* A tile: `steps` time steps of VECTORS / steps words. Of these the first `words` are in the block,
 * others are silent and thrown away. */
struct place {
    uint32_t step, word, words;
};

struct block { /* four outputs */
    uint32_t o4;
    const uint8_t *entry[2], *then[2]; /* of the parts */
    struct tap *taps;
    V *log;
};

/* Of the tables of four outputs, and of a log: codes of two parts fill a byte in five groups at
 * soonest, others may in one. */
size_t qsv_avx512_table_bytes(uint32_t taps, uint32_t groups)
{
    const size_t n = (size_t)taps * groups;
    return 2 * n * ENTRY_BYTES + taps * sizeof(struct tap) + (n + 2) * BYTE_SUMS * sizeof(V);
}

QSV_INLINE void find_taps(struct tap *tap, const struct qsv_code_conv *c, struct place at,
                          int steps)
{
    const uint32_t words = (uint32_t)(VECTORS / steps);
    const uint64_t *mask = c->taps.mask + at.word;
    uint64_t valid[VECTORS];
    for (uint32_t word = 0; word < words; word++)
        valid[word] = qsv_valid_bits(c->positions, at.word + word);
    for (uint32_t t = 0; t < c->taps.n; t++, tap++, mask += c->block / QSV_WORD) {
        uint64_t outside = 0;
#pragma GCC unroll 4
        for (uint32_t word = 0; word < words; word++) {
            const uint64_t bits = word < at.words ? mask[word] : 0;
            outside |= valid[word] & ~bits;
            tap->inside[word] = _mm512_movm_epi8(bits);
        }
        tap->at = c->taps.plane[t] * c->plane_stride + (size_t)c->taps.offset[t];
        tap->whole = !outside;
    }
}

QSV_INLINE V *look_up_steps(V *log, const struct qsv_code_conv *c, const struct tap *taps,
                            const uint8_t *entry, const uint8_t *then, struct place at, int steps)
{
    const uint32_t words = (uint32_t)(VECTORS / steps), n_groups = c->weights->groups;
    const size_t block = c->block, index_stride = c->index_stride;
    const uint8_t *index = c->index + at.step * block + (size_t)at.word * QSV_WORD;
    const struct tap *end = taps + c->weights->taps;
    V byte[QSV_OUTPUTS][VECTORS];
#pragma GCC unroll 4
    for (int o = 0; o < QSV_OUTPUTS; o++)
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++)
            byte[o][v] = _mm512_setzero_si512();
    for (uint32_t g = 0; g < n_groups; g++, index += index_stride)
        for (const struct tap *tap = taps; tap < end; tap++, entry += ENTRY_BYTES) {
            V x[VECTORS];
#pragma GCC unroll 4
            for (uint32_t v = 0; v < VECTORS; v++)
                x[v] =
                    _mm512_loadu_si512(index + tap->at + v / words * block + v % words * QSV_WORD);
            if (!tap->whole)
#pragma GCC unroll 4
                for (uint32_t v = 0; v < VECTORS; v++)
                    x[v] = _mm512_and_si512(x[v], tap->inside[v % words]);
#pragma GCC unroll 4
            for (int o = 0; o < QSV_OUTPUTS; o++) {
                V table = _mm512_load_si512(entry + 64 * o);
                IN_REGISTER(table);
#pragma GCC unroll 4
                for (int v = 0; v < VECTORS; v++) {
                    byte[o][v] = _mm512_add_epi8(byte[o][v], _mm512_permutexvar_epi8(x[v], table));
                    IN_REGISTER(byte[o][v]);
                }
            }
            if (*then++ == QSV_GO_ON)
                continue;
#pragma GCC unroll 4
            for (int o = 0; o < QSV_OUTPUTS; o++)
#pragma GCC unroll 4
                for (int v = 0; v < VECTORS; v++) {
                    log[o * VECTORS + v] = byte[o][v];
                    byte[o][v] = _mm512_setzero_si512();
                }
            log += BYTE_SUMS;
        }
    return log;
}

/* Looks up the groups of one part. Writes byte sums to `log` [][QSV_OUTPUTS][VECTORS] and returns
 * its end. Not inline: it needs all registers. */
static __attribute__((noinline)) V *look_up(V *log, const struct qsv_code_conv *c,
                                            const struct tap *taps, const uint8_t *entry,
                                            const uint8_t *then, struct place at, int steps)
{
    switch (steps) {
    case 4:
        return look_up_steps(log, c, taps, entry, then, at, 4);
    case 2:
        return look_up_steps(log, c, taps, entry, then, at, 2);
    default:
        return look_up_steps(log, c, taps, entry, then, at, 1);
    }
}

/* What look_up() made of the parts: log[p] to log[p + 1] of part p. */
struct sums {
    const V *log[3];
    bool two, narrow;
};

/* Adds the byte sums of an output, [from, end) in steps of BYTE_SUMS, to 16-bit ones modulo 65536:
 * even[.][i] of position 2 i, odd[.][i] of 2 i + 1. */
QSV_INLINE void add_log(V even[VECTORS], V odd[VECTORS], const V *from, const V *end)
{
    V full[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++)
        full[v] = _mm512_add_epi16(even[v], _mm512_slli_epi16(odd[v], 8));
    for (; from < end; from += BYTE_SUMS)
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            V byte = from[v];
            IN_REGISTER(byte);
            full[v] = _mm512_add_epi16(full[v], byte);
            odd[v] = _mm512_add_epi16(odd[v], _mm512_srli_epi16(byte, 8));
        }
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++)
        even[v] = _mm512_sub_epi16(full[v], _mm512_slli_epi16(odd[v], 8));
}

/* 16-bit numbers in order of position, each in the lower half of 32 bits below an `upper` half. */
QSV_INLINE void spread(V out[4], V even, V odd, V upper)
{
    /* unpacking takes the first and the last four of each eight */
    static const int16_t order[32]
        __attribute__((aligned(64))) = {0, 32, 1, 33, 8,  40, 9,  41, 2, 34, 3, 35, 10, 42, 11, 43,
                                        4, 36, 5, 37, 12, 44, 13, 45, 6, 38, 7, 39, 14, 46, 15, 47};
    const V pick = _mm512_load_si512(order);
    const V first = _mm512_permutex2var_epi16(even, pick, odd);
    const V last =
        _mm512_permutex2var_epi16(even, _mm512_add_epi16(pick, _mm512_set1_epi16(16)), odd);
    out[0] = _mm512_unpacklo_epi16(first, upper);
    out[1] = _mm512_unpackhi_epi16(first, upper);
    out[2] = _mm512_unpacklo_epi16(last, upper);
    out[3] = _mm512_unpackhi_epi16(last, upper);
}

/* Sums of output i of the block that fit 16 bits: plus 32768, they are the last bits of a float
 * that is 2^23 larger. */
QSV_INLINE void narrow_floats(__m512 x[VECTORS][4], const struct sums *s, uint32_t i, int32_t base)
{
    const V start = _mm512_set1_epi16((short)(INT16_MIN - base));
    const __m512 excess = _mm512_set1_ps(8388608 + 32768);
    V even[VECTORS], odd[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++)
        even[v] = odd[v] = _mm512_setzero_si512();
    if (s->two)
        add_log(even, odd, s->log[1] + i * VECTORS, s->log[2]);
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) {
        even[v] = _mm512_add_epi16(_mm512_slli_epi16(even[v], 4), start);
        odd[v] = _mm512_add_epi16(_mm512_slli_epi16(odd[v], 4), start);
    }
    add_log(even, odd, s->log[0] + i * VECTORS, s->log[1]);
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) {
        V bits[4];
        spread(bits, even[v], odd[v], _mm512_set1_epi16(0x4b00));
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            x[v][j] = _mm512_sub_ps(_mm512_castsi512_ps(bits[j]), excess);
    }
}

static inline void add_wide(V sum[VECTORS][4], const V *from, const V *end)
{
    while (from < end) {
        const V *stop = end - from < ALWAYS_FIT * BYTE_SUMS ? end : from + ALWAYS_FIT * BYTE_SUMS;
        V even[VECTORS], odd[VECTORS], part[4];
        for (int v = 0; v < VECTORS; v++)
            even[v] = odd[v] = _mm512_setzero_si512();
        add_log(even, odd, from, stop);
        for (int v = 0; v < VECTORS; v++) {
            spread(part, even[v], odd[v], _mm512_setzero_si512());
            for (int j = 0; j < 4; j++)
                sum[v][j] = _mm512_add_epi32(sum[v][j], part[j]);
        }
        from = stop;
    }
}

static inline void wide_floats(__m512 x[VECTORS][4], const struct sums *s, uint32_t i, int32_t base)
{
    V sum[VECTORS][4];
    memset(sum, 0, sizeof sum);
    if (s->two)
        add_wide(sum, s->log[1] + i * VECTORS, s->log[2]);
    for (int v = 0; v < VECTORS; v++)
        for (int j = 0; j < 4; j++)
            sum[v][j] = _mm512_sub_epi32(_mm512_slli_epi32(sum[v][j], 4), _mm512_set1_epi32(base));
    add_wide(sum, s->log[0] + i * VECTORS, s->log[1]);
    for (int v = 0; v < VECTORS; v++)
        for (int j = 0; j < 4; j++)
            x[v][j] = _mm512_cvtepi32_ps(sum[v][j]);
}

/* The neurons of a word of one output from tile to tile. */
struct neurons {
    __m512 v[4];
};

/* What follows the sums of output o: 64 positions of one time step. */
QSV_INLINE void scale(const struct qsv_code_conv *c, uint32_t o, uint32_t step, uint32_t word,
                      __m512 x[4])
{
    const size_t p = (size_t)word * QSV_WORD, position = (size_t)step * c->block + p;
    const __m512 multiplier = _mm512_set1_ps(c->multiplier[o]), shift = _mm512_set1_ps(c->shift[o]);
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++)
        x[j] = _mm512_fmadd_ps(x[j], multiplier, shift);
    if (c->residual) {
        const float *residual =
            c->residual + o * c->residual_stride + (c->residual_steps > 1 ? position : p);
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            x[j] = _mm512_add_ps(_mm512_loadu_ps(residual + 16 * j), x[j]);
    }
    if (c->out) {
        float *out = c->out + o * c->out_stride + position;
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            _mm512_storeu_ps(out + 16 * j, x[j]);
    }
}

/* A word of output o through the tile's time steps; returns spikes fired. */
QSV_INLINE uint64_t charge(const struct qsv_code_conv *c, uint32_t o, uint32_t step, uint32_t word,
                           __m512 x[VECTORS][4], struct neurons *n, int steps)
{
    const __m512 v_th = _mm512_set1_ps(c->v_th), decay = _mm512_set1_ps(c->decay);
    const uint64_t valid = qsv_valid_bits(c->positions, word);
    uint64_t *spikes = c->spikes + ((size_t)o * c->steps + step) * (c->block / QSV_WORD) + word,
             fired = 0;
    V potential = _mm512_setzero_si512();
    __m512 v[4], h[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++)
        v[j] = step ? n->v[j] : _mm512_setzero_ps();
#pragma GCC unroll 4
    for (int s = 0; s < steps; s++, spikes += c->block / QSV_WORD) {
        *spikes = valid & qsv_fire(v, x[s * (VECTORS / steps)], v_th, decay, h);
        fired += (uint64_t)_mm_popcnt_u64(*spikes);
        if (c->potential)
            potential = qsv_add_potential(potential, h, valid);
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++)
        n->v[j] = v[j];
    if (c->potential)
        c->potential[o] += _mm512_reduce_add_epi32(potential);
    return fired;
}

/* A tile of outputs b->o4 ...; n [QSV_OUTPUTS][VECTORS]. Returns spikes fired. */
QSV_INLINE uint64_t run_tile(const struct qsv_code_conv *c, const struct block *b, struct place at,
                             struct neurons *n, int steps)
{
    const struct qsv_code_weights *w = c->weights;
    const uint32_t left = w->out_ch - b->o4, outputs = left < QSV_OUTPUTS ? left : QSV_OUTPUTS,
                   words = (uint32_t)(VECTORS / steps);
    struct sums s = {.two = w->parts > 1, .narrow = w->narrow};
    uint64_t fired = 0;
    s.log[0] = b->log;
    s.log[1] = s.log[2] = look_up(b->log, c, b->taps, b->entry[0], b->then[0], at, steps);
    if (s.two)
        s.log[2] =
            look_up(b->log + (s.log[1] - b->log), c, b->taps, b->entry[1], b->then[1], at, steps);
    for (uint32_t i = 0; i < outputs; i++) {
        __m512 x[VECTORS][4];
        if (s.narrow)
            narrow_floats(x, &s, i, w->base[b->o4 + i]);
        else
            wide_floats(x, &s, i, w->base[b->o4 + i]);
#pragma GCC unroll 4
        for (uint32_t v = 0; v < VECTORS; v++)
            if (v % words == 0 || v % words < at.words)
                scale(c, b->o4 + i, at.step + v / words, at.word + v % words, x[v]);
        if (c->spikes)
#pragma GCC unroll 4
            for (uint32_t word = 0; word < words; word++)
                if (word < at.words)
                    fired += charge(c, b->o4 + i, at.step, at.word + word, &x[word],
                                    &n[i * VECTORS + word], steps);
    }
    return fired;
}

QSV_INLINE uint64_t run_words(const struct qsv_code_conv *c, const struct block *b, uint32_t first,
                              uint32_t end, int steps)
{
    const uint32_t words = (uint32_t)(VECTORS / steps);
    struct neurons n[QSV_OUTPUTS * VECTORS];
    uint64_t fired = 0;
    for (uint32_t word = first; word < end; word += words) {
        struct place at = {0, word, end - word < words ? end - word : words};
        find_taps(b->taps, c, at, steps);
        for (; at.step < c->steps; at.step += (uint32_t)steps)
            fired += run_tile(c, b, at, n, steps);
    }
    return fired;
}

static struct block block_of(const struct qsv_code_conv *c, uint32_t o4)
{
    const struct qsv_code_weights *w = c->weights;
    const size_t n = (size_t)w->taps * w->groups;
    const uint8_t *then = w->then + (size_t)(o4 / QSV_OUTPUTS) * w->parts * n;
    struct tap *tap = (struct tap *)(void *)(c->tables + 2 * n * ENTRY_BYTES);
    return (struct block){
        .o4 = o4,
        .entry = {c->tables, c->tables + n * ENTRY_BYTES},
        .then = {then, then + n},
        .taps = tap,
        .log = (V *)(void *)(tap + w->taps),
    };
}

/* A chunk of words for all outputs. */
QSV_INLINE uint64_t run_chunk(const struct qsv_code_conv *c, uint32_t first, uint32_t end,
                              int steps)
{
    uint64_t fired = 0;
    for (uint32_t o4 = 0; o4 < c->weights->out_ch; o4 += QSV_OUTPUTS) {
        const struct block b = block_of(c, o4);
        build_tables(c->tables, c->weights, o4);
        fired += run_words(c, &b, first, end, steps);
    }
    return fired;
}

uint64_t qsv_avx512_code_conv(const struct qsv_code_conv *c)
{
    const uint32_t words = c->block / QSV_WORD;
    const size_t word_bytes = (size_t)c->weights->groups * c->steps * QSV_WORD;
    const uint32_t chunk = (uint32_t)(CHUNK_BYTES / word_bytes + 8) / VECTORS * VECTORS;
    uint64_t fired = 0;
    for (uint32_t first = 0; first < words; first += chunk) {
        const uint32_t end = words - first < chunk ? words : first + chunk;
        fired += c->steps % 4 == 0   ? run_chunk(c, first, end, 4)
                 : c->steps % 2 == 0 ? run_chunk(c, first, end, 2)
                                     : run_chunk(c, first, end, 1);
    }
    return fired;
}

#endif
