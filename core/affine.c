#include "core/affine.h"

#include <math.h>
#include <string.h>

enum {
    TOP = 15,              /* of halves: the largest magnitude lies below 2^TOP */
    LARGEST_HALF = 0x7bff, /* 65504 */
    SIGN = 0x8000,
    LARGEST_BYTE = 127,
    BYTE_BITS = 7 /* of that */
};

enum qsv_format qsv_affine_of(enum qsv_format layer, enum qsv_format affine)
{
    if (layer == QSV_F32)
        return QSV_F32;
    const bool coarse = layer != QSV_NONE && qsv_format_info(layer)->bits <= 2;
    return affine == QSV_INT8 && !coarse ? QSV_F16 : affine;
}

/* Whether the fraction, of [0.5, 1), rounds to 1 in as many bits as are stored: the exponent is
 * then one higher, so that rounding again finds the same. */
static bool rounds_up(enum qsv_format stored, float fraction)
{
    if (stored == QSV_F16)
        return qsv_half_to_float(qsv_half_from_float(fraction)) == 1;
    return rintf(ldexpf(fraction, BYTE_BITS)) > LARGEST_BYTE;
}

int qsv_affine_exponent(enum qsv_format stored, const float *v, size_t n)
{
    float largest = 0;
    int exponent;
    for (size_t i = 0; i < n; i++)
        largest = fabsf(v[i]) > largest ? fabsf(v[i]) : largest;
    if (largest == 0)
        return 0;
    float fraction = frexpf(largest, &exponent); /* of [0.5, 1): largest = that x 2^exponent */
    exponent += rounds_up(stored, fraction);
    exponent -= stored == QSV_F16 ? TOP : BYTE_BITS;
    if (exponent < QSV_AFFINE_EXPONENT_MIN)
        return QSV_AFFINE_EXPONENT_MIN;
    return exponent > QSV_AFFINE_EXPONENT_MAX ? QSV_AFFINE_EXPONENT_MAX : exponent;
}

/* The scaling may leave f32's normal numbers, and must not round there: it is done in double, whose
 * product with a power of two is exact, and so is the way back to a half's 11 bits through float,
 * but for what is below every half. */
static uint16_t to_half(float v, int exponent)
{
    double scaled = ldexp((double)v, -exponent);
    uint16_t half = qsv_half_from_float((float)scaled);
    return (half & ~SIGN) > LARGEST_HALF ? (uint16_t)((half & SIGN) | LARGEST_HALF) : half;
}

static float from_half(uint16_t half, int exponent)
{
    return ldexpf(qsv_half_to_float(half), exponent);
}

static int8_t to_byte(float v, int exponent)
{
    double scaled = rint(ldexp((double)v, -exponent));
    return (int8_t)fmax(-LARGEST_BYTE, fmin(LARGEST_BYTE, scaled));
}

static float from_byte(int8_t byte, int exponent)
{
    return ldexpf(byte, exponent);
}

void qsv_affine_round(enum qsv_format stored, float *v, size_t n)
{
    const int exponent = stored == QSV_F32 ? 0 : qsv_affine_exponent(stored, v, n);
    for (size_t i = 0; stored == QSV_F16 && i < n; i++)
        v[i] = from_half(to_half(v[i], exponent), exponent);
    for (size_t i = 0; stored == QSV_INT8 && i < n; i++)
        v[i] = from_byte(to_byte(v[i], exponent), exponent);
}

uint64_t qsv_affine_bytes(enum qsv_format stored, size_t n)
{
    return stored == QSV_F32 ? 4 * (uint64_t)n : (stored == QSV_F16 ? 2 : 1) * (uint64_t)n + 1;
}

static void pack_halves(struct qsv_tensor *t, const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half = to_half(v[i], t->exponent);
        t->data[2 * i] = (uint8_t)half;
        t->data[2 * i + 1] = (uint8_t)(half >> 8);
    }
}

void qsv_affine_pack(struct qsv_tensor *t, const float *v)
{
    const size_t n = qsv_tensor_count(t);
    if (t->format == QSV_F32) {
        memcpy(t->data, v, n * sizeof *v);
        return;
    }
    t->exponent = (int8_t)qsv_affine_exponent(t->format, v, n);
    if (t->format == QSV_F16)
        pack_halves(t, v, n);
    for (size_t i = 0; t->format == QSV_INT8 && i < n; i++)
        t->data[i] = (uint8_t)to_byte(v[i], t->exponent);
}

void qsv_affine_unpack(float *v, const struct qsv_tensor *t)
{
    const size_t n = qsv_tensor_count(t);
    if (t->format == QSV_F32)
        memcpy(v, t->data, n * sizeof *v);
    for (size_t i = 0; t->format == QSV_F16 && i < n; i++)
        v[i] = from_half((uint16_t)(t->data[2 * i] | t->data[2 * i + 1] << 8), t->exponent);
    for (size_t i = 0; t->format == QSV_INT8 && i < n; i++)
        v[i] = from_byte((int8_t)t->data[i], t->exponent);
}

bool qsv_affine_has_exponent(const struct qsv_tensor *t)
{
    return (t->format == QSV_F16 || t->format == QSV_INT8) && t->rank == 1;
}

uint64_t qsv_affine_stored_bytes(const struct qsv_tensor *t)
{
    return t->bytes + (qsv_affine_has_exponent(t) ? 1 : 0);
}
