/* Readers of checkpoints: a file of PyTorch or safetensors -> named tensors. Nothing in a file is
 * ever executed.
 *
 * Floating-point tensors (f32, f16, bf16, f64) become f32 tensors under their names; integer and
 * boolean ones, and those that can't be rebuilt, become tensors with a `defect`. Names lose an
 * enclosing dict ("model", "state_dict", ...: the dict that holds the most tensors) and a "module."
 * prefix that all of them share.
 */
#ifndef QSV_CHECKPOINT_H
#define QSV_CHECKPOINT_H

#include "core/tensor.h"

/* By the file's first bytes: PyTorch's zip checkpoint or safetensors. QSV_EINPUT for anything else,
 * saying what it looks like (an old non-zip PyTorch file, an HDF5 file, ...) and what to do. */
enum qsv_status qsv_checkpoint_read(struct qsv_tensors *out, const char *path,
                                    struct qsv_error *err);

/* The same over bytes in memory (name: for messages). */
enum qsv_status qsv_checkpoint_parse(struct qsv_tensors *out, const uint8_t *data, size_t bytes,
                                     const char *name, struct qsv_error *err);

/* Writes tensors (f32 only) as safetensors, durably; metadata {"format": "pt"}. */
enum qsv_status qsv_safetensors_write(const struct qsv_tensors *t, const char *path,
                                      struct qsv_error *err);

#endif
