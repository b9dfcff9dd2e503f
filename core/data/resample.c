#include "core/data/resample.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if defined __x86_64__
#include <immintrin.h>
#endif

#include "core/base/alloc.h"

enum { PRECISION_BITS = 22, HALF = 1 << (PRECISION_BITS - 1) };

static bool has_avx2(void)
{
#if defined __x86_64__
    return __builtin_cpu_supports("avx2");
#else
    return false;
#endif
}

struct filter {
    double support;
    double (*weight)(double x);
};

static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static const struct filter filters[] = {
    [QSV_BICUBIC] = {2, bicubic}, [QSV_BILINEAR] = {1, bilinear}};

/* Which inputs each output takes: those under the filter, which lies about the output's center. */
static void find_inputs(struct qsv_resample *r, uint32_t in_size, uint64_t first, double scale,
                        double support)
{
    for (uint32_t i = 0; i < r->n; i++) {
        const double center = ((double)(first + i) + 0.5) * scale;
        const double low = center - support + 0.5, high = center + support + 0.5;
        const uint32_t end = high > in_size ? in_size : (uint32_t)high;
        r->start[i] = low < 0 ? 0 : (uint32_t)low;
        r->count[i] = end - r->start[i];
        if (r->count[i] > r->taps)
            r->taps = r->count[i];
    }
    r->taps += r->taps % 2;
}

/* Weights of one output; w [taps] for them in double precision. */
static void weigh(struct qsv_resample *r, uint32_t i, double center, double stretch,
                  double (*weight)(double), double *w)
{
    double sum = 0;
    for (uint32_t t = 0; t < r->count[i]; t++) {
        w[t] = weight((t + r->start[i] - center + 0.5) * (1 / stretch));
        sum += w[t];
    }
    for (uint32_t t = 0; t < r->count[i]; t++) {
        const double share = sum != 0 ? w[t] / sum : w[t];
        r->weights[(size_t)i * r->taps + t] =
            (int32_t)(share * (1 << PRECISION_BITS) + (share < 0 ? -0.5 : 0.5));
    }
}

enum qsv_status qsv_resample_init(struct qsv_resample *r, uint32_t in_size, uint64_t out_size,
                                  uint64_t first, uint32_t n, enum qsv_interpolation by,
                                  struct qsv_error *err)
{
    const struct filter *f = &filters[by];
    const double scale = (double)in_size / (double)out_size, stretch = scale < 1 ? 1 : scale;
    double *w = NULL;
    *r = (struct qsv_resample){.n = n, .vectors = has_avx2()};
    r->start = qsv_alloc(n, sizeof *r->start);
    r->count = qsv_alloc(n, sizeof *r->count);
    if (r->start && r->count) {
        find_inputs(r, in_size, first, scale, f->support * stretch);
        r->weights = qsv_alloc((size_t)n * r->taps, sizeof *r->weights);
        w = qsv_alloc(r->taps, sizeof *w);
    }
    for (uint32_t i = 0; r->weights && w && i < n; i++)
        weigh(r, i, ((double)(first + i) + 0.5) * scale, stretch, f->weight, w);
    const bool done = r->weights && w;
    free(w);
    if (done)
        return QSV_OK;
    qsv_resample_fini(r);
    return qsv_fail_memory(err, "resampling");
}

void qsv_resample_fini(struct qsv_resample *r)
{
    free(r->start);
    free(r->count);
    free(r->weights);
    *r = (struct qsv_resample){0};
}

static uint8_t to_byte(int32_t sum)
{
    sum >>= PRECISION_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static void row_any(const struct qsv_resample *r, const uint8_t *in, uint8_t *out)
{
    for (uint32_t i = 0; i < r->n; i++, out += 3) {
        const uint8_t *p = in + 4 * (size_t)r->start[i];
        const int32_t *w = r->weights + (size_t)i * r->taps;
        int32_t sum[3] = {HALF, HALF, HALF};
        for (uint32_t t = 0; t < r->count[i]; t++, p += 4)
            for (int c = 0; c < 3; c++)
                sum[c] += p[c] * w[t];
        for (int c = 0; c < 3; c++)
            out[c] = to_byte(sum[c]);
    }
}

static void column_any(const int32_t *w, uint32_t count, const uint8_t *in, size_t bytes,
                       size_t from, uint8_t *out)
{
    for (size_t x = from; x < bytes; x++) {
        int32_t sum = HALF;
        for (uint32_t t = 0; t < count; t++)
            sum += in[t * bytes + x] * w[t];
        out[x] = to_byte(sum);
    }
}

#if defined __x86_64__
#define AVX2 __attribute__((target("avx2")))

/* Two pixels at a time, as many for each output: a loop of another length for each would cost more
 * in branches that are foretold wrong. */
AVX2 static void row_avx2(const struct qsv_resample *r, const uint8_t *in, uint8_t *out)
{
    const __m256i twice = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
    for (uint32_t i = 0; i < r->n; i++, out += 3) {
        const uint8_t *p = in + 4 * (size_t)r->start[i];
        const int32_t *w = r->weights + (size_t)i * r->taps;
        __m256i sum = _mm256_setr_epi32(HALF, HALF, HALF, HALF, 0, 0, 0, 0);
        for (uint32_t t = 0; t < r->taps; t += 2) {
            __m256i pixels = _mm256_cvtepu8_epi32(_mm_loadu_si64(p + 4 * (size_t)t));
            __m256i pair = _mm256_castsi128_si256(_mm_loadu_si64(w + t));
            pair = _mm256_permutevar8x32_epi32(pair, twice);
            sum = _mm256_add_epi32(sum, _mm256_mullo_epi32(pixels, pair));
        }
        __m128i all = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
        all = _mm_srai_epi32(all, PRECISION_BITS);
        all = _mm_packus_epi16(_mm_packus_epi32(all, all), all);
        const int pixel = _mm_cvtsi128_si32(all);
        memcpy(out, &pixel, 4);
    }
}

AVX2 static inline __m256i add_8(__m256i sum, const uint8_t *in, __m256i weight)
{
    const __m256i v = _mm256_cvtepu8_epi32(_mm_loadu_si64(in));
    return _mm256_add_epi32(sum, _mm256_mullo_epi32(v, weight));
}

/* 16 sums to bytes in order. */
AVX2 static inline __m128i to_bytes(__m256i a, __m256i b)
{
    a = _mm256_packus_epi32(_mm256_srai_epi32(a, PRECISION_BITS),
                            _mm256_srai_epi32(b, PRECISION_BITS));
    a = _mm256_permute4x64_epi64(a, 0xd8);
    return _mm_packus_epi16(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
}

AVX2 static size_t column_avx2(const int32_t *w, uint32_t count, const uint8_t *in, size_t bytes,
                               uint8_t *out)
{
    size_t x = 0;
    for (; x + 32 <= bytes; x += 32) {
        __m256i a = _mm256_set1_epi32(HALF), b = a, c = a, d = a;
        const uint8_t *p = in + x;
        for (uint32_t t = 0; t < count; t++, p += bytes) {
            const __m256i weight = _mm256_set1_epi32(w[t]);
            a = add_8(a, p, weight);
            b = add_8(b, p + 8, weight);
            c = add_8(c, p + 16, weight);
            d = add_8(d, p + 24, weight);
        }
        _mm_storeu_si128((__m128i *)(out + x), to_bytes(a, b));
        _mm_storeu_si128((__m128i *)(out + x + 16), to_bytes(c, d));
    }
    return x;
}

#else
#define row_avx2                              row_any
#define column_avx2(w, count, in, bytes, out) 0
#endif

void qsv_resample_row(const struct qsv_resample *r, const uint8_t *in, uint8_t *out)
{
    if (r->vectors)
        row_avx2(r, in, out);
    else
        row_any(r, in, out);
}

void qsv_resample_column(const struct qsv_resample *r, uint32_t i, const uint8_t *in, size_t bytes,
                         uint8_t *out)
{
    const int32_t *w = r->weights + (size_t)i * r->taps;
    const size_t done = r->vectors ? column_avx2(w, r->count[i], in, bytes, out) : 0;
    column_any(w, r->count[i], in, bytes, done, out);
}
