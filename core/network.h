/* A network: a model's graph with the weights of one setting, ready to run or to export. Scales,
 * norms and biases are folded into one multiplier and one shift an output channel (docs/design.md,
 * "Quantization").
 */
#ifndef QSV_NETWORK_H
#define QSV_NETWORK_H

#include "core/bank.h"
#include "core/model.h"

struct qsv_network;

/* From a source model and one format a layer (formats [n_layers]); codes come from the bank, which
 * outlives the network. Where its quantizer stores halves, multipliers and shifts of layers that
 * are not f32 are rounded to them. */
enum qsv_status qsv_network_create(struct qsv_network **out, const struct qsv_model *model,
                                   struct qsv_bank *bank, const uint8_t *formats,
                                   struct qsv_error *err);

/* From a folded model, which outlives the network. */
enum qsv_status qsv_network_create_folded(struct qsv_network **out, const struct qsv_model *model,
                                          struct qsv_error *err);
void qsv_network_destroy(struct qsv_network *n);

const struct qsv_model *qsv_network_model(const struct qsv_network *n);
const uint8_t *qsv_network_formats(const struct qsv_network *n); /* [n_layers] */

struct qsv_network_layer {
    const struct qsv_bank_entry *weights;
    const float *multiplier, *shift; /* [out_ch] as stored, followed by zeros up to a multiple of
                                        16; NULL: none */
};
struct qsv_network_layer qsv_network_layer(const struct qsv_network *n, uint32_t layer);

/* Writes the network as a model file. Where every layer is f32 that is the source model as it is,
 * so that the file is what qsv_cost_bytes counts for any setting. */
enum qsv_status qsv_network_save(const struct qsv_network *n, const char *path,
                                 struct qsv_error *err);

/* A folded model's tensors (codes bit-packed), for qsv_model_create and qsv_model_save. */
enum qsv_status qsv_network_fold(struct qsv_tensors *out, const struct qsv_network *n,
                                 struct qsv_error *err);

/* The source's tensors under the checkpoint's names, for qsv_safetensors_write: weights replaced by
 * f32(code x scale), corrections put into norms and biases. Where multipliers and shifts are stored
 * as halves or bytes, scales and corrections are those that give the stored ones (core/refit.h). A
 * network of a folded model has no such tensors: QSV_EINPUT. */
enum qsv_status qsv_network_dequantize(struct qsv_tensors *out, const struct qsv_network *n,
                                       struct qsv_error *err);

#endif
