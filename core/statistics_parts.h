/* What statistics.c and statistics_file.c share. */
#ifndef QSV_STATISTICS_PARTS_H
#define QSV_STATISTICS_PARTS_H

#include "core/kernels/moments.h"
#include "core/statistics.h"

/* Of one layer. Real inputs have one column more than the weight's row: a 1, so that the last row
 * of the triangle holds the sums of x. */
struct qsv_layer_moments {
    uint32_t k, columns, groups;
    bool real;
    size_t elements; /* a group's triangle */
    uint64_t positions;
    uint64_t *counts; /* [groups][elements], where the input is spikes; NULL: layer not taken */
    double *sums;     /* [groups][elements], where it is real */
};

struct qsv_statistics {
    const struct qsv_model *model;
    const struct qsv_moments *kernels;
    struct qsv_layer_moments *layers; /* [n_layers] */
    uint64_t fingerprint;
    uint32_t *images; /* [n_images] */
    size_t n_images, images_capacity;
    struct { /* working memory, grown when first needed */
        uint64_t *spikes;
        const uint64_t **rows;
        double *patch;
        size_t spikes_capacity, rows_capacity, patch_capacity;
    } scratch;
};

static inline bool qsv_layer_moments_taken(const struct qsv_layer_moments *m)
{
    return m->counts || m->sums;
}

#endif
