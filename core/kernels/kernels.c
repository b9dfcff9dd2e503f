#include "core/kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

const struct qsv_kernels *const qsv_kernels_built[] = {
    &qsv_kernels_scalar,
#if defined(__x86_64__)
    &qsv_kernels_avx2,
    &qsv_kernels_avx512,
#endif
    NULL,
};

int qsv_kernels_usable(const struct qsv_kernels *k)
{
#if defined(__x86_64__)
    if (k == &qsv_kernels_avx2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (k == &qsv_kernels_avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vpopcntdq") &&
               __builtin_cpu_supports("bmi2");
#endif
    return k == &qsv_kernels_scalar;
}

const struct qsv_kernels *qsv_kernels_choose(void)
{
    const char *wanted = getenv("QSV_ISA");
    const struct qsv_kernels *best = NULL;
    for (size_t i = 0; qsv_kernels_built[i]; i++) {
        const struct qsv_kernels *k = qsv_kernels_built[i];
        if (qsv_kernels_usable(k) && (!wanted || !*wanted || !strcmp(wanted, k->isa)))
            best = k;
    }
    return best;
}
