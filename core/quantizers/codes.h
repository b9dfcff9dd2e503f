/* Rounding to a format's codes. In double, with no fused operation: the compiler may vectorize,
 * which changes no bit. */
#ifndef QSV_CODES_H
#define QSV_CODES_H

#include <stdbool.h>

#include "core/format.h"

/* Adding and subtracting it rounds to the nearest integer, ties to even, for magnitudes far below
 * 2^51; quotients by scales are clamped or small. */
#define QSV_ROUNDER 0x1.8p52

/* The nearest integer; a tie goes to the lower one. */
static inline double qsv_nearest_integer(double v)
{
    double r = v + QSV_ROUNDER - QSV_ROUNDER;
    return r - (r - v == 0.5 ? 1.0 : 0.0);
}

/* The nearest odd number, 2 x ceil(v / 2) - 1; a tie goes to the lower one. */
static inline double qsv_nearest_odd(double v)
{
    double half = v * 0.5, r = half + QSV_ROUNDER - QSV_ROUNDER;
    return 2 * (r + (r < half ? 1.0 : 0.0)) - 1;
}

static inline double qsv_clamp(double v, double low, double high)
{
    v = v < low ? low : v;
    return v > high ? high : v;
}

/* The nearest of a format's codes; of two equally near ones the lower. */
static inline double qsv_nearest_code(double v, const struct qsv_format_info *f)
{
    v = qsv_clamp(v, f->code_min - 2.0, f->code_max + 2.0);
    return qsv_clamp(f->code_step == 2 ? qsv_nearest_odd(v) : qsv_nearest_integer(v), f->code_min,
                     f->code_max);
}

#endif
