/* The reference: plain loops that always exist. The vector tables must equal it bit for bit. */
#include "core/kernels/kernels.h"

#include <math.h>
#include <string.h>

static float affine(float v, const float *multiplier, const float *shift, uint32_t o)
{
    if (multiplier)
        v *= multiplier[o];
    if (shift)
        v += shift[o];
    return v;
}

/* Adds the rows of one input pixel's spikes; returns how many. */
static uint32_t add_rows(const struct qsv_spike_conv *c, const uint16_t *words, uint32_t tap,
                         float *out)
{
    uint32_t n = 0;
    for (uint32_t ch = 0; ch < c->in_ch; ch++) {
        if (!(words[ch / 16] >> ch % 16 & 1))
            continue;
        size_t row = ((size_t)tap * c->in_ch + ch) * c->width;
        for (uint32_t o = 0; o < c->out_stride; o++) {
            if (c->codes)
                c->sums[o] += c->codes[row + o];
            else
                out[o] += c->values[row + o]; /* == fma(value, 1, out) */
        }
        n++;
    }
    return n;
}

static uint32_t conv_pixel(const struct qsv_spike_conv *c, uint32_t oy, uint32_t ox, float *out)
{
    uint32_t n = 0;
    memset(out, 0, c->out_stride * sizeof *out);
    memset(c->sums, 0, c->width * sizeof *c->sums);
    for (uint32_t tap = 0; tap < c->kernel * c->kernel; tap++) {
        int64_t y = (int64_t)oy * c->step + tap / c->kernel - c->pad;
        int64_t x = (int64_t)ox * c->step + tap % c->kernel - c->pad;
        if (y >= 0 && y < c->h && x >= 0 && x < c->w)
            n += add_rows(c, c->spikes + ((size_t)y * c->w + (size_t)x) * c->in_words, tap, out);
    }
    for (uint32_t o = 0; o < c->out_stride; o++)
        out[o] = affine(c->codes ? (float)c->sums[o] : out[o], c->multiplier, c->shift, o);
    return n;
}

static uint64_t conv_spikes(const struct qsv_spike_conv *c)
{
    uint64_t n = 0;
    for (uint32_t oy = 0; oy < c->out_h; oy++)
        for (uint32_t ox = 0; ox < c->out_w; ox++)
            n += conv_pixel(c, oy, ox, c->out + ((size_t)oy * c->out_w + ox) * c->out_stride);
    return n;
}

static void dense_f32(float *out, const float *x, uint32_t x_stride, const float *weight,
                      uint32_t pixels, uint32_t k, uint32_t width)
{
    for (uint32_t p = 0; p < pixels; p++) {
        float *acc = out + (size_t)p * width;
        memset(acc, 0, width * sizeof *acc);
        for (uint32_t i = 0; i < k; i++)
            for (uint32_t o = 0; o < width; o++)
                acc[o] = fmaf(weight[(size_t)i * width + o], x[(size_t)p * x_stride + i], acc[o]);
    }
}

static void depthwise_pixel(const struct qsv_depthwise *d, uint32_t oy, uint32_t ox)
{
    float *acc = d->out + ((size_t)oy * d->out_w + ox) * d->stride;
    memset(acc, 0, d->stride * sizeof *acc);
    for (uint32_t ky = 0; ky < d->kernel; ky++)
        for (uint32_t kx = 0; kx < d->kernel; kx++) {
            int64_t y = (int64_t)oy * d->step + ky - d->pad,
                    x = (int64_t)ox * d->step + kx - d->pad;
            if (y < 0 || y >= d->h || x < 0 || x >= d->w)
                continue;
            const float *in = d->x + ((size_t)y * d->w + (size_t)x) * d->stride;
            const float *w = d->weight + ((size_t)ky * d->kernel + kx) * d->stride;
            for (uint32_t c = 0; c < d->stride; c++)
                acc[c] = fmaf(w[c], in[c], acc[c]);
        }
}

static void depthwise_f32(const struct qsv_depthwise *d)
{
    for (uint32_t oy = 0; oy < d->out_h; oy++)
        for (uint32_t ox = 0; ox < d->out_w; ox++)
            depthwise_pixel(d, oy, ox);
}

static int32_t fixed_point(float h)
{
    h = h > 128 ? 128 : h;
    h = h < -128 ? -128 : h;
    return (int32_t)rintf(h * 256);
}

/* One neuron through all time steps. */
static uint64_t lif_neuron(const struct qsv_lif_frames *f, uint32_t pixel, uint32_t c)
{
    float v = 0;
    uint64_t fired = 0;
    for (uint32_t t = 0; t < f->time_steps; t++) {
        size_t frame = f->x_steps > 1 ? (size_t)t * f->pixels : 0;
        float x = f->x[(frame + pixel) * f->stride + c];
        float h = v + (x - v) * f->decay;
        int spike = h >= f->v_th;
        v = spike ? 0 : h;
        fired += (uint64_t)spike;
        uint16_t *word = &f->spikes[((size_t)t * f->pixels + pixel) * (f->stride / 16) + c / 16];
        *word = (uint16_t)((*word & ~(1u << c % 16)) | (unsigned)spike << c % 16);
        if (f->potentials)
            f->potentials[c] += fixed_point(h);
    }
    return fired;
}

static uint64_t lif(const struct qsv_lif_frames *f)
{
    uint64_t fired = 0;
    for (uint32_t p = 0; p < f->pixels; p++)
        for (uint32_t c = 0; c < f->stride; c++)
            fired += lif_neuron(f, p, c);
    return fired;
}

static void affine_f32(float *x, const float *multiplier, const float *shift, uint32_t pixels,
                       uint32_t width)
{
    for (uint32_t p = 0; p < pixels; p++)
        for (uint32_t o = 0; o < width; o++)
            x[(size_t)p * width + o] = affine(x[(size_t)p * width + o], multiplier, shift, o);
}

static void add(float *out, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = a[i] + b[i];
}

const struct qsv_kernels qsv_kernels_scalar = {
    "scalar", conv_spikes, dense_f32, depthwise_f32, lif, affine_f32, add,
};
