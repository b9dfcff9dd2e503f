/* Helpers to write an architecture as straight-line code: each call adds a node and returns its
 * number.
 *
 * Errors are sticky: after the first one every call returns 0 and does nothing, and the
 * architecture returns b->status at its end. Names are printf-style module paths. Shapes come from
 * the tensors and are checked against the input's.
 */
#ifndef QSV_BUILDER_H
#define QSV_BUILDER_H

#include "core/graph.h"
#include "core/model.h"

struct qsv_builder {
    struct qsv_graph *graph;
    const struct qsv_tensors *tensors;
    bool folded; /* norms and biases are folded away: don't ask for their tensors */
    struct qsv_error *err;
    enum qsv_status status;
    const char *path; /* for messages */
    uint32_t block, stage;
};

/* Everything that follows belongs to this block or stage. */
void qsv_build_block(struct qsv_builder *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void qsv_build_stage(struct qsv_builder *b, const char *name);

uint32_t qsv_build_input(struct qsv_builder *b, struct qsv_shape shape);

struct qsv_conv {
    uint32_t kernel, stride, pad;
    bool depthwise, pad_norm;
};
uint32_t qsv_build_conv(struct qsv_builder *b, uint32_t in, struct qsv_conv conv,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));
uint32_t qsv_build_norm(struct qsv_builder *b, uint32_t in, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
uint32_t qsv_build_lif(struct qsv_builder *b, uint32_t in, float v_th, float tau,
                       const char *format, ...) __attribute__((format(printf, 5, 6)));
uint32_t qsv_build_add(struct qsv_builder *b, uint32_t x, uint32_t y);
uint32_t qsv_build_attention(struct qsv_builder *b, uint32_t q, uint32_t k, uint32_t v,
                             uint32_t heads, float scale, const char *format, ...)
    __attribute__((format(printf, 7, 8)));
uint32_t qsv_build_pool(struct qsv_builder *b, uint32_t in);
/* Mean over time of x, and with y (0: none) the mean of both. The last node. */
uint32_t qsv_build_readout(struct qsv_builder *b, uint32_t x, uint32_t y);

/* Is there a tensor of that name? */
bool qsv_build_has(const struct qsv_builder *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
