/* AVX2 and FMA; compiled with its own flags, run only where the CPU has them. */
#if defined(__x86_64__)
#define KERNELS qsv_kernels_avx2
#define ISA     "avx2"
#include "core/kernels/portable.inc"
#endif
