/* The table of architectures: each recognises a checkpoint by its tensors' names and builds the
 * graph. A new spiking transformer is a file here, and a line in models.inc; docs/extending.md says
 * more.
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

#define ARCHITECTURE(name) extern const struct qsv_architecture qsv_##name;
#include "core/models/models.inc"
#undef ARCHITECTURE

/* NULL-terminated. */
extern const struct qsv_architecture *const qsv_architectures[];

const char *qsv_architecture_names(void); /* "sdtv2", for messages */
const struct qsv_architecture *qsv_architecture_recognise(const struct qsv_tensors *tensors);

#endif
