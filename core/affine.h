/* How multipliers and shifts of a quantized network are stored: f32, or IEEE halves with one
 * exponent a vector: value = half x 2^exponent.
 *
 * The exponent puts the largest magnitude into [2^14, 2^15), so that it and everything down to
 * 2^-28 of it has 11 significant bits, less than half a unit of 2^-11 of the value off; what is
 * smaller still is off by at most 2^-40 of the largest. Exponents are -125 to 112: every half times
 * one of those is an f32 exactly.
 */
#ifndef QSV_AFFINE_H
#define QSV_AFFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tensor.h"

enum { QSV_AFFINE_EXPONENT_MIN = -125, QSV_AFFINE_EXPONENT_MAX = 112 };

/* Of finite v [n]; 0 where all are 0. */
int qsv_affine_exponent(const float *v, size_t n);

/* Each v becomes the nearest value that can be stored with the vector's exponent, ties to the even
 * half. Magnitudes above 65504 x 2^112 become that. Once rounded, rounding again changes nothing.
 */
void qsv_affine_round(float *v, size_t n);

/* What the vectors of a layer in format `layer` are stored as where a network's are stored as
 * `affine`: layers that are f32 keep theirs exact. */
static inline enum qsv_format qsv_affine_of(enum qsv_format layer, enum qsv_format affine)
{
    return layer == QSV_F32 ? QSV_F32 : affine;
}

/* Bytes that a vector of n takes; affine is QSV_F32 or QSV_F16, whose exponent is a byte. */
uint64_t qsv_affine_bytes(enum qsv_format affine, size_t n);

/* Values v [n] into a tensor [n] of format f32 or f16, and back, exactly; v must be rounded
 * already for f16. */
void qsv_affine_pack(struct qsv_tensor *t, const float *v);
void qsv_affine_unpack(float *v, const struct qsv_tensor *t);

/* Is it a vector of halves, which have an exponent? */
bool qsv_affine_is_half(const struct qsv_tensor *t);

/* What a tensor takes: its data, and its exponent where it has one. */
uint64_t qsv_affine_stored_bytes(const struct qsv_tensor *t);

#endif
