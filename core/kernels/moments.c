#include "core/kernels/moments.h"

#include <stdlib.h>
#include <string.h>

const struct qsv_moments *const qsv_moments_built[] = {
    &qsv_moments_scalar,
#if defined(__x86_64__)
    &qsv_moments_avx2,
    &qsv_moments_avx512,
#endif
    NULL,
};

int qsv_moments_usable(const struct qsv_moments *m)
{
#if defined(__x86_64__)
    if (m == &qsv_moments_avx2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
    if (m == &qsv_moments_avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vpopcntdq");
#endif
    return m == &qsv_moments_scalar;
}

const struct qsv_moments *qsv_moments_choose(void)
{
    const char *wanted = getenv("QSV_ISA");
    const struct qsv_moments *best = &qsv_moments_scalar;
    for (size_t i = 0; qsv_moments_built[i]; i++) {
        const struct qsv_moments *m = qsv_moments_built[i];
        if (qsv_moments_usable(m))
            best = m;
        if (wanted && !strcmp(wanted, m->isa))
            break;
    }
    return best;
}
