/* AVX-512: real weights on spikes, by adding the rows of the inputs that fired. */
#if defined(__x86_64__)
#include "core/kernels/avx512.h"
#include "core/kernels/subsets.h"

enum { ROW_OUTPUTS = 128 }; /* at once */

/* Which bits of an index are set, ascending, as 16-bit numbers. */
static inline __m128i places_of(uint32_t index)
{
    const uint64_t bytes = _pdep_u64(index, 0x0101010101010101u) * 255;
    return _mm_cvtepu8_epi16(_mm_cvtsi64_si128((long long)_pext_u64(0x0706050403020100u, bytes)));
}

void qsv_avx512_list_events(uint16_t *events, uint32_t *first_event, const uint8_t *index,
                            size_t index_stride, uint32_t groups, uint32_t positions)
{
    uint32_t n = 0;
    for (uint32_t p = 0; p < positions; p++) {
        const uint8_t *at = index + p;
        first_event[p] = n;
        for (uint32_t g = 0; g < groups; g++, at += index_stride) {
            const __m128i channel =
                _mm_add_epi16(places_of(*at), _mm_set1_epi16((short)(g * QSV_AVX512_INDEX_BITS)));
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
            const qsv_v512 base = _mm512_set1_epi32((int)((ky * c->kernel + kx) * c->in_ch));
            for (uint32_t e = first[kx]; e < first[kx + 1]; e += 16) {
                const qsv_v512 row = _mm512_cvtepu16_epi32(
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

/* Outputs o to o + 127 at most, as many vectors at once as there are: a sum's additions wait for
 * each other, those of others do not. */
static void add_rows(float *out, const struct qsv_row_conv *c, uint32_t o, const uint32_t *list,
                     uint32_t n)
{
    const float *rows = c->rows + o;
    switch (c->width - o < ROW_OUTPUTS ? (c->width - o) / 16 : 8) {
    case 1:
        add_vectors(out, rows, c->width, list, n, 1);
        break;
    case 2:
        add_vectors(out, rows, c->width, list, n, 2);
        break;
    case 3:
        add_vectors(out, rows, c->width, list, n, 3);
        break;
    case 4:
        add_vectors(out, rows, c->width, list, n, 4);
        break;
    case 5:
        add_vectors(out, rows, c->width, list, n, 5);
        break;
    case 6:
        add_vectors(out, rows, c->width, list, n, 6);
        break;
    case 7:
        add_vectors(out, rows, c->width, list, n, 7);
        break;
    default:
        add_vectors(out, rows, c->width, list, n, 8);
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
static void store_rows(const struct qsv_row_conv *c, float *out, uint32_t first, uint32_t positions)
{
    const __mmask16 keep = (__mmask16)((1u << positions) - 1);
    const uint32_t end = c->out_ch - first < ROW_OUTPUTS ? c->out_ch : first + ROW_OUTPUTS;
    for (uint32_t o = first; o < end; o += 16) {
        const uint32_t n = end - o < 16 ? end - o : 16;
        __m512 r[16];
#pragma GCC unroll 16
        for (int p = 0; p < 16; p++)
            r[p] = _mm512_load_ps(c->tile + (size_t)p * ROW_OUTPUTS + (o - first));
        transpose16(r);
#pragma GCC unroll 16
        for (uint32_t i = 0; i < 16; i++)
            if (i < n)
                _mm512_mask_storeu_ps(out + (o + i) * c->out_stride, keep,
                                      _mm512_fmadd_ps(r[i], _mm512_set1_ps(c->multiplier[o + i]),
                                                      _mm512_set1_ps(c->shift[o + i])));
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
    _mm512_store_ps(tile + ROW_OUTPUTS, s1);
}

static void fill_tile(const struct qsv_row_conv *c, struct walk *w, uint32_t o, uint32_t positions)
{
    uint32_t p = 0;
    for (; c->width == 16 && p + 2 <= positions; p += 2) {
        const uint32_t n0 = gather_rows(c, c->list, w->first_event, w->oy, w->ox);
        walk_on(w, c);
        const uint32_t n1 = gather_rows(c, c->list + n0, w->first_event, w->oy, w->ox);
        walk_on(w, c);
        add_rows_of_two(c->tile + (size_t)p * ROW_OUTPUTS, c, c->list, n0, n1);
    }
    for (; p < positions; p++) {
        const uint32_t n = gather_rows(c, c->list, w->first_event, w->oy, w->ox);
        walk_on(w, c);
        add_rows(c->tile + (size_t)p * ROW_OUTPUTS, c, o, c->list, n);
    }
}

/* Blocks of outputs outermost, so that the rows that a block reads stay in the cache. */
void qsv_avx512_row_conv(const struct qsv_row_conv *c)
{
    const uint32_t positions = c->images * c->out_h * c->out_w;
    for (uint32_t o = 0; o < c->out_ch; o += ROW_OUTPUTS) {
        struct walk w = {c->first_event, 0, 0};
        for (uint32_t p = 0; p < positions; p += 16) {
            const uint32_t n = positions - p < 16 ? positions - p : 16;
            fill_tile(c, &w, o, n);
            store_rows(c, c->out + p, o, n);
        }
    }
}
#endif
