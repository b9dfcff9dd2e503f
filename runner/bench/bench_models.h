/* How fast the engine runs whole networks, and what parts take the time. */
#ifndef QSV_BENCH_MODELS_H
#define QSV_BENCH_MODELS_H

#include "core/engine.h"
#include "runner/bench/bench_kind.h"

struct qsv_bench_models_setup {
    const struct qsv_model *model; /* a source model */
    enum qsv_format formats[QSV_N_FORMATS];
    uint32_t n_formats, batch, threads, rounds; /* batch: images a call, over all threads */
    double round_s;                             /* a round is at least so long */
    uint64_t seed;                              /* of the images */
};

/* All layers in one format. */
struct qsv_bench_model {
    enum qsv_format format;
    double images_per_s;           /* median of the rounds */
    double slowest, fastest;       /* rounds, images a second */
    double kind_s[QSV_N_KINDS];    /* an image takes one thread, on average over all rounds */
    double kind_macs[QSV_N_KINDS]; /* dense, an image over all time steps; of LIFs: neurons */
    double rate;                   /* of all neurons, an image and time step */
};

/* out [setup->n_formats]. Formats take turns, round by round. */
enum qsv_status qsv_bench_models_run(struct qsv_bench_model *out,
                                     const struct qsv_bench_models_setup *setup,
                                     struct qsv_error *err);

/* A sensitivity sweep at layer granularity: every layer in every format, all others in f32. */
struct qsv_bench_trie {
    uint32_t networks, images;
    double together_s; /* one call of the engine for all networks */
    double alone_s;    /* a call each */
    struct qsv_engine_work together, alone;
};

enum qsv_status qsv_bench_trie_run(struct qsv_bench_trie *out,
                                   const struct qsv_bench_models_setup *setup,
                                   struct qsv_error *err);

#endif
