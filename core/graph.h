/* The network as a graph of typed nodes, in an order in which every input comes before its use.
 *
 * Everything behind an architecture (engine, quantizer, search, cost) knows graphs and layers,
 * never the architecture. A layer is one weight tensor. Values are [channels][height][width] an
 * image and time step; a node whose `per_step` is false has the same value at every time step and
 * is computed once.
 */
#ifndef QSV_GRAPH_H
#define QSV_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

enum qsv_op {
    QSV_OP_INPUT,     /* the normalised image */
    QSV_OP_CONV,      /* in[0]; index = layer */
    QSV_OP_NORM,      /* in[0]; batch normalisation, index = norm */
    QSV_OP_LIF,       /* in[0]; leaky integrate-and-fire, index = lif */
    QSV_OP_ADD,       /* in[0] + in[1] */
    QSV_OP_ATTENTION, /* in = q, k, v (spikes): q (k^T v) x scale, a head at a time; index =
                         attention product */
    QSV_OP_POOL,      /* mean of in[0] over space: [c][1][1] */
    QSV_OP_READOUT    /* mean over time steps, then over in[0 .. n_in-1] */
};

struct qsv_shape {
    uint32_t c, h, w;
};

struct qsv_node {
    enum qsv_op op;
    uint32_t n_in;
    uint32_t in[3]; /* nodes, each smaller than this node's own number */
    uint32_t index; /* into layers, norms, lifs or attention products, as op says */
    struct qsv_shape out;
    bool per_step; /* has a time axis */
};

struct qsv_layer {
    char *name; /* module path in the checkpoint; its weight is "<name>.weight", its bias
                   "<name>.bias" */
    uint32_t node;
    uint32_t out_ch, in_ch; /* in_ch as in the weight's shape: 1 where depthwise */
    uint32_t groups;        /* 1, or out_ch where depthwise */
    uint32_t kernel, stride, pad;
    bool has_bias;
    bool spike_input; /* input is 0 or 1 */
    bool pad_norm;    /* padding is what the norm before gives for 0, not 0 */
    uint32_t rank;    /* of the weight tensor: 4 (Conv2d), 3 (Conv1d), 2 (Linear) */
    uint32_t block,
        stage; /* groups of the coarser search granularities, numbered from 0 in network order */
    struct qsv_shape in, out;
    uint64_t n_weights;
    uint64_t macs; /* dense multiply-accumulates an image and computed time step, borders counted
                      exactly */
};

struct qsv_norm {
    char *name; /* "<name>.weight", .bias, .running_mean, .running_var */
    uint32_t channels;
    double eps;
};

/* Neuron: charge h = v + (x - v) / tau, spike where h >= v_th, then v = 0 where it fired (hard
 * reset), else h. */
struct qsv_lif {
    char *name;
    uint32_t node;
    struct qsv_shape shape;
    float v_th, tau;
};

struct qsv_attention {
    char *name;
    uint32_t node;
    uint32_t heads, channels, tokens;
    float scale;
};

enum { QSV_NO_LAYER = UINT32_MAX, QSV_MAX_CHAIN_NORMS = 2 };

/* A layer's place in its chain: layers that follow each other with nothing but norms between them
 * (core/fold.h). */
struct qsv_link {
    uint32_t previous, next; /* layers; QSV_NO_LAYER: begins, ends the chain */
    uint32_t norms[QSV_MAX_CHAIN_NORMS];
    uint32_t n_norms;  /* behind the layer */
    uint32_t end_node; /* the node whose value the layer's folded output is: the last norm, or the
                          layer's own */
};

struct qsv_graph {
    struct qsv_node *nodes;
    struct qsv_layer *layers;
    struct qsv_link *links; /* [n_layers], by qsv_fold_links */
    struct qsv_norm *norms;
    struct qsv_lif *lifs;
    struct qsv_attention *attentions;
    char **block_names, **stage_names;
    size_t n_nodes, n_layers, n_norms, n_lifs, n_attentions, n_blocks, n_stages;
    size_t cap_nodes, cap_layers, cap_norms, cap_lifs, cap_attentions, cap_blocks, cap_stages;
    uint64_t n_weights; /* over all layers */
};

void qsv_graph_fini(struct qsv_graph *g);

#endif
