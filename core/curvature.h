/* How the error of an output grows with the errors of the weights: what quantizers need of a
 * layer's statistics, prepared once and used for every format.
 *
 * For the rows of weights that read the same inputs: H = E[x x^T], damped by 1 % of its mean
 * diagonal; the Cholesky factor of the damped H with inputs by rising diagonal; and weight x H.
 */
#ifndef QSV_CURVATURE_H
#define QSV_CURVATURE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/kernels/moments.h"

struct qsv_curvature {
    size_t k, rows;
    double damping;   /* what was added to the diagonal */
    double *h;        /* [k][k], damped */
    double *diagonal; /* [k], of h */
    uint32_t *order;  /* [k]: inputs by rising diagonal, of equal ones the later first */
    double *factor;   /* [k][k], lower: L L^T = h with rows and columns in that order */
    double *wh;       /* [rows][k]: weights x h */
    const struct qsv_moments *kernels;
};

/* Takes h [k][k] (allocated by qsv_alloc; freed also on failure), symmetric positive semidefinite.
 * weights [rows][k]; NULL: only for losses, order, factor and wh stay NULL. */
enum qsv_status qsv_curvature_init(struct qsv_curvature *c, double *h, const float *weights,
                                   size_t rows, size_t k, struct qsv_error *err);
void qsv_curvature_fini(struct qsv_curvature *c);

/* out [rows][k] = a x matrix; a [rows][k], matrix [k][k]: each element a sum over rising columns of
 * a, those of 0 left out. */
enum qsv_status qsv_multiply(double *out, const double *a, const double *matrix, size_t rows,
                             size_t k, const struct qsv_moments *kernels, struct qsv_error *err);

/* tr(dW H dW^T), H not damped, for difference dW [rows][k]: the mean squared error of the outputs,
 * summed over the rows. */
enum qsv_status qsv_curvature_loss(double *loss, const struct qsv_curvature *c,
                                   const double *difference, struct qsv_error *err);

#endif
