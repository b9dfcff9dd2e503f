#include "core/engine/grid.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

struct qsv_grid qsv_grid_of(uint32_t images, uint32_t h, uint32_t w, uint32_t steps)
{
    struct qsv_grid g = {images, h, w, steps, 0, 0};
    g.block = (images * h * w + QSV_WORD - 1) / QSV_WORD * QSV_WORD;
    g.n = (size_t)steps * g.block;
    return g;
}

void qsv_geometry_fini(struct qsv_geometry *g)
{
    free(g->offset);
    free(g->mask);
    free(g->reach_mask);
    free(g->reach);
    *g = (struct qsv_geometry){0};
}

static void set_bit(uint64_t *words, size_t i)
{
    words[i / 64] |= (uint64_t)1 << i % 64;
}

static void fill_taps(struct qsv_geometry *g, const struct qsv_layer *l, const struct qsv_grid *in)
{
    for (uint32_t t = 0; t < g->taps.n; t++) {
        const int64_t dy = (int64_t)(t / l->kernel) - l->pad,
                      dx = (int64_t)(t % l->kernel) - l->pad;
        g->offset[t] = (ptrdiff_t)(dy * in->w + dx);
        size_t p = 0;
        for (uint32_t i = 0; i < in->images; i++)
            for (int64_t y = 0; y < in->h; y++)
                for (int64_t x = 0; x < in->w; x++, p++)
                    if (y + dy >= 0 && y + dy < in->h && x + dx >= 0 && x + dx < in->w)
                        set_bit(g->mask + (size_t)t * (in->block / QSV_WORD), p);
    }
}

/* Outputs along one axis that the input at `at` reaches. */
static uint32_t reach_of(const struct qsv_layer *l, uint32_t at, uint32_t outputs)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < l->kernel; k++) {
        const int64_t o = (int64_t)at + l->pad - k;
        n += o >= 0 && o % l->stride == 0 && o / l->stride < outputs;
    }
    return n;
}

static uint32_t class_of(const struct qsv_geometry *g, uint32_t value)
{
    uint32_t c = 0;
    while (c < g->n_classes && g->reach[c] != value)
        c++;
    return c;
}

static void find_classes(struct qsv_geometry *g, const struct qsv_layer *l)
{
    for (uint32_t y = 0; y < l->in.h; y++) {
        const uint32_t reach_y = reach_of(l, y, l->out.h);
        for (uint32_t x = 0; x < l->in.w; x++) {
            const uint32_t value = reach_y * reach_of(l, x, l->out.w), c = class_of(g, value);
            if (c == g->n_classes)
                g->reach[g->n_classes++] = value;
        }
    }
}

static void fill_reach(struct qsv_geometry *g, const struct qsv_layer *l, const struct qsv_grid *in)
{
    const size_t pixels = (size_t)in->h * in->w;
    for (uint32_t y = 0; y < in->h; y++) {
        const uint32_t reach_y = reach_of(l, y, l->out.h);
        for (uint32_t x = 0; x < in->w; x++) {
            const uint32_t c = class_of(g, reach_y * reach_of(l, x, l->out.w));
            for (uint32_t i = 0; i < in->images; i++)
                set_bit(g->reach_mask + (size_t)c * (in->block / QSV_WORD),
                        i * pixels + (size_t)y * in->w + x);
        }
    }
}

bool qsv_layer_is_same(const struct qsv_layer *l)
{
    return l->stride == 1 && l->in.h == l->out.h && l->in.w == l->out.w;
}

enum qsv_status qsv_geometry_make(struct qsv_geometry *g, const struct qsv_layer *l,
                                  uint32_t images, struct qsv_error *err)
{
    if (g->images == images)
        return QSV_OK;
    const struct qsv_grid in = qsv_grid_of(images, l->in.h, l->in.w, 1);
    const struct qsv_grid out = qsv_grid_of(images, l->out.h, l->out.w, 1);
    const size_t taps = (size_t)l->kernel * l->kernel;
    const bool same = qsv_layer_is_same(l);
    qsv_geometry_fini(g);
    g->reach = qsv_alloc((taps + 1) * (taps + 1), sizeof *g->reach);
    if (g->reach)
        find_classes(g, l);
    g->offset = qsv_alloc(taps, sizeof *g->offset);
    g->mask = qsv_alloc(taps * (out.block / QSV_WORD), sizeof *g->mask);
    g->reach_mask = qsv_alloc(g->n_classes * (in.block / QSV_WORD), sizeof *g->reach_mask);
    if (!g->offset || !g->mask || !g->reach_mask || !g->reach) {
        qsv_geometry_fini(g);
        return qsv_fail_memory(err, l->name);
    }
    g->taps = (struct qsv_taps){(uint32_t)taps, g->offset, g->mask};
    g->images = images;
    if (same)
        fill_taps(g, l, &in);
    else /* inputs are gathered: every tap reads what lies at the output's own position */
        memset(g->mask, 0xff, taps * (out.block / QSV_WORD) * sizeof *g->mask);
    fill_reach(g, l, &in);
    return QSV_OK;
}

static uint64_t bits_from(const uint64_t *words, size_t at)
{
    const uint64_t low = words[at / 64] >> at % 64;
    return at % 64 ? low | words[at / 64 + 1] << (64 - at % 64) : low;
}

static void put_bits(uint64_t *words, size_t at, uint64_t bits, uint32_t n)
{
    if (n < 64)
        bits &= ((uint64_t)1 << n) - 1;
    words[at / 64] |= bits << at % 64;
    if (at % 64 && at % 64 + n > 64)
        words[at / 64 + 1] |= bits >> (64 - at % 64);
}

/* Bits 0, 2, 4 ... to 0, 1, 2 ... */
static uint64_t even_bits(uint64_t x)
{
    x &= 0x5555555555555555u;
    x = (x | x >> 1) & 0x3333333333333333u;
    x = (x | x >> 2) & 0x0f0f0f0f0f0f0f0fu;
    x = (x | x >> 4) & 0x00ff00ff00ff00ffu;
    x = (x | x >> 8) & 0x0000ffff0000ffffu;
    return (x | x >> 16) & 0xffffffffu;
}

/* n bits from `from` on, every stride-th, to `to` on. */
static void copy_row(uint64_t *out, size_t to, const uint64_t *in, size_t from, uint32_t stride,
                     uint32_t n)
{
    const uint32_t at_once = stride == 1 ? 64 : stride == 2 ? 32 : 1;
    for (uint32_t i = 0; i < n; i += at_once) {
        const uint64_t bits = bits_from(in, from + (size_t)i * stride);
        put_bits(out, to + i, stride == 2 ? even_bits(bits) : bits,
                 n - i < at_once ? n - i : at_once);
    }
}

struct window { /* output positions of one axis whose tap lies inside: [first, first + n) */
    uint32_t first, n;
};

static struct window window_of(const struct qsv_layer *l, uint32_t tap, uint32_t in, uint32_t out)
{
    struct window w = {0, 0};
    for (uint32_t o = 0; o < out; o++) {
        const int64_t at = (int64_t)o * l->stride + tap - l->pad;
        if (at >= 0 && at < in && !w.n++)
            w.first = o;
    }
    return w;
}

void qsv_grid_gather(uint64_t *out, const uint64_t *in, const struct qsv_layer *l, uint32_t images,
                     uint32_t steps)
{
    const struct qsv_grid gi = qsv_grid_of(images, l->in.h, l->in.w, steps);
    const struct qsv_grid go = qsv_grid_of(images, l->out.h, l->out.w, steps);
    memset(out, 0, (size_t)l->kernel * l->kernel * l->in.c * (go.n / 8));
    for (uint32_t tap = 0; tap < l->kernel * l->kernel; tap++) {
        const uint32_t ky = tap / l->kernel, kx = tap % l->kernel;
        const struct window wy = window_of(l, ky, gi.h, go.h), wx = window_of(l, kx, gi.w, go.w);
        for (uint32_t c = 0; c < l->in.c; c++, out += go.n / QSV_WORD)
            for (uint32_t f = 0; f < steps * images; f++) {
                const uint32_t t = f / images, i = f % images;
                const size_t fi = (size_t)t * gi.block + (size_t)i * gi.h * gi.w;
                const size_t fo = (size_t)t * go.block + (size_t)i * go.h * go.w;
                for (uint32_t oy = wy.first; wx.n && oy < wy.first + wy.n; oy++) {
                    const size_t y = (size_t)oy * l->stride + ky - l->pad;
                    const size_t x = (size_t)wx.first * l->stride + kx - l->pad;
                    copy_row(out, fo + (size_t)oy * go.w + wx.first, in + c * (gi.n / QSV_WORD),
                             fi + y * gi.w + x, l->stride, wx.n);
                }
            }
    }
}
