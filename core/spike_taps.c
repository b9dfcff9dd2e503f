#include "core/spike_taps.h"

#include <string.h>

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

/* One tap of one channel. */
static void gather(uint64_t *out, const uint64_t *in, const struct qsv_layer *l, uint32_t tap,
                   const struct qsv_grid *gi, const struct qsv_grid *go)
{
    const int64_t dy = (int64_t)(tap / l->kernel) - l->pad;
    const int64_t dx = (int64_t)(tap % l->kernel) - l->pad;
    const struct qsv_window wy = qsv_window_of(dy, l->stride, gi->h, go->h);
    const struct qsv_window wx = qsv_window_of(dx, l->stride, gi->w, go->w);
    if (wx.first >= wx.end)
        return;
    for (uint32_t t = 0; t < go->steps; t++)
        for (uint32_t i = 0; i < go->images; i++)
            for (uint32_t oy = wy.first; oy < wy.end; oy++) {
                const size_t y = (size_t)((int64_t)oy * l->stride + dy);
                const size_t x = (size_t)((int64_t)wx.first * l->stride + dx);
                const size_t from = (size_t)t * gi->block + ((size_t)i * gi->h + y) * gi->w + x;
                const size_t to =
                    (size_t)t * go->block + ((size_t)i * go->h + oy) * go->w + wx.first;
                copy_row(out, to, in, from, l->stride, wx.end - wx.first);
            }
}

void qsv_spike_taps(uint64_t *out, const uint64_t *in, const struct qsv_layer *l, uint32_t images,
                    uint32_t steps)
{
    const struct qsv_grid gi = qsv_grid_of(images, l->in.h, l->in.w, steps);
    const struct qsv_grid go = qsv_grid_of(images, l->out.h, l->out.w, steps);
    const uint32_t taps = l->kernel * l->kernel;
    memset(out, 0, (size_t)taps * l->in.c * (go.n / 8));
    for (uint32_t c = 0; c < l->in.c; c++, in += gi.n / QSV_WORD)
        for (uint32_t tap = 0; tap < taps; tap++, out += go.n / QSV_WORD)
            gather(out, in, l, tap, &gi, &go);
}
