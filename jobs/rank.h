/* Rank correlation: whether one quantity orders things as another does. */
#ifndef QSV_RANK_H
#define QSV_RANK_H

#include <stddef.h>

/* Spearman's: the Pearson correlation of ranks, equal values having the mean of theirs (Kendall and
 * Gibbons, Rank Correlation Methods, 1990). x, y [n], no NaN. From -1 to 1; NaN where all of one
 * are equal, or n is below 2. Takes n^2 steps. */
double qsv_rank_correlation(const double *x, const double *y, size_t n);

#endif
