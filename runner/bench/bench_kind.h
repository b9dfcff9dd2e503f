/* Kinds of work within a network, by which benchmarks tell where time goes; and what is printed
 * with every figure.
 */
#ifndef QSV_BENCH_KIND_H
#define QSV_BENCH_KIND_H

#include <stddef.h>

#include "core/graph.h"

enum qsv_bench_kind {
    QSV_KIND_STEM,           /* real input, kernel larger than 1, not depthwise */
    QSV_KIND_CONV3,          /* spikes, kernel larger than 1, stride 1 */
    QSV_KIND_CONV3_HALF,     /* spikes, kernel larger than 1, stride 2 */
    QSV_KIND_CONV1,          /* spikes, 1x1 */
    QSV_KIND_LINEAR,         /* spikes, fully connected (Linear, Conv1d) */
    QSV_KIND_DEPTHWISE,      /* spikes */
    QSV_KIND_REAL1,          /* real input, 1x1 */
    QSV_KIND_REAL_DEPTHWISE, /* real input */
    QSV_KIND_ATTENTION,
    QSV_KIND_LIF,  /* operations are updates of a neuron, not multiply-accumulates */
    QSV_KIND_ADD,  /* residual sums */
    QSV_KIND_REST, /* input, pooling, readout */
    QSV_N_KINDS
};

/* "conv3x3" */
const char *qsv_bench_kind_name(enum qsv_bench_kind k);
enum qsv_bench_kind qsv_bench_kind_of(const struct qsv_layer *l);
/* Does its input fire, so that the firing rate matters? */
bool qsv_bench_kind_fires(enum qsv_bench_kind k);

/* Dense multiply-accumulates of an attention product, an image and time step. */
uint64_t qsv_bench_attention_macs(const struct qsv_attention *a);

/* Sorts v. n >= 1 */
double qsv_bench_median(double *v, size_t n);

/* "AMD EPYC, family 25, model 17" */
void qsv_bench_cpu(char out[160]);

#endif
