/* Where the pixels of a batch lie among the positions of a value (core/kernels/kernels.h,
 * "Layouts"), and how a convolution's taps read them. */
#ifndef QSV_GRID_H
#define QSV_GRID_H

#include "core/graph.h"
#include "core/kernels/kernels.h"

struct qsv_grid {
    uint32_t images, h, w;
    uint32_t steps;
    uint32_t block; /* positions of a time step, padded */
    size_t n;       /* steps x block */
};

struct qsv_grid qsv_grid_of(uint32_t images, uint32_t h, uint32_t w, uint32_t steps);

/* What the taps of a layer read lies on planes of the output's grid: plane [oy][ox] holds the input
 * at (oy x stride + y, ox x stride + x). With stride s there are s x s of them where no tap reads
 * beyond the last, else one a tap; with stride 1 and the same size the input is the only one. */
struct qsv_plane {
    int32_t y, x;
};

/* A convolution's geometry for a number of images. Owned arrays. */
struct qsv_geometry {
    uint32_t images; /* 0: not made yet */
    struct qsv_taps taps;
    ptrdiff_t *offset;
    uint32_t *plane;
    uint64_t *mask;
    struct qsv_plane *planes; /* [n_planes] */
    uint32_t n_planes;
    /* Spikes reach as many outputs as `value` says, class by class of input positions: for counting
     * accumulates. */
    uint64_t *reach_mask; /* [classes][block / 64 of the input] */
    uint32_t *reach;      /* [classes] */
    uint32_t n_classes;
};

/* Makes g for this many images unless it is so already. */
enum qsv_status qsv_geometry_make(struct qsv_geometry *g, const struct qsv_layer *l,
                                  uint32_t images, struct qsv_error *err);
void qsv_geometry_fini(struct qsv_geometry *g);

/* Do outputs lie where inputs do (stride 1, same size)? Then the input is the only plane. */
bool qsv_layer_is_same(const struct qsv_layer *l);
uint32_t qsv_layer_planes(const struct qsv_layer *l);

/* Output positions of one axis, [first, end), whose input o x stride + at lies inside. */
struct qsv_window {
    uint32_t first, end;
};
struct qsv_window qsv_window_of(int64_t at, uint32_t stride, uint32_t in, uint32_t out);

/* The planes of indexed spikes: out [planes][groups][positions of the output's grid] from in
 * [groups][positions of the input's grid]. Padding positions are left as they are. */
void qsv_grid_gather(uint8_t *out, const uint8_t *in, const struct qsv_geometry *g,
                     const struct qsv_layer *l, uint32_t groups, uint32_t steps);

#endif
