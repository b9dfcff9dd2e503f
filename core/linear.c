#include "core/linear.h"

#include <dlfcn.h>
#include <limits.h>
#include <math.h>

#include <lapacke.h>

/* Which BLAS the process has been given is known only when it runs. */
static void use_one_thread(void)
{
    static const char *const setters[] = {"openblas_set_num_threads", "MKL_Set_Num_Threads",
                                          "bli_thread_set_num_threads"};
    for (size_t i = 0; i < sizeof setters / sizeof *setters; i++) {
        union {
            void *object;
            void (*set_int)(int);
            void (*set_long)(long);
        } found = {dlsym(RTLD_DEFAULT, setters[i])};
        if (!found.object)
            continue;
        if (i == 2)
            found.set_long(1);
        else
            found.set_int(1);
    }
}

enum qsv_status qsv_cholesky(double *a, size_t n, struct qsv_error *err)
{
    if (n > INT_MAX)
        return qsv_fail(err, QSV_EFAILED, "a matrix of %zu rows is too large for LAPACK", n);
    if (!n)
        return QSV_OK;
    use_one_thread();
    /* Row-major lower is column-major upper. */
    lapack_int info = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', (lapack_int)n, a, (lapack_int)n);
    for (size_t i = 0; !info && i < n; i++) /* a NaN passes through some */
        if (!isfinite(a[i * n + i]))
            info = (lapack_int)i + 1;
    if (info)
        return qsv_fail(err, QSV_EFAILED,
                        "a matrix of %zu rows is not positive definite: LAPACK's dpotrf gives %d",
                        n, (int)info);
    return QSV_OK;
}
