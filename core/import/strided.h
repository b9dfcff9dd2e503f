/* A tensor as a view of a flat storage: where its elements lie, and whether they lie inside. */
#ifndef QSV_STRIDED_H
#define QSV_STRIDED_H

#include <stdbool.h>

#include "core/import/element.h"
#include "core/tensor.h"

struct qsv_strided {
    const struct qsv_element *element;
    uint32_t rank;
    uint32_t shape[QSV_MAX_RANK];
    uint64_t stride[QSV_MAX_RANK]; /* in elements; 0 repeats one */
    uint64_t offset;               /* of the first element */
};

/* QSV_EINPUT where an element would lie outside of `elements`, or the view has more elements than
 * `budget` bytes of f32 hold. */
enum qsv_status qsv_strided_check(const struct qsv_strided *s, uint64_t elements, uint64_t budget,
                                  struct qsv_error *err);

/* A checked view to f32 in row-major order; out [product of shape]. */
void qsv_strided_load(const struct qsv_strided *s, const uint8_t *storage, float *out);

#endif
