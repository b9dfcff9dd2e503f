/* Inner loops of calibration (core/statistics.h) and of the quantizers that build on it, one table
 * an instruction set. Every table gives the same bits: counts are exact, and each real-valued sum
 * runs in a stated order with a rounding a product and a rounding an addition.
 *
 * A triangle holds the lower half of a symmetric matrix, row by row: element (i, j), j <= i, at
 * i (i + 1) / 2 + j.
 */
#ifndef QSV_MOMENTS_H
#define QSV_MOMENTS_H

#include <stddef.h>
#include <stdint.h>

enum { QSV_MOMENTS_LANES = 16 }; /* what rows of real inputs are padded to, with zeros */

struct qsv_moments {
    const char *isa;
    /* counts (a triangle over n rows) += positions where rows i and j both fired; rows [n], each
     * [words]. */
    void (*count)(uint64_t *counts, const uint64_t *const *rows, uint32_t n, size_t words);
    /* sums (a triangle over n columns) += sum over p of x[p][i] x[p][j], by rising p, going on from
     * what is there; x [positions][stride], aligned, stride n padded to QSV_MOMENTS_LANES. Where x
     * holds f32 values the products are exact. */
    void (*sum)(double *sums, const double *x, size_t stride, uint32_t n, size_t positions);
    /* out[j] += factor[c] x matrix[index[c]][j] for each c in turn; j < n; rows of the matrix lie
     * `stride` apart. */
    void (*add_rows)(double *out, size_t n, const double *matrix, size_t stride,
                     const uint32_t *index, const double *factor, size_t count);
    /* Sum of a[i] b[i]: eight sums over i mod 8, added in pairs. */
    double (*dot)(const double *a, const double *b, size_t n);
};

static inline size_t qsv_triangle(size_t n) /* elements over n rows */
{
    return n * (n + 1) / 2;
}

/* Every table that was built, scalar first; NULL-terminated. */
extern const struct qsv_moments *const qsv_moments_built[];
/* Can this CPU run it? */
int qsv_moments_usable(const struct qsv_moments *m);
/* The best usable table, at most the one that QSV_ISA names. */
const struct qsv_moments *qsv_moments_choose(void);

extern const struct qsv_moments qsv_moments_scalar;
#if defined(__x86_64__)
extern const struct qsv_moments qsv_moments_avx2;
extern const struct qsv_moments qsv_moments_avx512;
#endif

#endif
