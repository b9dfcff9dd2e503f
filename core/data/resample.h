/* Antialiased resampling of 8-bit pixels, bit for bit as Pillow's Image.resize does it
 * (libImaging/Resample.c): a horizontal pass that rounds to 8 bits, then a vertical one. Where an
 * image shrinks, the filter's support grows by the same factor. Weights are computed in double
 * precision, divided by their sum and rounded to 22 bits behind the point.
 *
 * Only a run of the resized image's columns or rows is computed: a crop costs nothing more.
 */
#ifndef QSV_RESAMPLE_H
#define QSV_RESAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

/* Bicubic is Keys' (1981) with a = -0.5. */
enum qsv_interpolation { QSV_BICUBIC, QSV_BILINEAR };

/* One direction: output i is the sum over t < count[i] of weights[i * taps + t] times input
 * start[i] + t. */
struct qsv_resample {
    bool vectors; /* by the CPU's vectors, where it has those that are used; the pixels are the same
                   */
    uint32_t n, taps;        /* outputs; most inputs of one, rounded up to an even number */
    uint32_t *start, *count; /* [n], of inputs */
    int32_t *weights;        /* [n][taps], in units of 2^-22; 0 behind the last one */
};

/* For outputs first .. first+n-1 of out_size, from in_size inputs; both sizes at least 1, in_size
 * below 2^26. */
enum qsv_status qsv_resample_init(struct qsv_resample *r, uint32_t in_size, uint64_t out_size,
                                  uint64_t first, uint32_t n, enum qsv_interpolation by,
                                  struct qsv_error *err);
void qsv_resample_fini(struct qsv_resample *r);

/* in [width + taps][4], of which the last taps pixels and every fourth byte mean nothing; out
 * [n][3] and one byte more, which means nothing. */
void qsv_resample_row(const struct qsv_resample *r, const uint8_t *in, uint8_t *out);

/* Output row i: in is row start[i] of the inputs, rows follow each other without a gap; rows have
 * `bytes` bytes, out too. */
void qsv_resample_column(const struct qsv_resample *r, uint32_t i, const uint8_t *in, size_t bytes,
                         uint8_t *out);

#endif
