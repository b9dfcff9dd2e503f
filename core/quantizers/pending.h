/* Changes of some columns that wait to be multiplied by the rows of a matrix: several at once, so
 * that what is read of the matrix serves all rows. Each element's sum runs over the changes in the
 * order they were added, as if each had been applied at once. */
#ifndef QSV_PENDING_H
#define QSV_PENDING_H

#include "core/base/error.h"
#include "core/kernels/moments.h"

enum { QSV_PENDING = 128 }; /* changes a row may wait with */

struct qsv_pending {
    const struct qsv_moments *kernels;
    size_t rows;
    uint32_t *index; /* [rows][QSV_PENDING]: rows of the matrix */
    double *factor;  /* [rows][QSV_PENDING] */
    size_t *count;   /* [rows] */
};

enum qsv_status qsv_pending_init(struct qsv_pending *p, const struct qsv_moments *kernels,
                                 size_t rows, struct qsv_error *err);
void qsv_pending_fini(struct qsv_pending *p);

static inline void qsv_pending_add(struct qsv_pending *p, size_t row, uint32_t index, double factor)
{
    const size_t at = row * QSV_PENDING + p->count[row]++;
    p->index[at] = index;
    p->factor[at] = factor;
}

/* out [rows][k]: columns [first, end) += factor x matrix row, for every change. */
void qsv_pending_apply(const struct qsv_pending *p, double *out, const double *matrix, size_t k,
                       size_t first, size_t end);
void qsv_pending_clear(struct qsv_pending *p);

#endif
