/* Linear algebra: the one place that knows LAPACK.
 *
 * LAPACK runs single-threaded: the number of threads is set to one in the libraries that have such
 * a number (OpenBLAS, MKL, BLIS), so that no result depends on it. The reference LAPACK gives the
 * same bits on every CPU; optimised ones choose their loops by CPU, so that the last bits may
 * differ between kinds of CPU. What follows from a factorization is therefore recorded once and
 * never computed anew in a run.
 */
#ifndef QSV_LINEAR_H
#define QSV_LINEAR_H

#include <stddef.h>

#include "core/base/error.h"

/* a [n][n], symmetric, of which the lower triangle is read, becomes L with a = L L^T: in its lower
 * triangle, row-major; what lies above is left as it was. QSV_EFAILED where a is not positive
 * definite, naming the first row that shows it. */
enum qsv_status qsv_cholesky(double *a, size_t n, struct qsv_error *err);

#endif
