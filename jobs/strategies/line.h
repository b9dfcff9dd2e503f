/* A weighted least squares line y = f(x), by running sums: what drop (points) goes with a foretold
 * divergence (nats).
 *
 * Weights are w_i = 1 / e_i^2, e_i the standard error of y_i. With fewer than three settings, and
 * where it would be flatter than that, the line goes through 0 and the mean point.
 */
#ifndef QSV_LINE_H
#define QSV_LINE_H

#include <stdint.h>

struct qsv_line_sums { /* weighted; begin with zeros */
    double n, x, y, xx, xy, yy;
    uint32_t settings;
};

struct qsv_line { /* y = y_mean + slope (x - x_mean) */
    double x_mean, y_mean, slope;
    double spread;    /* weighted sum of (x - x_mean)^2; infinite: the line goes through 0 */
    double variance;  /* of y_mean */
    double scatter;   /* mean square of the residuals beside their errors'; 1 or more */
    uint32_t degrees; /* of freedom of the residuals; 0: none */
};

/* error in units of y; one below 0.01 counts as that. */
void qsv_line_add(struct qsv_line_sums *sums, double x, double y, double error);
/* All NaN without a point. */
struct qsv_line qsv_line_fit(const struct qsv_line_sums *sums);

double qsv_line_y(const struct qsv_line *l, double x);
/* Where it reaches y; NaN where it does not rise, or only at or below 0. */
double qsv_line_x(const struct qsv_line *l, double y);

/* Half of the 95 % prediction interval at x, of a y that is measured with standard error `error`:
 *
 *     t s sqrt(error^2 + v + (x - x_mean)^2 / spread),   s^2 = max(1, sum w r^2 / degrees)
 *
 * (Draper and Smith, Applied Regression Analysis, 3rd ed. 1998, 1.4 and 9.2: prediction by a
 * weighted line), t being Student's quantile of `degrees`, r the residuals, and `error` scattering
 * as the points do. v, the variance of y_mean, is settings / sum w where theirs would be 1 / sum w:
 * settings are measured on the same images, so that their errors do not average out. Of a line
 * through 0, the last two terms are v (x / x_mean)^2. NaN without degrees of freedom. */
double qsv_line_margin(const struct qsv_line *l, double x, double error);

#endif
