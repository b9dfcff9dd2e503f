/* A model file made into a network that can run: a folded model as it is, a source model in a
 * setting.
 */
#ifndef QSV_LOADED_H
#define QSV_LOADED_H

#include "core/network.h"

struct qsv_loaded {
    struct qsv_model *model;
    struct qsv_bank *bank; /* NULL where the model is folded */
    struct qsv_network *network;
};

/* Reads the model; network is NULL until it is built. */
enum qsv_status qsv_loaded_open(struct qsv_loaded *x, const char *path, struct qsv_error *err);

/* formats [n_layers]: the setting to run a source model in; NULL: every layer as it is stored.
 * Codes come from x->bank where the caller has put one there (taken over), else by the quantizer.
 * QSV_EINPUT for a folded model with formats: its weights are quantized already. */
enum qsv_status qsv_loaded_build(struct qsv_loaded *x, const uint8_t *formats,
                                 const struct qsv_quantizer *quantizer, struct qsv_error *err);

void qsv_loaded_fini(struct qsv_loaded *x);

#endif
