#include "core/kernels/strided.h"

#include <string.h>

/* A stride of two in a loop of its own is one that compilers turn into vectors. */

void qsv_strided_bytes(uint8_t *restrict out, const uint8_t *restrict in, uint32_t stride, size_t n)
{
    if (stride == 1)
        memcpy(out, in, n);
    else if (stride == 2)
        for (size_t i = 0; i < n; i++)
            out[i] = in[2 * i];
    else
        for (size_t i = 0; i < n; i++)
            out[i] = in[i * stride];
}

void qsv_strided_floats(float *restrict out, const float *restrict in, uint32_t stride, size_t n)
{
    if (stride == 1)
        memcpy(out, in, n * sizeof *out);
    else if (stride == 2)
        for (size_t i = 0; i < n; i++)
            out[i] = in[2 * i];
    else
        for (size_t i = 0; i < n; i++)
            out[i] = in[i * stride];
}
