/* PyTorch's zip checkpoints: a pickle that describes tensors, and their storages beside it. */
#ifndef QSV_TORCH_H
#define QSV_TORCH_H

#include "core/tensor.h"

/* Appends the state dict's tensors to *out. Names are as in the file. */
enum qsv_status qsv_torch_parse(struct qsv_tensors *out, const uint8_t *data, size_t bytes,
                                struct qsv_error *err);

#endif
