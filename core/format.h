/* Weight formats: a name and a set of codes each, one row of a table.
 *
 * A weight is code x scale, the scale being one number an output channel. Packed codes are one bit
 * stream a layer, the first weight in the lowest bits of the first byte; ternary packs five codes
 * to a byte, sum of (code + 1) x 3^i. What is stored for a code c in the bit stream: two's
 * complement for int3 to int8, (c + 3) / 2 for int2, (c + 1) / 2 for binary. f32 and f16 are
 * little-endian IEEE values. `none` has one code, 0, and packs to nothing: the layer is left out,
 * and what it gave on average may stay behind as a constant (core/bank.h). The numbers of the
 * enumeration are written to files: never renumber.
 */
#ifndef QSV_FORMAT_H
#define QSV_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

enum qsv_format {
    QSV_F32 = 0,
    QSV_F16 = 1,
    QSV_INT8 = 2,
    QSV_INT6 = 3,
    QSV_INT5 = 4,
    QSV_INT4 = 5,
    QSV_INT3 = 6,
    QSV_INT2 = 7, /* {-3, -1, 1, 3} */
    QSV_TERNARY = 8,
    QSV_BINARY = 9, /* {-1, 1} */
    QSV_NONE = 10,  /* {0} */
    QSV_N_FORMATS
};

struct qsv_format_info {
    const char *name;
    double bits;  /* a weight, as packed: 1.6 for ternary */
    bool integer; /* weights are codes: false for f32 and f16 */
    int code_min, code_max;
    int code_step; /* codes are code_min, code_min + code_step, ... code_max */
};

/* f < QSV_N_FORMATS */
const struct qsv_format_info *qsv_format_info(enum qsv_format f);
/* False where no format has that name. */
bool qsv_format_find(enum qsv_format *out, const char *name);
/* "f32, f16, int8, ..." for messages. */
const char *qsv_format_names(void);

/* Bytes that n weights take when packed; SIZE_MAX on overflow. */
size_t qsv_format_packed_bytes(enum qsv_format f, size_t n);

/* codes [n] -> packed [qsv_format_packed_bytes(f, n)], for integer formats; every code must be one
 * of the format's. */
void qsv_format_pack(enum qsv_format f, const int8_t *codes, size_t n, uint8_t *packed);
/* The reverse; QSV_EINPUT where a packed value stands for no code (ternary bytes above 242), naming
 * the byte's index. What lies behind the last code in its byte must be 0: one packed form a layer.
 */
enum qsv_status qsv_format_unpack(enum qsv_format f, const uint8_t *packed, size_t n, int8_t *codes,
                                  struct qsv_error *err);

/* IEEE half precision, round to nearest even; overflow gives infinity, a NaN stays one. */
uint16_t qsv_half_from_float(float v);
float qsv_half_to_float(uint16_t h);
float qsv_bfloat_to_float(uint16_t h);

#endif
