/* How multipliers and shifts of a quantized network are stored: f32, or IEEE halves or bytes with
 * one exponent a vector: value = half x 2^exponent, or integer x 2^exponent.
 *
 * Halves: the exponent puts the largest magnitude into [2^14, 2^15), so that it and everything down
 * to 2^-28 of it has 11 significant bits, less than half a unit of 2^-11 of the value off; what is
 * smaller still is off by at most 2^-40 of the largest. Exponents are -125 to 112: every half times
 * one of those is an f32 exactly.
 *
 * Bytes: integers of -127 to 127, the largest magnitude at least 64 of them, so that each value is
 * off by at most 2^-7 of the largest. The same exponents.
 */
#ifndef QSV_AFFINE_H
#define QSV_AFFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tensor.h"

enum { QSV_AFFINE_EXPONENT_MIN = -125, QSV_AFFINE_EXPONENT_MAX = 112 };

/* `stored` is QSV_F32, QSV_F16 or QSV_INT8 in what follows. */

/* What the vectors of a layer in format `layer` are stored as where a network's are stored as
 * `affine`. Layers that are f32 keep theirs exact. Bytes are for layers of at most two bits a
 * weight, whose codes are coarser by far; the others of such a network have halves. */
enum qsv_format qsv_affine_of(enum qsv_format layer, enum qsv_format affine);

/* Of finite v [n], to be stored as halves or bytes; 0 where all are 0. */
int qsv_affine_exponent(enum qsv_format stored, const float *v, size_t n);

/* Each v becomes the nearest value that can be stored with the vector's exponent, ties to the even
 * one; as f32 it stays. Magnitudes above 65504 x 2^112, or 127 x 2^112, become that. Once rounded,
 * rounding again changes nothing. */
void qsv_affine_round(enum qsv_format stored, float *v, size_t n);

/* Bytes that a vector of n takes; an exponent is one. */
uint64_t qsv_affine_bytes(enum qsv_format stored, size_t n);

/* Values v [n] into a tensor [n] of a format that is stored, and back, exactly; v must be rounded
 * already. */
void qsv_affine_pack(struct qsv_tensor *t, const float *v);
void qsv_affine_unpack(float *v, const struct qsv_tensor *t);

/* Is it a vector of halves or bytes, which have an exponent? */
bool qsv_affine_has_exponent(const struct qsv_tensor *t);

/* What a tensor takes: its data, and its exponent where it has one. */
uint64_t qsv_affine_stored_bytes(const struct qsv_tensor *t);

#endif
