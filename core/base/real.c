#include "core/base/real.h"

#include <stdint.h>
#include <string.h>

/* Compiled with -ffp-contract=off: every operation below is one IEEE operation. */

static double scale_by_power(double x, int e)
{
    uint64_t bits;
    double p;
    if (e < -1022) /* two steps keep the factor normal */
        return scale_by_power(scale_by_power(x, e + 1000), -1000);
    bits = (uint64_t)(e + 1023) << 52;
    memcpy(&p, &bits, sizeof p);
    return x * p;
}

double qsv_exp(double x)
{
    if (x < -745)
        return 0;
    if (x > 709)
        x = 709;
    /* x = k ln2 + r, |r| <= ln2 / 2, ln2 in two parts so that k * hi is exact */
    double k = (double)(int)(x * 1.4426950408889634 + (x < 0 ? -0.5 : 0.5));
    double r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
    double term = 1, sum = 1;
    for (int i = 1; i < 16; i++) {
        term = term * r / i;
        sum += term;
    }
    return scale_by_power(sum, (int)k);
}

double qsv_log(double x)
{
    int e = 0;
    uint64_t bits;
    if (x < 2.2250738585072014e-308) { /* subnormal */
        x *= 0x1p54;
        e = -54;
    }
    memcpy(&bits, &x, sizeof bits);
    e += (int)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffu) | 0x3ff0000000000000u;
    memcpy(&x, &bits, sizeof x);
    if (x > 1.4142135623730951) {
        x /= 2;
        e++;
    }
    /* log x = 2 artanh(s), s = (x - 1) / (x + 1), |s| < 0.172 */
    double s = (x - 1) / (x + 1), square = s * s, power = s, sum = 0;
    for (int i = 1; i < 24; i += 2) {
        sum += power / i;
        power *= square;
    }
    return e * 6.93147180369123816490e-01 + (e * 1.90821492927058770002e-10 + 2 * sum);
}
