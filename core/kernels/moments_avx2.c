#if defined(__x86_64__)
#define TABLE qsv_moments_avx2
#define ISA   "avx2"
#include "core/kernels/moments_loops.h"
#endif
