#include "jobs/rank.h"

#include <math.h>

/* From the middle of all ranks. */
static double centred_rank(const double *v, size_t n, size_t i)
{
    double below = 0, above = 0;
    for (size_t k = 0; k < n; k++) {
        below += v[k] < v[i];
        above += v[k] > v[i];
    }
    return (below - above) / 2;
}

double qsv_rank_correlation(const double *x, const double *y, size_t n)
{
    double xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < n; i++) {
        const double a = centred_rank(x, n, i), b = centred_rank(y, n, i);
        xx += a * a;
        yy += b * b;
        xy += a * b;
    }
    return xx > 0 && yy > 0 ? xy / (sqrt(xx) * sqrt(yy)) : NAN;
}
