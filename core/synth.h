/* Models with random weights whose neurons fire at about a given rate: to measure speed with, at
 * any size, where no checkpoint is at hand. They answer nothing.
 *
 * Weights are random, norms what random inputs of the rate ask for; then the norm in front of each
 * LIF is shifted, in passes of the engine over random images, until its neurons fire as they
 * should. Attention's output has no norm in front, only its q, k and v: there k's neurons fire at
 * whatever rate (a lower one, for images of more than a few tokens) gives its output the right one.
 * Everything follows from the seed, on every machine.
 */
#ifndef QSV_SYNTH_H
#define QSV_SYNTH_H

#include "core/model.h"

struct qsv_synth {
    uint32_t widths[4]; /* of the four downsamplings, as published; the stem has half the first */
    uint32_t depths[2]; /* transformer blocks of stages 3 and 4 */
    uint32_t classes;
    bool kd; /* with a distillation head */
    struct qsv_model_options options;
    double rate; /* fraction of neurons that fire, an image and time step; 0.001 .. 0.9 */
    uint64_t seed;
};

/* What is published as 31M: widths 96, 192, 384, 480 at 3x224x224 with 1,000 classes, T=4, firing
 * at 0.15. */
struct qsv_synth qsv_synth_default(void);

/* A source model whose norms are only about right: enough where rates do not matter. QSV_EUSAGE
 * for a shape that is none. */
enum qsv_status qsv_synth_make(struct qsv_model **out, const struct qsv_synth *s,
                               struct qsv_error *err);

/* The same, fired at the rate. `passes` of the engine at most: 24 do. */
enum qsv_status qsv_synth_make_firing(struct qsv_model **out, const struct qsv_synth *s,
                                      unsigned passes, struct qsv_error *err);

/* Shifts the norms of a source model, in place (its hash is no longer that of its tensors). */
enum qsv_status qsv_synth_tune(struct qsv_model *model, double rate, uint64_t seed, unsigned passes,
                               struct qsv_error *err);

/* Firing rates [n_lifs] of the f32 network on random images of that seed. */
enum qsv_status qsv_synth_rates(double *rates, const struct qsv_model *model, uint64_t seed,
                                struct qsv_error *err);
/* Should this LIF fire at the rate? False for those that set another's (k), and those that nothing
 * sets. */
bool qsv_synth_is_held(const struct qsv_graph *graph, uint32_t lif);

/* Random images u8 [n][h][w][c]: coarse patches and noise. */
void qsv_synth_images(uint8_t *pixels, uint32_t n, struct qsv_shape shape, uint64_t seed);

#endif
