#include "core/models/builder.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

enum {
    MAX_NAME = 200,
    MAX_CHANNELS = 1 << 16,
    MAX_SIDE = 1 << 13,
    MAX_KERNEL = 15, /* 8-bit codes of a depthwise kernel then sum exactly in f32 */
};
static const uint64_t max_macs = (uint64_t)1 << 46;

#define FORMAT_NAME(name, format)                                                                  \
    char name[MAX_NAME];                                                                           \
    do {                                                                                           \
        va_list args_;                                                                             \
        va_start(args_, format);                                                                   \
        vsnprintf(name, sizeof name, format, args_);                                               \
        va_end(args_);                                                                             \
    } while (0)

static uint32_t out_of_memory(struct qsv_builder *b)
{
    b->status = qsv_fail_memory(b->err, "the graph");
    return 0;
}

/* Room for one more element of a growing array of the graph; NULL when memory is out. */
#define APPEND(b, array, n, cap)                                                                   \
    (qsv_grow(&(b)->graph->array, &(b)->graph->cap, (b)->graph->n + 1, sizeof *(b)->graph->array)  \
         ? &(b)->graph->array[(b)->graph->n]                                                       \
         : NULL)

static const struct qsv_node *node_at(const struct qsv_builder *b, uint32_t i)
{
    return &b->graph->nodes[i];
}

static uint32_t add_node(struct qsv_builder *b, struct qsv_node node)
{
    struct qsv_node *slot = b->status ? NULL : APPEND(b, nodes, n_nodes, cap_nodes);
    if (b->status)
        return 0;
    if (!slot)
        return out_of_memory(b);
    *slot = node;
    return (uint32_t)b->graph->n_nodes++;
}

static uint32_t add_name(struct qsv_builder *b, char ***names, size_t *n, size_t *capacity,
                         const char *name)
{
    char *copy = qsv_strdup(name);
    if (!copy || !qsv_grow(names, capacity, *n + 1, sizeof **names)) {
        free(copy);
        return out_of_memory(b);
    }
    (*names)[*n] = copy;
    return (uint32_t)(*n)++;
}

void qsv_build_block(struct qsv_builder *b, const char *format, ...)
{
    FORMAT_NAME(name, format);
    struct qsv_graph *g = b->graph;
    if (!b->status)
        b->block = add_name(b, &g->block_names, &g->n_blocks, &g->cap_blocks, name);
}

void qsv_build_stage(struct qsv_builder *b, const char *name)
{
    struct qsv_graph *g = b->graph;
    if (!b->status)
        b->stage = add_name(b, &g->stage_names, &g->n_stages, &g->cap_stages, name);
}

bool qsv_build_has(const struct qsv_builder *b, const char *format, ...)
{
    FORMAT_NAME(name, format);
    return !b->status && qsv_tensors_find(b->tensors, name);
}

uint32_t qsv_build_input(struct qsv_builder *b, struct qsv_shape shape)
{
    if (b->status)
        return 0;
    if (!shape.c || shape.c > QSV_MAX_CHANNELS || !shape.h || shape.h > MAX_SIDE || !shape.w ||
        shape.w > MAX_SIDE) {
        b->status = qsv_fail(b->err, QSV_EINPUT,
                             "%s: input %ux%ux%u: expected 1..%d channels and sides of 1..%d",
                             b->path, shape.c, shape.h, shape.w, QSV_MAX_CHANNELS, MAX_SIDE);
        return 0;
    }
    return add_node(b, (struct qsv_node){.op = QSV_OP_INPUT, .out = shape});
}

/* Taps of the kernel that fall inside the input, summed over output positions, along one axis. */
static uint64_t taps_inside(uint32_t in, uint32_t out, const struct qsv_layer *l)
{
    uint64_t n = 0;
    for (uint32_t o = 0; o < out; o++)
        for (uint32_t k = 0; k < l->kernel; k++) {
            int64_t at = (int64_t)o * l->stride + k - l->pad;
            n += at >= 0 && at < in;
        }
    return n;
}

static enum qsv_status check_weight(struct qsv_builder *b, const char *name,
                                    const struct qsv_tensor *w, const struct qsv_node *in,
                                    struct qsv_conv conv)
{
    if (!w)
        return qsv_fail(b->err, QSV_EINPUT, "%s: no tensor '%s.weight'", b->path, name);
    if (w->defect)
        return qsv_fail(b->err, QSV_EINPUT, "%s: tensor '%s' can't be read: %s", b->path, w->name,
                        w->defect);
    uint32_t want_in = conv.depthwise ? 1 : in->out.c;
    bool kernel_ok = w->rank == 4   ? w->shape[2] == conv.kernel && w->shape[3] == conv.kernel
                     : w->rank == 3 ? conv.kernel == 1 && w->shape[2] == 1
                                    : w->rank == 2 && conv.kernel == 1;
    if (!kernel_ok)
        return qsv_fail(b->err, QSV_EINPUT,
                        "%s: tensor '%s' has rank %u, expected [out][in] and a %ux%u kernel",
                        b->path, w->name, w->rank, conv.kernel, conv.kernel);
    if (w->shape[1] != want_in || !w->shape[0] || w->shape[0] > MAX_CHANNELS ||
        (conv.depthwise && w->shape[0] != in->out.c))
        return qsv_fail(b->err, QSV_EINPUT,
                        "%s: tensor '%s' has shape [%u][%u], expected %s[%u] channels in", b->path,
                        w->name, w->shape[0], w->shape[1], conv.depthwise ? "depthwise " : "",
                        want_in);
    if (in->out.h + 2 * conv.pad < conv.kernel || in->out.w + 2 * conv.pad < conv.kernel)
        return qsv_fail(b->err, QSV_EINPUT, "%s: input of '%s' is %ux%u, smaller than its kernel",
                        b->path, name, in->out.h, in->out.w);
    return QSV_OK;
}

/* The checks that a layer's bias is what it should be; a source model only. */
static enum qsv_status check_vector(struct qsv_builder *b, const char *name, uint32_t n)
{
    const struct qsv_tensor *t;
    enum qsv_status st = qsv_tensors_need(&t, b->tensors, name, 1, &n, b->err);
    return st ? qsv_fail_in(b->err, st, "%s", b->path) : QSV_OK;
}

static void fill_layer(struct qsv_builder *b, struct qsv_layer *l, const struct qsv_tensor *w,
                       uint32_t in, struct qsv_conv conv)
{
    struct qsv_shape s = node_at(b, in)->out;
    l->rank = w->rank;
    l->out_ch = w->shape[0];
    l->in_ch = w->shape[1];
    l->groups = conv.depthwise ? l->out_ch : 1;
    l->kernel = conv.kernel;
    l->stride = conv.stride;
    l->pad = conv.pad;
    l->pad_norm = conv.pad_norm;
    l->spike_input = node_at(b, in)->op == QSV_OP_LIF;
    l->block = b->block;
    l->stage = b->stage;
    l->in = s;
    l->out = (struct qsv_shape){l->out_ch, (s.h + 2 * l->pad - l->kernel) / l->stride + 1,
                                (s.w + 2 * l->pad - l->kernel) / l->stride + 1};
    l->n_weights = (uint64_t)l->out_ch * l->in_ch * l->kernel * l->kernel;
    l->macs = taps_inside(s.h, l->out.h, l) * taps_inside(s.w, l->out.w, l) * l->out_ch * l->in_ch;
}

uint32_t qsv_build_conv(struct qsv_builder *b, uint32_t in, struct qsv_conv conv,
                        const char *format, ...)
{
    FORMAT_NAME(name, format);
    if (b->status)
        return 0;
    const struct qsv_tensor *w = qsv_tensors_findf(b->tensors, "%s.weight", name);
    b->status = check_weight(b, name, w, node_at(b, in), conv);
    if (b->status)
        return 0;
    struct qsv_layer *l = APPEND(b, layers, n_layers, cap_layers);
    if (!l || !(l->name = qsv_strdup(name)))
        return out_of_memory(b);
    uint32_t index = (uint32_t)b->graph->n_layers++;
    fill_layer(b, l, w, in, conv);
    if (l->macs > max_macs) {
        b->status = qsv_fail(b->err, QSV_EINPUT, "%s: layer '%s' is too large: %llu operations",
                             b->path, name, (unsigned long long)l->macs);
        return 0;
    }
    char bias[MAX_NAME + 8];
    snprintf(bias, sizeof bias, "%s.bias", name);
    l->has_bias = !b->folded && qsv_tensors_find(b->tensors, bias);
    if (l->has_bias && (b->status = check_vector(b, bias, l->out_ch)))
        return 0;
    b->graph->n_weights += l->n_weights;
    l->node = (uint32_t)b->graph->n_nodes;
    return add_node(b, (struct qsv_node){.op = QSV_OP_CONV,
                                         .n_in = 1,
                                         .in = {in},
                                         .index = index,
                                         .out = l->out,
                                         .per_step = node_at(b, in)->per_step});
}

uint32_t qsv_build_norm(struct qsv_builder *b, uint32_t in, const char *format, ...)
{
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    FORMAT_NAME(name, format);
    if (b->status)
        return 0;
    struct qsv_node from = *node_at(b, in);
    for (size_t i = 0; !b->folded && i < 4; i++) {
        char part[MAX_NAME + 16];
        snprintf(part, sizeof part, "%s.%s", name, parts[i]);
        if ((b->status = check_vector(b, part, from.out.c)))
            return 0;
    }
    struct qsv_norm *norm = APPEND(b, norms, n_norms, cap_norms);
    if (!norm || !(norm->name = qsv_strdup(name)))
        return out_of_memory(b);
    norm->channels = from.out.c;
    norm->eps = 1e-5; /* PyTorch's default, which every published checkpoint uses */
    return add_node(b, (struct qsv_node){.op = QSV_OP_NORM,
                                         .n_in = 1,
                                         .in = {in},
                                         .index = (uint32_t)b->graph->n_norms++,
                                         .out = from.out,
                                         .per_step = from.per_step});
}

uint32_t qsv_build_lif(struct qsv_builder *b, uint32_t in, float v_th, float tau,
                       const char *format, ...)
{
    FORMAT_NAME(name, format);
    if (b->status)
        return 0;
    struct qsv_lif *lif = APPEND(b, lifs, n_lifs, cap_lifs);
    if (!lif || !(lif->name = qsv_strdup(name)))
        return out_of_memory(b);
    lif->v_th = v_th;
    lif->tau = tau;
    lif->shape = node_at(b, in)->out;
    lif->node = (uint32_t)b->graph->n_nodes;
    /* A constant input still gives spikes that differ from step to step. */
    return add_node(b, (struct qsv_node){.op = QSV_OP_LIF,
                                         .n_in = 1,
                                         .in = {in},
                                         .index = (uint32_t)b->graph->n_lifs++,
                                         .out = node_at(b, in)->out,
                                         .per_step = true});
}

uint32_t qsv_build_add(struct qsv_builder *b, uint32_t x, uint32_t y)
{
    if (b->status)
        return 0;
    struct qsv_shape s = node_at(b, x)->out, t = node_at(b, y)->out;
    if (s.c != t.c || s.h != t.h || s.w != t.w) {
        b->status =
            qsv_fail(b->err, QSV_EINPUT, "%s: residual sum of %ux%ux%u and %ux%ux%u in '%s'",
                     b->path, s.c, s.h, s.w, t.c, t.h, t.w, b->graph->block_names[b->block]);
        return 0;
    }
    return add_node(
        b, (struct qsv_node){.op = QSV_OP_ADD,
                             .n_in = 2,
                             .in = {x, y},
                             .out = s,
                             .per_step = node_at(b, x)->per_step || node_at(b, y)->per_step});
}

uint32_t qsv_build_attention(struct qsv_builder *b, uint32_t q, uint32_t k, uint32_t v,
                             uint32_t heads, float scale, const char *format, ...)
{
    FORMAT_NAME(name, format);
    if (b->status)
        return 0;
    struct qsv_shape s = node_at(b, q)->out, sk = node_at(b, k)->out, sv = node_at(b, v)->out;
    if (s.c != sk.c || s.c != sv.c || !heads || s.c % heads) {
        b->status =
            qsv_fail(b->err, QSV_EINPUT,
                     "%s: attention '%s' has %u, %u and %u channels of q, k and v, expected "
                     "equal numbers that %u heads divide",
                     b->path, name, s.c, sk.c, sv.c, heads);
        return 0;
    }
    struct qsv_attention *a = APPEND(b, attentions, n_attentions, cap_attentions);
    if (!a || !(a->name = qsv_strdup(name)))
        return out_of_memory(b);
    a->heads = heads;
    a->channels = s.c;
    a->tokens = s.h * s.w;
    a->scale = scale;
    a->node = (uint32_t)b->graph->n_nodes;
    return add_node(b, (struct qsv_node){.op = QSV_OP_ATTENTION,
                                         .n_in = 3,
                                         .in = {q, k, v},
                                         .index = (uint32_t)b->graph->n_attentions++,
                                         .out = s,
                                         .per_step = true});
}

uint32_t qsv_build_pool(struct qsv_builder *b, uint32_t in)
{
    if (b->status)
        return 0;
    const struct qsv_node *from = node_at(b, in);
    return add_node(b, (struct qsv_node){.op = QSV_OP_POOL,
                                         .n_in = 1,
                                         .in = {in},
                                         .out = {from->out.c, 1, 1},
                                         .per_step = from->per_step});
}

uint32_t qsv_build_readout(struct qsv_builder *b, uint32_t x, uint32_t y)
{
    if (b->status)
        return 0;
    struct qsv_shape s = node_at(b, x)->out;
    if (y && node_at(b, y)->out.c != s.c) {
        b->status = qsv_fail(b->err, QSV_EINPUT, "%s: the two heads have %u and %u classes",
                             b->path, s.c, node_at(b, y)->out.c);
        return 0;
    }
    return add_node(
        b, (struct qsv_node){
               .op = QSV_OP_READOUT, .n_in = y ? 2 : 1, .in = {x, y}, .out = s, .per_step = false});
}
