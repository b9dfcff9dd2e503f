/* exp and log that give the same bits on every machine (libm's differ with the CPU). Error below
 * 1e-14 relative. */
#ifndef QSV_REAL_H
#define QSV_REAL_H

double qsv_exp(double x); /* 0 below -745; above 709 as at 709; x is not NaN */
double qsv_log(double x); /* x > 0 and finite */

#endif
