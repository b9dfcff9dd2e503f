/* Corrections of a bank's entries in a checkpoint's terms: it has no shifts, but norms and biases.
 */
#ifndef QSV_CORRECT_H
#define QSV_CORRECT_H

#include "core/bank.h"
#include "core/model.h"

/* tensors: a source model's, weights replaced by those of entries [n_layers]. Adds each layer's
 * correction to its bias, or takes it off the running mean of the norm behind it; where there is
 * neither, that is done behind the next layer of the chain. QSV_EINPUT where a chain has none. */
enum qsv_status qsv_correct_tensors(struct qsv_tensors *tensors, const struct qsv_graph *graph,
                                    const struct qsv_bank_entry *const *entries,
                                    struct qsv_error *err);

#endif
