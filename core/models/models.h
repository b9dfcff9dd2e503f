/* The table of architectures: each recognises a checkpoint by its tensors' names and builds the
 * graph. A new spiking transformer is one file and one line of the table.
 */
#ifndef QSV_MODELS_H
#define QSV_MODELS_H

#include "core/models/builder.h"

struct qsv_architecture {
    const char *name;
    bool (*recognise)(const struct qsv_tensors *tensors);
    /* Adds every node to the builder's graph, the readout last. */
    void (*build)(struct qsv_builder *b, const struct qsv_model_options *options);
};

extern const struct qsv_architecture qsv_sdtv2;

/* NULL-terminated. */
extern const struct qsv_architecture *const qsv_architectures[];

const struct qsv_architecture *qsv_architecture_recognise(const struct qsv_tensors *tensors);

#endif
