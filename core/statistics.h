/* Statistics of what a model's layers read, over calibration images in the f32 network: second
 * moments H = E[x x^T] and means E[x], from which quantizers choose codes (docs/quantizers.md).
 *
 * x are the inputs of one output value, in the order of a row of the weight: [in_ch][ky][kx]; a
 * depthwise layer has an H a channel. E is over images, computed time steps and output pixels;
 * padding counts as what it is.
 *
 * Spike inputs are counted in integers: however images are dealt out, shards add up to the same.
 * Real inputs are summed in f64, image by image: a shard's sums are the same whatever the batches,
 * and shards add up to the same bits where the same shards are added in the same order. Neither
 * depends on the instruction set.
 *
 * Memory: 8 bytes for each element of every layer's triangle, qsv_statistics_bytes: 21 MB for the
 * default model, 687 MB for SDTv2-31M at full size. Where that is too much, each rank takes some of
 * the layers.
 */
#ifndef QSV_STATISTICS_H
#define QSV_STATISTICS_H

#include <stdbool.h>

#include "core/engine.h"

struct qsv_statistics;

/* Empty ones of a source model, which outlives them. layers [n_layers]: which to take; NULL: all.
 */
enum qsv_status qsv_statistics_create(struct qsv_statistics **out, const struct qsv_model *model,
                                      const bool *layers, struct qsv_error *err);
void qsv_statistics_destroy(struct qsv_statistics *s);

/* Bytes that they take. */
uint64_t qsv_statistics_bytes(const struct qsv_model *model, const bool *layers);

/* To be given to qsv_engine_observe: what an f32 network reads from then on is added. */
struct qsv_engine_observer qsv_statistics_observer(struct qsv_statistics *s);

/* Says which images were run: of what data set, and their numbers in it. QSV_EINPUT where images of
 * another data set were noted before. */
enum qsv_status qsv_statistics_note(struct qsv_statistics *s, uint64_t fingerprint,
                                    const uint32_t *numbers, size_t n, struct qsv_error *err);

/* Adds a shard; its images are appended. QSV_EINPUT where it is of another model, data set or
 * choice of layers. */
enum qsv_status qsv_statistics_add(struct qsv_statistics *s, const struct qsv_statistics *shard,
                                   struct qsv_error *err);

/* Frees what was collected of a layer, which then has no positions. */
void qsv_statistics_forget(struct qsv_statistics *s, uint32_t layer);

const struct qsv_model *qsv_statistics_model(const struct qsv_statistics *s);
uint64_t qsv_statistics_fingerprint(const struct qsv_statistics *s);
const uint32_t *qsv_statistics_images(const struct qsv_statistics *s, size_t *n);
/* Everything that was collected, images included: two that are equal have the same hash. */
uint64_t qsv_statistics_hash(const struct qsv_statistics *s); /* 0: out of memory */

/* Output values seen: images x computed time steps x output pixels; 0 where the layer is not taken
 * or nothing was run. */
uint64_t qsv_statistics_positions(const struct qsv_statistics *s, uint32_t layer);
/* Inputs of one output value: a row of the weight. */
size_t qsv_statistics_inputs(const struct qsv_statistics *s, uint32_t layer);

/* H [k][k] and E[x] [k] of a layer's group (0, or the channel of a depthwise layer); mean may be
 * NULL. What norms before the layer do to its input is in it, though the engine moves them behind.
 * The layer must have positions. */
enum qsv_status qsv_statistics_moments(const struct qsv_statistics *s, uint32_t layer,
                                       uint32_t group, double *h, double *mean,
                                       struct qsv_error *err);
/* E[output] [out_ch]: weight x E[x] + bias. */
enum qsv_status qsv_statistics_output(const struct qsv_statistics *s, uint32_t layer,
                                      double *output, struct qsv_error *err);

/* Files: docs/formats.md, "Statistics". Written aside and renamed. */
enum qsv_status qsv_statistics_save(const struct qsv_statistics *s, const char *path,
                                    struct qsv_error *err);
/* QSV_EINPUT for a file of another model, or anything wrong with it. */
enum qsv_status qsv_statistics_load(struct qsv_statistics **out, const struct qsv_model *model,
                                    const char *path, struct qsv_error *err);

#endif
