/* safetensors: 8 bytes with the length of a JSON header, the header, the data
 * (https://huggingface.co/docs/safetensors). Written by qsv_safetensors_write (checkpoint.h). */
#ifndef QSV_SAFETENSORS_H
#define QSV_SAFETENSORS_H

#include "core/tensor.h"

/* Appends all tensors to *out. Names are as in the file. */
enum qsv_status qsv_safetensors_parse(struct qsv_tensors *out, const uint8_t *data, size_t bytes,
                                      struct qsv_error *err);

#endif
