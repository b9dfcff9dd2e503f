/* Folding: how scales, norms and biases become one multiplier and one shift an output channel of a
 * layer.
 *
 * Layers that follow each other with nothing but norms between them form a *chain* (dwconv ->
 * pwconv2; RepConv's three), which is linear from end to end. Within a chain
 * - a factor a channel in front of a depthwise layer moves behind it: dw(a x) = a dw(x);
 * - a constant in front of a layer moves through it to the chain's end: conv(x + b) = conv(x) + W b
 * summed over the kernel. That holds at the borders too, because the padding there is what the norm
 * gives for 0 (RepConv), so that x + b is padded with b. So what is stored: nothing behind a layer
 * that a depthwise one follows, a multiplier behind the other inner layers, multiplier and shift at
 * the chain's end. A layer's output is multiplier x (sum of code x input) + shift. A layer in
 * format none has no sum, and so no multiplier; its own correction is the constant that the chain
 * goes on with, whatever was before it.
 */
#ifndef QSV_FOLD_H
#define QSV_FOLD_H

#include "core/bank.h"
#include "core/model.h"

/* Fills graph->links. QSV_EINPUT where the graph can't be folded (a norm behind something that is
 * not a layer ...). */
enum qsv_status qsv_fold_links(struct qsv_graph *graph, struct qsv_error *err);

/* What is stored behind a layer, given the formats of all layers. */
struct qsv_fold_parts {
    bool multiplier, shift;
    bool scale_alone; /* the multiplier is a quantizer's scale with no norm to hide in: counted with
                         the weights */
};
struct qsv_fold_parts qsv_fold_parts(const struct qsv_graph *graph, const uint8_t *formats,
                                     uint32_t layer);

/* Computes multipliers and shifts of the whole chain that begins at layer `first` of a source
 * model. entries [n_layers]: the layers' weights. multiplier[l], shift[l] [out_ch] are filled where
 * qsv_fold_parts says so (they may be NULL elsewhere). In f64 in a fixed order, rounded once.
 * QSV_EINPUT where a result is not finite. */
enum qsv_status qsv_fold_chain(const struct qsv_model *model,
                               const struct qsv_bank_entry *const *entries, const uint8_t *formats,
                               uint32_t first, float *const *multiplier, float *const *shift,
                               struct qsv_error *err);

/* Can a constant be added to the layer's outputs? Where its chain ends in a norm or a bias. */
bool qsv_fold_takes_constant(const struct qsv_graph *graph, uint32_t layer);

/* What layer `layer` of a source model really reads is factor x (what the engine hands it in an f32
 * network) + constant, a channel of its input [in.c]: norms before it in its chain are moved behind
 * it. 1 and 0 where the layer begins its chain. */
enum qsv_status qsv_fold_input(const struct qsv_model *model, uint32_t layer, double *factor,
                               double *constant, struct qsv_error *err);

#endif
