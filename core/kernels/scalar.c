/* The reference: plain loops that always exist. The vector tables must equal it bit for bit. */
#define KERNELS qsv_kernels_scalar
#define ISA     "scalar"
#include "core/kernels/portable.inc"
