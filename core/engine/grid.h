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

/* A convolution's geometry for a number of images. Owned arrays. */
struct qsv_geometry {
    uint32_t images;      /* 0: not made yet */
    struct qsv_taps taps; /* stride 1: how output positions read input positions */
    ptrdiff_t *offset;
    uint64_t *mask;
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

/* Do outputs lie where inputs do (stride 1, same size)? Then taps read by offset; else inputs are
 * gathered first. */
bool qsv_layer_is_same(const struct qsv_layer *l);

/* The spikes that each tap reads: out [taps x in channels][positions of the output's grid / 64]
 * from in [in channels][positions of the input's grid / 64], one word readable past its end. */
void qsv_grid_gather(uint64_t *out, const uint64_t *in, const struct qsv_layer *l, uint32_t images,
                     uint32_t steps);

#endif
