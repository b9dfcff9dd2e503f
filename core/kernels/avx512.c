/* AVX-512; run only where the CPU has what core/kernels/avx512.h says. Here is what goes over bits
 * and single values; sums are in files of their own. */
#if defined(__x86_64__)
#include "core/kernels/avx512.h"
#include "core/kernels/subsets.h"

static void expand(float *out, const uint64_t *spikes, size_t words)
{
    for (size_t w = 0; w < words; w++, out += QSV_WORD)
        for (int j = 0; j < 4; j++)
            _mm512_storeu_ps(out + 16 * j, _mm512_maskz_mov_ps((__mmask16)(spikes[w] >> 16 * j),
                                                               _mm512_set1_ps(1)));
}

static uint64_t lif(const struct qsv_lif_channel *f)
{
    const __m512 v_th = _mm512_set1_ps(f->v_th), decay = _mm512_set1_ps(f->decay);
    const size_t words = f->block / QSV_WORD, x_step = f->x_steps > 1 ? f->block : 0;
    uint64_t fired = 0;
    for (size_t word = 0; word < words; word++) {
        const uint64_t valid = qsv_valid_bits(f->positions, word);
        __m512 v[4];
        qsv_v512 potential = _mm512_setzero_si512();
        for (int j = 0; j < 4; j++)
            v[j] = _mm512_setzero_ps();
        for (uint32_t t = 0; t < f->steps; t++) {
            const float *from = f->x + t * x_step + word * QSV_WORD;
            __m512 x[4], h[4];
            for (int j = 0; j < 4; j++)
                x[j] = _mm512_loadu_ps(from + 16 * j);
            const uint64_t spikes = qsv_fire(v, x, v_th, decay, h) & valid;
            f->spikes[t * words + word] = spikes;
            fired += (uint64_t)_mm_popcnt_u64(spikes);
            if (f->potential)
                potential = qsv_add_potential(potential, h, valid);
        }
        if (f->potential)
            *f->potential += _mm512_reduce_add_epi32(potential);
    }
    return fired;
}

enum { PAIRS = 8, HELD = 4 }; /* channels side by side; words of them in registers at once */

/* Words [first, first + n) of v's channels j .. j + 7, a channel a lane; silent beyond the last. */
QSV_INLINE void gather_words(qsv_v512 held[HELD], const struct qsv_attend *a, uint32_t j,
                             uint32_t first, uint32_t n)
{
    const uint32_t left = a->channels - j;
    const __mmask8 there = left < PAIRS ? (__mmask8)((1U << left) - 1) : 0xff;
    const qsv_v512 at =
        _mm512_mullo_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), _mm512_set1_epi64(a->words));
    const uint64_t *v = a->v + (size_t)j * a->words + first;
    for (uint32_t w = 0; w < HELD; w++)
        held[w] = w < n ? _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), there, at, v + w, 8)
                        : _mm512_setzero_si512();
}

/* counts of k's channels with v's j .. j + 7; returns their sum. */
static uint64_t count_eight(const struct qsv_attend *a, uint32_t j)
{
    const size_t width = (a->channels + 15) / 16 * 16;
    qsv_v512 total = _mm512_setzero_si512(), held[HELD];
    for (uint32_t first = 0; first < a->words; first += HELD) {
        const uint32_t n = a->words - first < HELD ? a->words - first : HELD;
        gather_words(held, a, j, first, n);
        for (uint32_t i = 0; i < a->channels; i++) {
            const uint64_t *k = a->k + (size_t)i * a->words + first;
            int32_t *counts = a->counts + i * width + j;
            qsv_v512 sum = _mm512_setzero_si512();
            for (uint32_t w = 0; w < n; w++)
                sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_and_si512(
                                                held[w], _mm512_set1_epi64((int64_t)k[w]))));
            total = _mm512_add_epi64(total, sum);
            __m256i narrow = _mm512_cvtepi64_epi32(sum);
            if (first)
                narrow = _mm256_add_epi32(narrow, _mm256_loadu_si256((const __m256i *)counts));
            _mm256_storeu_si256((__m256i *)counts, narrow);
        }
    }
    return (uint64_t)_mm512_reduce_add_epi64(total);
}

/* Outputs j .. j + 7 of 16 tokens. */
static void attend_eight(const struct qsv_attend *a, uint32_t j, uint32_t p)
{
    const size_t width = (a->channels + 15) / 16 * 16;
    qsv_v512 sum[PAIRS];
    for (int u = 0; u < PAIRS; u++)
        sum[u] = _mm512_setzero_si512();
    for (uint32_t i = 0; i < a->channels; i++) {
        const __mmask16 q = (__mmask16)(a->q[(size_t)i * a->words + p / 64] >> p % 64);
        const int32_t *counts = a->counts + i * width + j;
        for (int u = 0; u < PAIRS; u++)
            sum[u] = _mm512_mask_add_epi32(sum[u], q, sum[u], _mm512_set1_epi32(counts[u]));
    }
    for (uint32_t u = 0; u < PAIRS && j + u < a->channels; u++)
        _mm512_storeu_ps(a->out + (j + u) * a->out_stride + p,
                         _mm512_mul_ps(_mm512_cvtepi32_ps(sum[u]), _mm512_set1_ps(a->scale)));
}

static uint64_t attend(const struct qsv_attend *a)
{
    uint64_t n = 0;
    for (uint32_t j = 0; j < a->channels; j += PAIRS) {
        n += count_eight(a, j);
        for (uint32_t p = 0; p < a->tokens; p += 16)
            attend_eight(a, j, p);
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
    .isa = "avx512",
    .index_bits = QSV_AVX512_INDEX_BITS,
    .subsets = true,
    .taps_inner = true,
    .words = true,
    .make_index = qsv_avx512_make_index,
    .table_bytes = qsv_avx512_table_bytes,
    .code_conv = qsv_avx512_code_conv,
    .list_events = qsv_avx512_list_events,
    .row_conv = qsv_avx512_row_conv,
    .dense = qsv_avx512_dense,
    .depthwise = qsv_avx512_depthwise,
    .code_depthwise = qsv_avx512_code_depthwise,
    .expand = expand,
    .lif = lif,
    .attend = attend,
    .add = add,
    .weigh = weigh,
};
#endif
