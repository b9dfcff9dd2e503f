/* Rows read in steps: out[i] = in[i x stride], i < n. The same on any instruction set. */
#ifndef QSV_STRIDED_H
#define QSV_STRIDED_H

#include <stddef.h>
#include <stdint.h>

void qsv_strided_bytes(uint8_t *out, const uint8_t *in, uint32_t stride, size_t n);
void qsv_strided_floats(float *out, const float *in, uint32_t stride, size_t n);

#endif
