#include "core/quantizer.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

/* Everything is computed in double, channel by channel, each sum in the order of the weights, with
 * no fused operation: the compiler may vectorize over candidate scales, which changes no bit.
 */

enum {
    RULES_VERSION = 1, /* changes whenever any code or scale could */
    GRID = 96
};

/* Keeps every scale a normal float, and what formats without a code 0 make of a channel of zeros
 * next to nothing. */
static const double SMALLEST = 1e-30;

/* Adding and subtracting it rounds to the nearest integer, ties to even, for magnitudes far below
 * 2^51; v / scale is at most 10 x 127. */
static const double ROUNDER = 0x1.8p52;

/* The nearest integer; a tie goes to the lower one. */
static inline double nearest_integer(double v)
{
    double r = v + ROUNDER - ROUNDER;
    return r - (r - v == 0.5 ? 1.0 : 0.0);
}

/* The nearest odd number, 2 x ceil(v / 2) - 1; a tie goes to the lower one. */
static inline double nearest_odd(double v)
{
    double half = v * 0.5, r = half + ROUNDER - ROUNDER;
    return 2 * (r + (r < half ? 1.0 : 0.0)) - 1;
}

static inline double clamp(double v, double low, double high)
{
    v = v < low ? low : v;
    return v > high ? high : v;
}

/* Candidate scales of one channel; squared errors at each, and at its negative. */
struct grid {
    double scale[GRID], plus[GRID], minus[GRID];
};

/* What w would be rounded to at each scale, were there no smallest and largest code. */
static inline void round_at(double *restrict code, const double *restrict scale, double w, bool odd)
{
    if (odd)
        for (int j = 0; j < GRID; j++)
            code[j] = nearest_odd(w / scale[j]);
    else
        for (int j = 0; j < GRID; j++)
            code[j] = nearest_integer(w / scale[j]);
}

static inline void add_errors(double *restrict error, const double *restrict code,
                              const double *restrict scale, double w, double low, double high)
{
    for (int j = 0; j < GRID; j++) {
        double d = w - clamp(code[j], low, high) * scale[j];
        error[j] += d * d;
    }
}

/* Codes low .. high at a negative scale are codes -high .. -low at its magnitude. */
static void sum_errors(struct grid *g, const float *w, size_t n, const struct qsv_format_info *f)
{
    double low = f->code_min, high = f->code_max, code[GRID];
    memset(g->plus, 0, sizeof g->plus);
    memset(g->minus, 0, sizeof g->minus);
    for (size_t i = 0; i < n; i++) {
        round_at(code, g->scale, w[i], f->code_step == 2);
        add_errors(g->plus, code, g->scale, w[i], low, high);
        if (low != -high)
            add_errors(g->minus, code, g->scale, w[i], -high, -low);
    }
}

static float fit_scale(const float *w, size_t n, double largest, const struct qsv_format_info *f)
{
    struct grid g;
    for (int j = 0; j < GRID; j++) {
        double s = (10 + j) / 100.0 * largest / f->code_max;
        g.scale[j] = (float)(s < FLT_MAX ? s : FLT_MAX);
    }
    sum_errors(&g, w, n, f);
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

static double largest_magnitude(const float *w, size_t n)
{
    double largest = SMALLEST;
    for (size_t i = 0; i < n; i++)
        if (fabs(w[i]) > largest)
            largest = fabs(w[i]);
    return largest;
}

static float choose_scale(enum qsv_scale_rule rule, const float *w, size_t n,
                          const struct qsv_format_info *f)
{
    double largest = largest_magnitude(w, n);
    return rule == QSV_SCALE_MAX ? (float)(largest / f->code_max) : fit_scale(w, n, largest, f);
}

static void round_channel(const float *w, size_t n, float scale, const struct qsv_format_info *f,
                          int8_t *codes)
{
    double low = f->code_min, high = f->code_max;
    for (size_t i = 0; i < n; i++) {
        double v = w[i] / (double)scale;
        double code = f->code_step == 2 ? nearest_odd(v) : nearest_integer(v);
        codes[i] = (int8_t)clamp(code, low, high);
    }
}

static void quantize_round(enum qsv_scale_rule rule, const struct qsv_format_info *f,
                           const float *weights, size_t out_ch, size_t per_channel, int8_t *codes,
                           float *scale)
{
    for (size_t o = 0; o < out_ch; o++) {
        const float *w = weights + o * per_channel;
        scale[o] = choose_scale(rule, w, per_channel, f);
        round_channel(w, per_channel, scale[o], f, codes + o * per_channel);
    }
}

static const struct quantizer {
    const char *name;
    void (*quantize)(enum qsv_scale_rule rule, const struct qsv_format_info *f,
                     const float *weights, size_t out_ch, size_t per_channel, int8_t *codes,
                     float *scale);
} quantizers[] = {{"round", quantize_round}};

static const char *const rule_names[] = {[QSV_SCALE_MAX] = "max", [QSV_SCALE_MSE] = "mse"};

enum { N_QUANTIZERS = sizeof quantizers / sizeof *quantizers };

static const struct quantizer *find(const char *name)
{
    for (size_t i = 0; i < N_QUANTIZERS; i++)
        if (!strcmp(quantizers[i].name, name))
            return &quantizers[i];
    return NULL;
}

const char *qsv_quantizer_find(const char *name)
{
    const struct quantizer *q = find(name);
    return q ? q->name : NULL;
}

void qsv_quantize(const struct qsv_quantizer *q, enum qsv_format format, const float *weights,
                  size_t out_ch, size_t per_channel, int8_t *codes, float *scale)
{
    const struct quantizer *found = find(q->name);
    const struct qsv_format_info *f = qsv_format_info(format);
    assert(found && f->integer);
    found->quantize(q->scale, f, weights, out_ch, per_channel, codes, scale);
}

const char *qsv_scale_rule_name(enum qsv_scale_rule r)
{
    return rule_names[r];
}

int qsv_scale_rule_find(enum qsv_scale_rule *out, const char *name)
{
    for (int r = QSV_SCALE_MAX; r <= QSV_SCALE_MSE; r++)
        if (!strcmp(rule_names[r], name)) {
            *out = (enum qsv_scale_rule)r;
            return 1;
        }
    return 0;
}

void qsv_quantizer_hash(const struct qsv_quantizer *q, struct qsv_hash *h)
{
    qsv_hash_add_u64(h, RULES_VERSION);
    qsv_hash_add_string(h, q->name);
    qsv_hash_add_string(h, rule_names[q->scale]);
}
