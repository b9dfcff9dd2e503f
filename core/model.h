/* A model: its graph, its tensors and how an image becomes its input. Files: docs/formats.md.
 *
 * A *source* model holds every tensor of the checkpoint that the graph uses, as f32 (weights,
 * biases, norms). A *folded* model is what quantization writes: for each layer "<layer>.weight" in
 * its format, "<layer>.multiplier" and
 * "<layer>.shift" ([out_ch], f32 or f16 with an exponent) where there is one, and nothing else.
 */
#ifndef QSV_MODEL_H
#define QSV_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/share.h"
#include "core/graph.h"
#include "core/tensor.h"

enum { QSV_MAX_CHANNELS = 16 }; /* of an input image */

struct qsv_model_options {
    uint32_t heads, time_steps;
    struct qsv_shape input;
    float mean[QSV_MAX_CHANNELS], std[QSV_MAX_CHANNELS]; /* x = (pixel / 255 - mean) / std */
};

struct qsv_model {
    char *path; /* for messages */
    const char *architecture;
    struct qsv_model_options options;
    uint32_t classes;
    bool folded;
    struct qsv_tensors tensors;
    struct qsv_graph graph;
    struct qsv_share *share; /* where the tensors' data lie; NULL: each in memory of its own */
    uint64_t hash;           /* of architecture, options and every tensor */
    uint64_t
        source_bytes; /* of the f32 checkpoint it came from: what savings are measured against */
};

/* Takes the tensors (they are moved out of *tensors, also on failure): recognises the architecture
 * by their names and builds the graph; tensors that the graph does not use are dropped. `path` is
 * for messages. Destroy with qsv_model_destroy. */
enum qsv_status qsv_model_create(struct qsv_model **out, struct qsv_tensors *tensors,
                                 const struct qsv_model_options *options, const char *path,
                                 struct qsv_error *err);

enum qsv_status qsv_model_load(struct qsv_model **out, const char *path, struct qsv_error *err);
enum qsv_status qsv_model_save(const struct qsv_model *m, const char *path, struct qsv_error *err);
void qsv_model_destroy(struct qsv_model *m);

/* Moves the tensors' data into memory that all processes with this model share, on this machine.
 * Before anything keeps pointers to them. QSV_EFAILED says why not; the model is then as it was. */
enum qsv_status qsv_model_share(struct qsv_model *m, struct qsv_error *err);

#endif
