#include "core/affine.h"

#include <math.h>
#include <string.h>

enum {
    TOP = 15,              /* the largest magnitude lies below 2^TOP */
    LARGEST_HALF = 0x7bff, /* 65504 */
    SIGN = 0x8000
};

int qsv_affine_exponent(const float *v, size_t n)
{
    float largest = 0;
    int exponent;
    for (size_t i = 0; i < n; i++)
        largest = fabsf(v[i]) > largest ? fabsf(v[i]) : largest;
    if (largest == 0)
        return 0;
    float fraction = frexpf(largest, &exponent); /* of [0.5, 1): largest = that x 2^exponent */
    if (qsv_half_to_float(qsv_half_from_float(fraction)) == 1) /* so that rounding again finds the
                                                                  same exponent */
        exponent++;
    exponent -= TOP;
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

void qsv_affine_round(float *v, size_t n)
{
    int exponent = qsv_affine_exponent(v, n);
    for (size_t i = 0; i < n; i++)
        v[i] = from_half(to_half(v[i], exponent), exponent);
}

uint64_t qsv_affine_bytes(enum qsv_format affine, size_t n)
{
    return affine == QSV_F16 ? 2 * (uint64_t)n + 1 : 4 * (uint64_t)n;
}

void qsv_affine_pack(struct qsv_tensor *t, const float *v)
{
    size_t n = qsv_tensor_count(t);
    if (t->format == QSV_F32) {
        memcpy(t->data, v, n * sizeof *v);
        return;
    }
    t->exponent = (int8_t)qsv_affine_exponent(v, n);
    for (size_t i = 0; i < n; i++) {
        uint16_t half = to_half(v[i], t->exponent);
        t->data[2 * i] = (uint8_t)half;
        t->data[2 * i + 1] = (uint8_t)(half >> 8);
    }
}

void qsv_affine_unpack(float *v, const struct qsv_tensor *t)
{
    size_t n = qsv_tensor_count(t);
    if (t->format == QSV_F32) {
        memcpy(v, t->data, n * sizeof *v);
        return;
    }
    for (size_t i = 0; i < n; i++)
        v[i] = from_half((uint16_t)(t->data[2 * i] | t->data[2 * i + 1] << 8), t->exponent);
}

bool qsv_affine_is_half(const struct qsv_tensor *t)
{
    return t->format == QSV_F16 && t->rank == 1;
}

uint64_t qsv_affine_stored_bytes(const struct qsv_tensor *t)
{
    return t->bytes + (qsv_affine_is_half(t) ? 1 : 0);
}
