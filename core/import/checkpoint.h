/* Readers of checkpoints: a file of PyTorch or safetensors -> named tensors. Nothing in a file is
 * ever executed; docs/import.md says what is read and what is refused.
 *
 * Floating-point tensors (f32, f16, bf16, f64) become f32 tensors under their names; integer and
 * boolean ones, and those that can't be rebuilt, become tensors with a `defect`. Names lose an
 * enclosing dict (the one named "model", else "state_dict", else the one that holds the most
 * tensors) and a "module." prefix that all of them share.
 */
#ifndef QSV_CHECKPOINT_H
#define QSV_CHECKPOINT_H

#include "core/tensor.h"

/* Finish with qsv_tensors_fini; after a failure there is nothing in *out. By the file's first
 * bytes: PyTorch's zip checkpoint or safetensors. QSV_EINPUT for anything else, saying what it
 * looks like (an old non-zip PyTorch file, an HDF5 file, ...) and what to do. */
enum qsv_status qsv_checkpoint_read(struct qsv_tensors *out, const char *path,
                                    struct qsv_error *err);

/* The same over bytes in memory (name: for messages). */
enum qsv_status qsv_checkpoint_parse(struct qsv_tensors *out, const uint8_t *data, size_t bytes,
                                     const char *name, struct qsv_error *err);

/* Writes tensors as safetensors, durably, in their order; metadata {"format": "pt"}. QSV_EINPUT for
 * one that is not f32, has a defect, or a name that is no UTF-8. */
enum qsv_status qsv_safetensors_write(const struct qsv_tensors *t, const char *path,
                                      struct qsv_error *err);

#endif
