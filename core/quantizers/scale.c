/* A channel's scale: everything is computed in double, each sum in the order of the weights, with
 * no fused operation: the compiler may vectorize over candidate scales, which changes no bit. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/quantizers/codes.h"
#include "core/quantizers/quantizers.h"

enum { GRID = 96 };

/* Keeps every scale a normal float, and what formats without a code 0 make of a channel of zeros
 * next to nothing. */
static const double SMALLEST = 1e-30;

/* Candidate scales of one channel; squared errors at each, and at its negative. */
struct grid {
    double scale[GRID], plus[GRID], minus[GRID];
};

/* What w would be rounded to at each scale, were there no smallest and largest code. */
static inline void round_at(double *restrict code, const double *restrict scale, double w, bool odd)
{
    if (odd)
        for (int j = 0; j < GRID; j++)
            code[j] = qsv_nearest_odd(w / scale[j]);
    else
        for (int j = 0; j < GRID; j++)
            code[j] = qsv_nearest_integer(w / scale[j]);
}

static inline void add_errors(double *restrict error, const double *restrict code,
                              const double *restrict scale, double w, double low, double high,
                              double importance)
{
    for (int j = 0; j < GRID; j++) {
        double d = w - qsv_clamp(code[j], low, high) * scale[j];
        error[j] += d * d * importance;
    }
}

/* Codes low .. high at a negative scale are codes -high .. -low at its magnitude. */
static void sum_errors(struct grid *g, const float *w, const double *importance, size_t n,
                       const struct qsv_format_info *f)
{
    double low = f->code_min, high = f->code_max, code[GRID];
    memset(g->plus, 0, sizeof g->plus);
    memset(g->minus, 0, sizeof g->minus);
    for (size_t i = 0; i < n; i++) {
        const double by = importance ? importance[i] : 1;
        round_at(code, g->scale, (double)w[i], f->code_step == 2);
        add_errors(g->plus, code, g->scale, (double)w[i], low, high, by);
        if (low != -high)
            add_errors(g->minus, code, g->scale, (double)w[i], -high, -low, by);
    }
}

static float fit_scale(const float *w, const double *importance, size_t n, double largest,
                       const struct qsv_format_info *f)
{
    struct grid g;
    for (int j = 0; j < GRID; j++) {
        double s = (10 + j) / 100.0 * largest / f->code_max;
        g.scale[j] = (float)(s < FLT_MAX ? s : FLT_MAX);
    }
    sum_errors(&g, w, importance, n, f);
    double best = g.plus[0], scale = g.scale[0];
    for (int j = 1; j < GRID; j++)
        if (g.plus[j] < best) {
            best = g.plus[j];
            scale = g.scale[j];
        }
    for (int j = 0; f->code_min != -f->code_max && j < GRID; j++)
        if (g.minus[j] < best) {
            best = g.minus[j];
            scale = -g.scale[j];
        }
    return (float)scale;
}

float qsv_scale_choose(enum qsv_scale_rule rule, const float *weights, const double *importance,
                       size_t k, const struct qsv_format_info *format)
{
    double largest = SMALLEST;
    for (size_t i = 0; i < k; i++)
        if (fabs((double)weights[i]) > largest)
            largest = fabs((double)weights[i]);
    return rule == QSV_SCALE_MAX ? (float)(largest / format->code_max)
                                 : fit_scale(weights, importance, k, largest, format);
}

float qsv_scale_of(double s)
{
    const double magnitude = qsv_clamp(fabs(s), SMALLEST, FLT_MAX);
    return (float)(s < 0 ? -magnitude : magnitude);
}
