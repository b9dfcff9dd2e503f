/* The loops of core/kernels/moments.h, compiled once an instruction set: the including file defines
 * TABLE and ISA, and may bring a count_tile of its own (HAVE_COUNT_TILE).
 */
#include <string.h>

#include "core/kernels/moments.h"

enum {
    TILE = 4,
    WORDS = 512, /* of a row at once: what stays in the caches while rows meet each other */
    LANES = 8,
    SUM_LANES = QSV_MOMENTS_LANES / LANES,
    CHUNK = 8 /* vectors of a sum of rows that stay in registers */
};

typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), aligned(8), may_alias));

#ifndef HAVE_COUNT_TILE
static void count_tile(uint64_t out[TILE][TILE], const uint64_t *const a[TILE],
                       const uint64_t *const b[TILE], size_t words)
{
    for (int i = 0; i < TILE; i++) {
        uint64_t n[TILE] = {0};
        for (size_t w = 0; w < words; w++)
            for (int j = 0; j < TILE; j++)
                n[j] += (uint64_t)__builtin_popcountll(a[i][w] & b[j][w]);
        memcpy(out[i], n, sizeof n);
    }
}
#endif

/* Rows [first, first + TILE) from word `at` on; behind the last row it stands in for the others. */
static void take_rows(const uint64_t *tile[TILE], const uint64_t *const *rows, uint32_t n,
                      uint32_t first, size_t at)
{
    for (uint32_t i = 0; i < TILE; i++)
        tile[i] = rows[first + i < n ? first + i : n - 1] + at;
}

static void count(uint64_t *counts, const uint64_t *const *rows, uint32_t n, size_t words)
{
    for (size_t at = 0; at < words; at += WORDS)
        for (uint32_t i = 0; i < n; i += TILE) {
            const uint64_t *a[TILE], *b[TILE];
            uint64_t tile[TILE][TILE];
            take_rows(a, rows, n, i, at);
            for (uint32_t j = 0; j <= i; j += TILE) {
                take_rows(b, rows, n, j, at);
                count_tile(tile, a, b, words - at < WORDS ? words - at : WORDS);
                for (uint32_t p = i; p < n && p < i + TILE; p++)
                    for (uint32_t q = j; q <= p && q < j + TILE; q++)
                        counts[qsv_triangle(p) + q] += tile[p - i][q - j];
            }
        }
}

/* Columns [i, i + TILE) with [j, j + QSV_MOMENTS_LANES). */
static void sum_tile(double tile[TILE][QSV_MOMENTS_LANES], const double *x, size_t stride,
                     uint32_t i, uint32_t j, size_t positions)
{
    lanes s[TILE][SUM_LANES];
    memcpy(s, tile, sizeof s);
    for (size_t p = 0; p < positions; p++, x += stride) {
        lanes b[SUM_LANES];
        memcpy(b, x + j, sizeof b);
        for (int t = 0; t < TILE; t++)
            for (int v = 0; v < SUM_LANES; v++)
                s[t][v] += x[i + (uint32_t)t] * b[v];
    }
    memcpy(tile, s, sizeof s);
}

static void sum(double *sums, const double *x, size_t stride, uint32_t n, size_t positions)
{
    for (uint32_t i = 0; i < n; i += TILE)
        for (uint32_t j = 0; j < n && j < i + TILE; j += QSV_MOMENTS_LANES) {
            double tile[TILE][QSV_MOMENTS_LANES] = {{0}};
            for (uint32_t p = i; p < n && p < i + TILE; p++)
                for (uint32_t q = j; q <= p && q < j + QSV_MOMENTS_LANES; q++)
                    tile[p - i][q - j] = sums[qsv_triangle(p) + q];
            sum_tile(tile, x, stride, i, j, positions);
            for (uint32_t p = i; p < n && p < i + TILE; p++)
                for (uint32_t q = j; q <= p && q < j + QSV_MOMENTS_LANES; q++)
                    sums[qsv_triangle(p) + q] = tile[p - i][q - j];
        }
}

static void add_chunk(double *out, const double *matrix, size_t stride, const uint32_t *index,
                      const double *factor, size_t n_rows)
{
    lanes s[CHUNK];
    memcpy(s, out, sizeof s);
    for (size_t c = 0; c < n_rows; c++) {
        const double *row = matrix + index[c] * stride, f = factor[c];
        for (int v = 0; v < CHUNK; v++)
            s[v] += f * ((const lanes *)(const void *)row)[v];
    }
    memcpy(out, s, sizeof s);
}

static void add_rows(double *out, size_t n, const double *matrix, size_t stride,
                     const uint32_t *index, const double *factor, size_t n_rows)
{
    size_t j = 0;
    for (; n - j >= CHUNK * LANES; j += CHUNK * LANES)
        add_chunk(out + j, matrix + j, stride, index, factor, n_rows);
    for (size_t c = 0; j < n && c < n_rows; c++) {
        const double *row = matrix + index[c] * stride;
        for (size_t i = j; i < n; i++)
            out[i] += factor[c] * row[i];
    }
}

static double dot(const double *a, const double *b, size_t n)
{
    double s[LANES] = {0};
    size_t i = 0;
    for (; n - i >= LANES; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            s[l] += a[i + l] * b[i + l];
    for (size_t l = 0; i + l < n; l++)
        s[l] += a[i + l] * b[i + l];
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

const struct qsv_moments TABLE = {ISA, count, sum, add_rows, dot};
