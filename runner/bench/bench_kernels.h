/* How fast the engine computes each layer of a model by itself: by kind, format and firing rate.
 */
#ifndef QSV_BENCH_KERNELS_H
#define QSV_BENCH_KERNELS_H

#include "core/engine.h"
#include "runner/bench/bench_kind.h"

enum { QSV_BENCH_MAX_RATES = 16 };

struct qsv_bench_kernels_setup {
    const struct qsv_model *model; /* whose layers' shapes */
    enum qsv_format formats[QSV_N_FORMATS];
    double rates[QSV_BENCH_MAX_RATES];
    uint32_t n_formats, n_rates, batch, rounds;
    int only; /* an enum qsv_bench_kind, or -1: all */
    uint64_t seed;
};

/* One shape of layer in one format at one rate. */
struct qsv_bench_kernel {
    enum qsv_bench_kind kind;
    uint32_t order;  /* in the network */
    char layer[128]; /* the first of that shape in the model */
    struct qsv_shape in, out;
    uint32_t kernel, stride;
    uint32_t count;  /* layers of that shape */
    uint64_t macs;   /* dense, an image and computed time step; of a LIF: neurons */
    uint32_t frames; /* images x computed time steps of a run */
    enum qsv_format format;
    double rate_asked, rate; /* of the input's spikes; 0 where it has none */
    double seconds;          /* median, of a run */
};

struct qsv_bench_kernels { /* owned array */
    struct qsv_bench_kernel *v;
    size_t n, capacity;
};

enum qsv_status qsv_bench_kernels_run(struct qsv_bench_kernels *out,
                                      const struct qsv_bench_kernels_setup *setup,
                                      struct qsv_error *err);
void qsv_bench_kernels_fini(struct qsv_bench_kernels *k);

/* 1e9 multiply-accumulates a second. */
double qsv_bench_kernel_gmacs(const struct qsv_bench_kernel *k);
/* The same over all layers of a kind, each as often as the model has it. 0: there is none. */
double qsv_bench_kernels_gmacs(const struct qsv_bench_kernels *k, enum qsv_bench_kind kind,
                               enum qsv_format format, double rate_asked);

#endif
