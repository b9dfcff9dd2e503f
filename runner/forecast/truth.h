/* A made-up truth about a network, for simulations: what every setting would do to its answers.
 *
 * A layer's divergence at a format falls by a factor of its own with each bit, from a level of its
 * own; a setting's is the sum over its layers, and the top-1 drop follows it, with noise that
 * depends on the setting. All layers at int3 give 0.05 nats and about 2 points. The same seed gives
 * the same truth.
 */
#ifndef QSV_TRUTH_H
#define QSV_TRUTH_H

#include "core/model.h"
#include "jobs/metrics.h"
#include "jobs/partition.h"

struct qsv_truth;

/* model outlives the truth. */
enum qsv_status qsv_truth_create(struct qsv_truth **out, const struct qsv_model *model,
                                 uint64_t seed, struct qsv_error *err);
void qsv_truth_destroy(struct qsv_truth *t);

/* What a setting gives on n_images of a set. */
void qsv_truth_answer(const struct qsv_truth *t, const uint8_t *formats, enum qsv_image_set set,
                      uint64_t n_images, enum qsv_format affine,
                      const struct qsv_energy_constants *energy, struct qsv_metrics *out);

#endif
