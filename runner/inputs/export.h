/* Writing quantized networks: what `quantize` and `export` share.
 */
#ifndef QSV_EXPORT_H
#define QSV_EXPORT_H

#include <stdio.h>

#include "core/network.h"
#include "runner/inputs/loaded.h"

/* Before anything long is done: QSV_EUSAGE where path's name ends in neither .h5 nor .safetensors,
 * or path is the same file as `input`. */
enum qsv_status qsv_export_check(const char *path, const char *input, struct qsv_error *err);

/* QSV_EUSAGE where writing path would replace the file that is read. */
enum qsv_status qsv_export_keep_input(const char *path, const char *input, struct qsv_error *err);

/* Builds the network of a source model in formats [n_layers], writes it as the name of path says,
 * and prints a line about it: packed codes (.h5), or f32 tensors under the checkpoint's names
 * (.safetensors). */
enum qsv_status qsv_export_write(struct qsv_loaded *x, const uint8_t *formats,
                                 const struct qsv_quantizer *quantizer, const char *path, FILE *out,
                                 struct qsv_error *err);

#endif
