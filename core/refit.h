/* Weights in a checkpoint's terms for what a network stores: its multipliers and shifts may be
 * rounded (core/affine.h), and a checkpoint has norms instead.
 *
 * Entries whose exact fold (core/fold.h) is what is stored: a row of weights is scaled by stored /
 * exact multiplier, so that the multiplier behind it becomes the stored one; and the last layer of
 * a chain has a correction that makes its shift the stored one.
 */
#ifndef QSV_REFIT_H
#define QSV_REFIT_H

#include "core/bank.h"
#include "core/model.h"

struct qsv_refit;

/* entries, formats [n_layers]: a network's; multiplier[l], shift[l] [out_ch]: as stored, NULL where
 * qsv_fold_parts has none. All outlive the refit; model is a source model. */
enum qsv_status qsv_refit_create(struct qsv_refit **out, const struct qsv_model *model,
                                 const struct qsv_bank_entry *const *entries,
                                 const uint8_t *formats, float *const *multiplier,
                                 float *const *shift, struct qsv_error *err);
void qsv_refit_destroy(struct qsv_refit *r);

/* [n_layers], owned by the refit. Off by what f32 rounds; where a norm multiplies a channel by 0,
 * its shift stays what it was. */
const struct qsv_bank_entry *const *qsv_refit_entries(const struct qsv_refit *r);

#endif
