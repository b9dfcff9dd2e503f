/* Trace files: every spike of every LIF of a network on some images. docs/formats.md has the
 * layout: images u8 [N][H][W][C] as they lie in the data set, spikes/<LIF> u8 0 or 1
 * [N][T][C][H][W]
 * ([N][T][C] behind the pooling), logits f32 [N][classes].
 */
#ifndef QSV_TRACE_H
#define QSV_TRACE_H

#include "core/dataset.h"
#include "core/engine.h"

struct qsv_trace_file;

/* For n images of the data set. The file appears under its name when it is closed. */
enum qsv_status qsv_trace_create(struct qsv_trace_file **out, const char *path,
                                 const struct qsv_model *model, struct qsv_shape image,
                                 uint64_t n_images, struct qsv_error *err);

/* Before each batch: it begins at image first. */
void qsv_trace_begin_batch(struct qsv_trace_file *t, uint64_t first);
/* What the engine calls. */
struct qsv_engine_trace qsv_trace_face(struct qsv_trace_file *t);

/* All images [n][h][w][c] and logits [n][classes], at the end. */
enum qsv_status qsv_trace_finish(struct qsv_trace_file *t, const uint8_t *images,
                                 const float *logits, struct qsv_error *err);
/* NULL is fine; without finish no file is left. */
void qsv_trace_destroy(struct qsv_trace_file *t);

#endif
