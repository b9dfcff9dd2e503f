/* A layer of a network by itself, to measure the engine with: the chain of layers that it stands in
 * (core/fold.h), fed with random spikes of a given rate, or an attention product with its q, k and
 * v.
 *
 * The engine runs a small model: noise, a convolution that spreads it over as many channels as are
 * asked for, norm and LIF, then the chain. What a layer takes is what the engine says that its step
 * took, so that everything counts that the engine does for it.
 */
#ifndef QSV_BENCH_PROBE_H
#define QSV_BENCH_PROBE_H

#include "core/engine.h"
#include "core/engine/profile.h"

struct qsv_probe {
    struct qsv_model *model;
    struct qsv_bank *bank;
    struct qsv_engine *engine;
    struct qsv_network *networks[QSV_N_FORMATS];
    struct qsv_profile profile; /* of the last run */
    uint32_t first;             /* the chain's first layer in `model`; others follow */
    uint32_t batch;
    bool fires; /* its input is spikes */
    uint8_t *pixels;
    float *logits;
    uint64_t *spikes;
    double rate; /* measured in the last run */
};

/* The chain that begins at layer `first` of a model, which is not kept. */
enum qsv_status qsv_probe_chain(struct qsv_probe *p, const struct qsv_model *of, uint32_t first,
                                uint32_t batch, uint64_t seed, struct qsv_error *err);
enum qsv_status qsv_probe_attention(struct qsv_probe *p, const struct qsv_model *of,
                                    uint32_t attention, uint32_t batch, uint64_t seed,
                                    struct qsv_error *err);
void qsv_probe_fini(struct qsv_probe *p);

/* From now on neurons fire at this rate, 0 .. 1. */
enum qsv_status qsv_probe_set_rate(struct qsv_probe *p, double rate, struct qsv_error *err);
/* One batch with the chain's layers in a format; fills profile and rate. */
enum qsv_status qsv_probe_run(struct qsv_probe *p, enum qsv_format format, struct qsv_error *err);

#endif
