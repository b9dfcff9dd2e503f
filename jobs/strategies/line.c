#include "jobs/strategies/line.h"

#include <math.h>

static const double LEAST_ERROR = 0.01; /* points */
enum { LEAST_SETTINGS = 3 };            /* of a line that does not go through 0 */

void qsv_line_add(struct qsv_line_sums *sums, double x, double y, double error)
{
    const double e = fmax(error, LEAST_ERROR), weight = 1 / (e * e);
    sums->n += weight;
    sums->x += weight * x;
    sums->y += weight * y;
    sums->xx += weight * x * x;
    sums->xy += weight * x * y;
    sums->yy += weight * y * y;
    sums->settings++;
}

/* What the residuals' squares come to beside the errors; points that agree by chance do not make
 * these smaller. */
static double scatter_of(const struct qsv_line *l, const struct qsv_line_sums *s)
{
    const double xx = s->xx - s->x * l->x_mean, xy = s->xy - s->x * l->y_mean;
    const double yy = s->yy - s->y * l->y_mean;
    const double residuals = yy - 2 * l->slope * xy + l->slope * l->slope * xx;
    return l->degrees ? fmax(residuals / l->degrees, 1) : NAN;
}

struct qsv_line qsv_line_fit(const struct qsv_line_sums *sums)
{
    const struct qsv_line_sums s = *sums;
    struct qsv_line l = {.x_mean = s.x / s.n,
                         .y_mean = s.y / s.n,
                         .slope = s.y / s.x,
                         .spread = INFINITY,
                         .variance = s.settings / s.n};
    const double spread = s.xx - s.x * s.x / s.n, slope = (s.xy - s.x * s.y / s.n) / spread;
    l.degrees = s.settings ? s.settings - 1 : 0;
    if (s.settings >= LEAST_SETTINGS && spread > 0 && slope > l.slope) {
        l.slope = slope;
        l.spread = spread;
        l.degrees = s.settings - 2;
    }
    l.scatter = scatter_of(&l, &s);
    return l;
}

double qsv_line_y(const struct qsv_line *l, double x)
{
    return l->y_mean + l->slope * (x - l->x_mean);
}

double qsv_line_x(const struct qsv_line *l, double y)
{
    const double x = l->x_mean + (y - l->y_mean) / l->slope;
    return l->slope > 0 && x > 0 ? x : NAN;
}

/* Student's 0.975 quantile; beyond the table by its expansion in 1 / degrees (Abramowitz and
 * Stegun 26.7.5), which is 0.0002 off at most there. */
static double student(uint32_t degrees)
{
    static const double table[] = {NAN,    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469,
                                   2.3646, 2.3060,  2.2622, 2.2281, 2.2010, 2.1788};
    const double z = 1.959964, n = degrees;
    if (degrees < sizeof table / sizeof *table)
        return table[degrees];
    const double z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
    return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n) +
           (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * n * n * n);
}

double qsv_line_margin(const struct qsv_line *l, double x, double error)
{
    const double from_mean = x - l->x_mean, scale = x / l->x_mean;
    const double of_line = isinf(l->spread) ? l->variance * scale * scale
                                            : l->variance + from_mean * from_mean / l->spread;
    return student(l->degrees) * sqrt(l->scatter * (error * error + of_line));
}
