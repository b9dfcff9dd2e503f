/* The engine: runs networks of one model on images. Exact: an image's logits do not depend on
 * batch, company, threads or instruction set.
 *
 * Several networks run together as a trie over their layers' formats: what they share up to a layer
 * is computed once. Memory is planned when the engine is made; running does not allocate, except
 * for snapshots and prepared weights when they are needed. One engine is called by one
 * thread; it may use more, which share its weights.
 */
#ifndef QSV_ENGINE_H
#define QSV_ENGINE_H

#include <signal.h>
#include <stdbool.h>

#include "core/network.h"

/* Changes whenever any logit could. Part of a run's identity. */
enum { QSV_ENGINE_NUMERICS = 2 };

struct qsv_engine;

/* Prepared weights that an engine keeps from call to call, each (layer, format) once; a call whose
 * networks need more has more while it lasts. */
enum { QSV_ENGINE_KEPT_BYTES = 3 << 28 };

/* What one network did on a batch. Buffers are the caller's; logits are set, the others are added
 * to; any but logits may be NULL. */
struct qsv_engine_output {
    float *logits;        /* [n][classes] */
    uint64_t *lif_spikes; /* [n_lifs] spikes fired */
    uint64_t *site_ac;    /* [n_layers + n_attentions] accumulates on spikes */
    int64_t *potentials;  /* [qsv_engine_potential_count] membrane potentials after charging, before
                             reset, summed over images, time  steps and pixels, a channel of each
                             LIF;  in 1/256, each clipped to +-128 */
};

struct qsv_engine_work {
    uint64_t layer_forwards_asked; /* layers x networks x images */
    uint64_t layer_forwards_done;  /* after sharing */
};

/* Called for each LIF in turn, while one network runs: spikes [n][time_steps][c][h][w], one byte
 * each, 0 or 1. */
struct qsv_engine_trace {
    enum qsv_status (*on_spikes)(void *context, uint32_t lif, uint32_t n, const uint8_t *spikes,
                                 struct qsv_error *err);
    void *context;
};

/* What a layer reads, before it is computed, as it lies in the engine (core/kernels/kernels.h,
 * "Layouts"): positions are numbered by time step, image, pixel; a time step's are `block`. */
struct qsv_engine_input {
    uint32_t layer;
    uint32_t images, steps, block; /* steps: 1 where every time step reads the same */
    const uint64_t *spikes;        /* [in.c][stride] words; NULL where the input is real */
    const float *values;           /* [in.c][stride] */
    size_t stride;
};

struct qsv_engine_observer {
    enum qsv_status (*on_input)(void *context, const struct qsv_engine_input *input,
                                struct qsv_error *err);
    void *context;
};

/* max_batch: images a call of run. model outlives the engine. */
enum qsv_status qsv_engine_create(struct qsv_engine **out, const struct qsv_model *model,
                                  uint32_t max_batch, struct qsv_error *err);
void qsv_engine_destroy(struct qsv_engine *e);

/* Deals the images of a call to so many threads, 1 after create. Each gets memory for its part of
 * max_batch. After a failure the engine can only be destroyed. */
enum qsv_status qsv_engine_use_threads(struct qsv_engine *e, uint32_t threads,
                                       struct qsv_error *err);

/* pixels u8 [n][h][w][c] of the model's input shape, 1 <= n <= max_batch; networks [n_networks] of
 * the engine's model; outputs [n_networks]. trace: NULL, or with one network and thread only. stop:
 * NULL, or looked at between layers: nonzero ends the call with QSV_ESTOPPED, outputs then
 * undefined. */
enum qsv_status qsv_engine_run(struct qsv_engine *e, const uint8_t *pixels, uint32_t n,
                               struct qsv_network *const *networks, uint32_t n_networks,
                               struct qsv_engine_output *outputs,
                               const struct qsv_engine_trace *trace,
                               const volatile sig_atomic_t *stop, struct qsv_error *err);

/* asked is called between layers, by the thread that called the engine: true ends the call like
 * `stop`. For what is dearer than a flag; NULL: none, as after create. */
void qsv_engine_watch(struct qsv_engine *e, bool (*asked)(void *context), void *context);

/* Has the observer called for each layer in turn, while one network runs on one thread; NULL: none,
 * as after create. */
void qsv_engine_observe(struct qsv_engine *e, const struct qsv_engine_observer *observer);

/* Channels of all LIFs; LIF i's begin at qsv_engine_potential_offset(e, i). */
size_t qsv_engine_potential_count(const struct qsv_engine *e);
size_t qsv_engine_potential_offset(const struct qsv_engine *e, uint32_t lif);

/* So many bytes of them instead, from the next call on. */
void qsv_engine_keep_weights(struct qsv_engine *e, uint64_t bytes);
/* Frees all prepared weights; those that are needed again are made again. */
void qsv_engine_forget_weights(struct qsv_engine *e);

struct qsv_engine_work qsv_engine_work_done(const struct qsv_engine *e); /* since it was made */

/* The instruction set in use: "scalar", "avx2" or "avx512"; QSV_ISA in the environment forces one.
 */
const char *qsv_engine_isa(const struct qsv_engine *e);

#endif
