#include "core/engine/grid.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/kernels/strided.h"

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
    free(g->plane);
    free(g->planes);
    free(g->mask);
    free(g->reach_mask);
    free(g->reach);
    *g = (struct qsv_geometry){0};
}

static void set_bit(uint64_t *words, size_t i)
{
    words[i / 64] |= (uint64_t)1 << i % 64;
}

static bool is_inside(int64_t at, uint32_t size)
{
    return at >= 0 && at < size;
}

static void fill_mask(uint64_t *mask, const struct qsv_layer *l, uint32_t images, int64_t dy,
                      int64_t dx)
{
    size_t p = 0;
    for (uint32_t i = 0; i < images; i++)
        for (int64_t y = 0; y < l->out.h; y++)
            for (int64_t x = 0; x < l->out.w; x++, p++)
                if (is_inside(y * l->stride + dy, l->in.h) &&
                    is_inside(x * l->stride + dx, l->in.w))
                    set_bit(mask, p);
}

/* Do planes one a phase of the stride hold all that taps read? */
static bool by_phase(const struct qsv_layer *l)
{
    return qsv_layer_is_same(l) || l->kernel - 1 < l->pad + l->stride;
}

uint32_t qsv_layer_planes(const struct qsv_layer *l)
{
    const uint32_t side = by_phase(l) && l->stride < l->kernel ? l->stride : l->kernel;
    return side * side;
}

/* Where on the planes a tap that reads `by` beyond the output's position lies. */
static int32_t plane_of(const struct qsv_layer *l, int64_t by, int64_t *offset)
{
    const int64_t stride = l->stride;
    *offset = 0;
    if (!by_phase(l))
        return (int32_t)by;
    *offset = by < 0 ? -((stride - 1 - by) / stride) : by / stride;
    return (int32_t)(by - *offset * stride);
}

static uint32_t add_plane(struct qsv_geometry *g, struct qsv_plane plane)
{
    for (uint32_t i = 0; i < g->n_planes; i++)
        if (g->planes[i].y == plane.y && g->planes[i].x == plane.x)
            return i;
    g->planes[g->n_planes] = plane;
    return g->n_planes++;
}

static void fill_taps(struct qsv_geometry *g, const struct qsv_layer *l, const struct qsv_grid *out)
{
    for (uint32_t t = 0; t < g->taps.n; t++) {
        const int64_t dy = (int64_t)(t / l->kernel) - l->pad,
                      dx = (int64_t)(t % l->kernel) - l->pad;
        int64_t rows, columns;
        const struct qsv_plane plane = {plane_of(l, dy, &rows), plane_of(l, dx, &columns)};
        g->plane[t] = add_plane(g, plane);
        g->offset[t] = (ptrdiff_t)(rows * out->w + columns);
        fill_mask(g->mask + (size_t)t * (out->block / QSV_WORD), l, out->images, dy, dx);
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
    qsv_geometry_fini(g);
    g->reach = qsv_alloc((taps + 1) * (taps + 1), sizeof *g->reach);
    if (g->reach)
        find_classes(g, l);
    g->offset = qsv_alloc(taps, sizeof *g->offset);
    g->plane = qsv_alloc(taps, sizeof *g->plane);
    g->planes = qsv_alloc(taps, sizeof *g->planes);
    g->mask = qsv_alloc(taps * (out.block / QSV_WORD), sizeof *g->mask);
    g->reach_mask = qsv_alloc(g->n_classes * (in.block / QSV_WORD), sizeof *g->reach_mask);
    if (!g->offset || !g->plane || !g->planes || !g->mask || !g->reach_mask || !g->reach) {
        qsv_geometry_fini(g);
        return qsv_fail_memory(err, l->name);
    }
    g->taps = (struct qsv_taps){(uint32_t)taps, g->offset, g->plane, g->mask};
    g->images = images;
    fill_taps(g, l, &out);
    fill_reach(g, l, &in);
    return QSV_OK;
}

struct qsv_window qsv_window_of(int64_t at, uint32_t stride, uint32_t in, uint32_t out)
{
    const int64_t step = stride, first = at < 0 ? (step - 1 - at) / step : 0;
    int64_t end = at < in ? (in - at + step - 1) / step : 0;
    end = end < out ? end : out;
    return first < end ? (struct qsv_window){(uint32_t)first, (uint32_t)end}
                       : (struct qsv_window){0, 0};
}

/* One frame of one group. */
static void gather_frame(uint8_t *out, const uint8_t *in, const struct qsv_layer *l,
                         struct qsv_plane plane)
{
    const struct qsv_window wy = qsv_window_of(plane.y, l->stride, l->in.h, l->out.h);
    const struct qsv_window wx = qsv_window_of(plane.x, l->stride, l->in.w, l->out.w);
    for (uint32_t y = wy.first; y < wy.end; y++)
        qsv_strided_bytes(out + (size_t)y * l->out.w + wx.first,
                          in + ((int64_t)y * l->stride + plane.y) * (int64_t)l->in.w +
                              (int64_t)wx.first * l->stride + plane.x,
                          l->stride, wx.end - wx.first);
}

void qsv_grid_gather(uint8_t *out, const uint8_t *in, const struct qsv_geometry *g,
                     const struct qsv_layer *l, uint32_t groups, uint32_t steps)
{
    const struct qsv_grid gi = qsv_grid_of(g->images, l->in.h, l->in.w, steps);
    const struct qsv_grid go = qsv_grid_of(g->images, l->out.h, l->out.w, steps);
    for (uint32_t p = 0; p < g->n_planes; p++)
        for (uint32_t group = 0; group < groups; group++, out += go.n)
            for (uint32_t t = 0; t < steps; t++)
                for (uint32_t i = 0; i < g->images; i++)
                    gather_frame(out + (size_t)t * go.block + (size_t)i * go.h * go.w,
                                 in + group * gi.n + (size_t)t * gi.block + (size_t)i * gi.h * gi.w,
                                 l, g->planes[p]);
}
