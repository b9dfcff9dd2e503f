#define TABLE qsv_moments_scalar
#define ISA   "scalar"
#include "core/kernels/moments_loops.h"
