/* AVX-512: integer weights on spikes: sums that core/kernels/avx512_lookup.h looks up, and what
 * follows them. */
#if defined(__x86_64__)
#include "core/kernels/avx512_sums.h"
#include "core/kernels/subsets.h"

enum {
    INDEX_BITS = QSV_AVX512_INDEX_BITS,
    MAX_VECTORS = QSV_BYTE_VECTORS,
    PACKED_STEPS = 4, /* of so many positions are a vector: */
    PACKED_POSITIONS = 16,
    CHUNK_BYTES = 256 << 10 /* of indices that all outputs read before the next: half an L2 */
};

typedef qsv_v512 V;

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
    return qsv_avx512_tables_size(taps, groups) + taps * sizeof(struct qsv_tap) +
           (size_t)taps * groups * sizeof(V) + qsv_avx512_log_size(taps, groups);
}

/* Four outputs by some vectors of 64 positions: `steps` time steps of vectors / steps words, of
 * which the first `words` are in the block; others are silent and thrown away. The numbers of
 * vectors and steps are constants where a tile is inlined. */
struct tile {
    uint32_t o4, step, word, words;
};

/* Outputs larger than a core's share of the last cache go past it: whoever reads them finds them in
 * memory either way, and nothing is read to be overwritten. */
static const size_t share_bytes = (size_t)4 << 20;

/* Working memory, and what a chunk of positions shares. */
struct work {
    const struct qsv_code_conv *c;
    uint8_t *tables;
    struct qsv_tap *taps;
    V *packed; /* [groups][taps] */
    V *log;
    bool streams; /* outputs go past the caches */
};

/* What the taps of a tile read. */
QSV_INLINE void find_taps(const struct work *k, const struct tile *t, uint32_t words)
{
    const struct qsv_code_conv *c = k->c;
    const uint64_t *mask = c->taps.mask + t->word;
    struct qsv_tap *tap = k->taps;
    uint64_t valid[MAX_VECTORS];
    for (uint32_t word = 0; word < words; word++)
        valid[word] = qsv_valid_bits(c->positions, t->word + word);
    for (uint32_t i = 0; i < c->taps.n; i++, tap++, mask += c->block / QSV_WORD) {
        uint64_t outside = 0;
#pragma GCC unroll 4
        for (uint32_t word = 0; word < words; word++) {
            const uint64_t bits = word < t->words ? mask[word] : 0;
            outside |= valid[word] & ~bits;
            tap->inside[word] = _mm512_movm_epi8(bits);
        }
        tap->at = c->taps.plane[i] * c->plane_stride + (size_t)c->taps.offset[i];
        tap->whole = !outside;
    }
}

/* What follows the sums of output o: 64 positions of one time step. */
QSV_INLINE void scale(const struct work *k, uint32_t o, uint32_t step, uint32_t word, __m512 x[4])
{
    const struct qsv_code_conv *c = k->c;
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
        if (k->streams)
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++)
                _mm512_stream_ps(out + 16 * j, x[j]);
        else
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++)
                _mm512_storeu_ps(out + 16 * j, x[j]);
    }
}

/* The neurons of a word of one output from tile to tile. */
struct neurons {
    __m512 v[4];
};

/* A word of output o through a tile's time steps, `words` vectors apart; returns spikes fired. */
QSV_INLINE uint64_t charge(const struct qsv_code_conv *c, uint32_t o, uint32_t step, uint32_t word,
                           __m512 x[][4], struct neurons *n, uint32_t steps, uint32_t words)
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
    for (uint32_t s = 0; s < steps; s++, spikes += c->block / QSV_WORD) {
        *spikes = valid & qsv_fire(v, x[s * words], v_th, decay, h);
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

/* n [QSV_OUTPUTS][words]. Returns spikes fired. */
QSV_INLINE uint64_t run_tile(const struct work *k, const struct tile *t, struct neurons *n,
                             const int vectors, const int steps)
{
    const struct qsv_code_conv *c = k->c;
    const struct qsv_code_weights *w = c->weights;
    const uint32_t words = (uint32_t)(vectors / steps), left = w->out_ch - t->o4,
                   outputs = left < QSV_OUTPUTS ? left : QSV_OUTPUTS;
    const struct qsv_lookup look = {
        .index = c->index + (size_t)t->step * c->block + (size_t)t->word * QSV_WORD,
        .index_stride = c->index_stride,
        .block = c->block,
        .steps = steps,
        .groups = w->groups,
        .n_taps = w->taps,
        .taps = k->taps,
        .tables = k->tables,
        .then = w->then + (size_t)(t->o4 / QSV_OUTPUTS) * w->taps * w->groups,
    };
    const bool by_words = vectors == QSV_WORD_VECTORS;
    const V *end = by_words ? qsv_avx512_look_up_words(k->log, &look)
                            : qsv_avx512_look_up_bytes(k->log, &look);
    uint64_t fired = 0;
    for (uint32_t i = 0; i < outputs; i++) {
        const uint32_t o = t->o4 + i;
        __m512 x[MAX_VECTORS][4];
        qsv_floats_of(x, w, o, k->log, end, by_words, vectors);
#pragma GCC unroll 4
        for (uint32_t v = 0; v < (uint32_t)vectors; v++)
            if (v % words == 0 || v % words < t->words)
                scale(k, o, t->step + v / words, t->word + v % words, x[v]);
        if (c->spikes)
#pragma GCC unroll 4
            for (uint32_t word = 0; word < words; word++)
                if (word == 0 || word < t->words)
                    fired += charge(c, o, t->step, t->word + word, &x[word], &n[i * words + word],
                                    (uint32_t)steps, words);
    }
    return fired;
}

/* How many positions the block's last word has, if those of all time steps fit a vector; else 0. */
static uint32_t packed_positions(const struct qsv_code_conv *c)
{
    const uint32_t rest = c->positions % QSV_WORD;
    return c->steps == PACKED_STEPS && rest <= PACKED_POSITIONS ? rest : 0;
}

/* Indices of the last word: four time steps of sixteen positions. */
static void pack_last(const struct work *k)
{
    const struct qsv_code_conv *c = k->c;
    const uint32_t word = c->block / QSV_WORD - 1;
    V *out = k->packed;
    find_taps(k, &(struct tile){.word = word, .words = 1}, 1);
    for (uint32_t g = 0; g < c->weights->groups; g++)
        for (uint32_t t = 0; t < c->taps.n; t++, out++) {
            const uint8_t *index =
                c->index + g * c->index_stride + (size_t)word * QSV_WORD + k->taps[t].at;
            __m128i step[PACKED_STEPS];
            for (int s = 0; s < PACKED_STEPS; s++)
                step[s] = _mm_and_si128(
                    _mm_loadu_si128((const __m128i *)(const void *)(index + (size_t)s * c->block)),
                    _mm512_castsi512_si128(k->taps[t].inside[0]));
            V x = _mm512_castsi128_si512(step[0]);
            x = _mm512_inserti32x4(x, step[1], 1);
            x = _mm512_inserti32x4(x, step[2], 2);
            *out = _mm512_inserti32x4(x, step[3], 3);
        }
}

/* The packed positions of outputs o4 ..., from the log that ends there; returns spikes fired. */
static uint64_t run_packed(const struct work *k, uint32_t o4, const V *end)
{
    const struct qsv_code_conv *c = k->c;
    const __m512 v_th = _mm512_set1_ps(c->v_th), decay = _mm512_set1_ps(c->decay);
    const uint32_t words = c->block / QSV_WORD;
    const __mmask16 valid = (__mmask16)qsv_valid_bits(c->positions, words - 1);
    uint64_t fired = 0;
    for (uint32_t o = o4; o < o4 + QSV_OUTPUTS && o < c->weights->out_ch; o++) {
        __m512 x[1][4], h, v = _mm512_setzero_ps();
        V potential = _mm512_setzero_si512();
        if (c->weights->words)
            qsv_floats_of(x, c->weights, o, k->log, end, true, 1);
        else
            qsv_floats_of(x, c->weights, o, k->log, end, false, 1);
        for (uint32_t step = 0; step < PACKED_STEPS; step++) {
            const size_t p = (size_t)(words - 1) * QSV_WORD, position = (size_t)step * c->block + p;
            __m512 y = _mm512_fmadd_ps(x[0][step], _mm512_set1_ps(c->multiplier[o]),
                                       _mm512_set1_ps(c->shift[o]));
            if (c->residual)
                y = _mm512_add_ps(_mm512_loadu_ps(c->residual + o * c->residual_stride +
                                                  (c->residual_steps > 1 ? position : p)),
                                  y);
            if (c->out)
                _mm512_storeu_ps(c->out + o * c->out_stride + position, y);
            if (!c->spikes)
                continue;
            const __mmask16 spikes = valid & qsv_fire_16(&v, y, v_th, decay, &h);
            c->spikes[((size_t)o * c->steps + step) * words + words - 1] = spikes;
            fired += (uint64_t)_mm_popcnt_u32(spikes);
            potential = qsv_add_potential_16(potential, h, valid);
        }
        if (c->spikes && c->potential)
            c->potential[o] += _mm512_reduce_add_epi32(potential);
    }
    return fired;
}

/* Words [first, end) of all outputs; packs: and the packed positions. */
QSV_INLINE uint64_t run_chunk(const struct work *k, uint32_t first, uint32_t end, bool packs,
                              const int vectors, const int steps)
{
    const struct qsv_code_conv *c = k->c;
    const uint32_t words = (uint32_t)(vectors / steps);
    struct neurons n[QSV_OUTPUTS * MAX_VECTORS];
    struct tile t = {0};
    uint64_t fired = 0;
    for (; t.o4 < c->weights->out_ch; t.o4 += QSV_OUTPUTS) {
        const V *log =
            qsv_avx512_build_tables(k->tables, c->weights, t.o4, packs ? k->packed : NULL, k->log);
        if (packs)
            fired += run_packed(k, t.o4, log);
        for (t.word = first; t.word < end; t.word += words) {
            t.words = end - t.word < words ? end - t.word : words;
            find_taps(k, &t, words);
            for (t.step = 0; t.step < c->steps; t.step += (uint32_t)steps)
                fired += run_tile(k, &t, n, vectors, steps);
        }
    }
    return fired;
}

static bool streams(const struct qsv_code_conv *c)
{
    const size_t bytes = (size_t)c->weights->out_ch * c->steps * c->block * sizeof *c->out;
    return c->out && bytes > share_bytes && (uintptr_t)c->out % sizeof(V) == 0 &&
           c->out_stride % (sizeof(V) / sizeof *c->out) == 0;
}

uint64_t qsv_avx512_code_conv(const struct qsv_code_conv *c)
{
    const struct qsv_code_weights *w = c->weights;
    const size_t word_bytes = (size_t)w->groups * c->steps * QSV_WORD;
    const uint32_t chunk = (uint32_t)(CHUNK_BYTES / word_bytes + 8) / MAX_VECTORS * MAX_VECTORS;
    struct work k = {.c = c, .tables = c->tables, .streams = streams(c)};
    k.taps = (struct qsv_tap *)(void *)(k.tables + qsv_avx512_tables_size(w->taps, w->groups));
    k.packed = (V *)(void *)(k.taps + w->taps);
    k.log = k.packed + (size_t)w->taps * w->groups;
    bool packs = packed_positions(c) > 0;
    const uint32_t words = c->block / QSV_WORD - packs;
    uint64_t fired = 0;
    if (packs)
        pack_last(&k);
    for (uint32_t first = 0; first < words || packs; first += chunk, packs = false) {
        const uint32_t end = words - first < chunk ? words : first + chunk;
        if (w->words)
            fired += c->steps % 2 == 0 ? run_chunk(&k, first, end, packs, QSV_WORD_VECTORS, 2)
                                       : run_chunk(&k, first, end, packs, QSV_WORD_VECTORS, 1);
        else
            fired += c->steps % 4 == 0   ? run_chunk(&k, first, end, packs, QSV_BYTE_VECTORS, 4)
                     : c->steps % 2 == 0 ? run_chunk(&k, first, end, packs, QSV_BYTE_VECTORS, 2)
                                         : run_chunk(&k, first, end, packs, QSV_BYTE_VECTORS, 1);
    }
    if (k.streams)
        _mm_sfence();
    return fired;
}
#endif
