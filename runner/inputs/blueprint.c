#include "runner/inputs/blueprint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/fold.h"
#include "core/models/models.h"

enum { CLASSES = 1000, SIDE = 224, HEADS = 8, TIME_STEPS = 4, BLOCKS3 = 6, BLOCKS4 = 2, MLP = 4 };
static const uint32_t widest = 4096;

enum qsv_status qsv_widths_parse(uint32_t widths[QSV_N_WIDTHS], const char *text,
                                 struct qsv_error *err)
{
    char end;
    int n = sscanf(text, "%u,%u,%u,%u%c", &widths[0], &widths[1], &widths[2], &widths[3], &end);
    for (int i = 0; i < QSV_N_WIDTHS && n == QSV_N_WIDTHS; i++)
        if (widths[i] < HEADS || widths[i] % HEADS || widths[i] > widest)
            n = 0;
    return n == QSV_N_WIDTHS
               ? QSV_OK
               : qsv_fail(err, QSV_EUSAGE,
                          "widths '%s': expected four multiples of %d up to %u with commas "
                          "between, like 128,256,512,640",
                          text, HEADS, widest);
}

struct outline {
    struct qsv_tensors tensors;
    enum qsv_status status;
    struct qsv_error *err;
};

/* The weight of a convolution: shape only. */
static void add(struct outline *o, uint32_t out, uint32_t in, uint32_t kernel, const char *format,
                ...) __attribute__((format(printf, 5, 6)));
static void add(struct outline *o, uint32_t out, uint32_t in, uint32_t kernel, const char *format,
                ...)
{
    struct qsv_tensors *t = &o->tensors;
    char name[QSV_MAX_TENSOR_NAME];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(name, sizeof name - 8, format, args);
    va_end(args);
    if (o->status)
        return;
    snprintf(name + n, sizeof name - (size_t)n, ".weight");
    char *copy = qsv_strdup(name);
    if (!copy || !qsv_grow(&t->v, &t->capacity, t->n + 1, sizeof *t->v)) {
        free(copy);
        o->status = qsv_fail_memory(o->err, name);
        return;
    }
    t->v[t->n++] = (struct qsv_tensor){
        .name = copy, .format = QSV_F32, .rank = 4, .shape = {out, in, kernel, kernel}};
}

static void add_conv_block(struct outline *o, uint32_t width, const char *name)
{
    add(o, 2 * width, width, 1, "%s.0.Conv.pwconv1", name);
    add(o, 2 * width, 1, 7, "%s.0.Conv.dwconv", name);
    add(o, width, 2 * width, 1, "%s.0.Conv.pwconv2", name);
    add(o, MLP * width, width, 3, "%s.0.conv1", name);
    add(o, width, MLP * width, 3, "%s.0.conv2", name);
}

static void add_rep_conv(struct outline *o, uint32_t width, const char *name)
{
    add(o, width, width, 1, "%s.0.body.0", name);
    add(o, width, 1, 3, "%s.0.body.2.0", name);
    add(o, width, width, 1, "%s.0.body.2.1", name);
}

static void add_transformer_blocks(struct outline *o, uint32_t width, const char *list, uint32_t n)
{
    static const char *const parts[] = {"q_conv", "k_conv", "v_conv", "proj_conv"};
    for (uint32_t i = 0; i < n; i++) {
        for (int p = 0; p < 4; p++) {
            char name[64];
            snprintf(name, sizeof name, "%s.%u.attn.%s", list, i, parts[p]);
            add_rep_conv(o, width, name);
        }
        add(o, MLP * width, width, 1, "%s.%u.mlp.fc1_conv", list, i);
        add(o, width, MLP * width, 1, "%s.%u.mlp.fc2_conv", list, i);
    }
}

static void add_all(struct outline *o, const uint32_t *w)
{
    add(o, w[0] / 2, 3, 7, "downsample1_1.encode_conv");
    add_conv_block(o, w[0] / 2, "ConvBlock1_1");
    add(o, w[0], w[0] / 2, 3, "downsample1_2.encode_conv");
    add_conv_block(o, w[0], "ConvBlock1_2");
    add(o, w[1], w[0], 3, "downsample2.encode_conv");
    add_conv_block(o, w[1], "ConvBlock2_1");
    add_conv_block(o, w[1], "ConvBlock2_2");
    add(o, w[2], w[1], 3, "downsample3.encode_conv");
    add_transformer_blocks(o, w[2], "block3", BLOCKS3);
    add(o, w[3], w[2], 3, "downsample4.encode_conv");
    add_transformer_blocks(o, w[3], "block4", BLOCKS4);
    add(o, CLASSES, w[3], 1, "head");
}

static enum qsv_status build(struct qsv_model *m, struct qsv_error *err)
{
    struct qsv_builder b = {.graph = &m->graph,
                            .tensors = &m->tensors,
                            .folded = true, /* asks for no norms */
                            .err = err,
                            .path = m->path};
    qsv_sdtv2.build(&b, &m->options);
    if (b.status)
        return b.status;
    m->classes = CLASSES;
    m->source_bytes = m->graph.n_weights * sizeof(float);
    for (size_t i = 0; i < m->graph.n_norms; i++)
        m->source_bytes += 4 * sizeof(float) * m->graph.norms[i].channels;
    return qsv_fold_links(&m->graph, err);
}

enum qsv_status qsv_blueprint_create(struct qsv_model **out, const uint32_t widths[QSV_N_WIDTHS],
                                     struct qsv_error *err)
{
    struct outline o = {.err = err};
    struct qsv_model *m = qsv_alloc(1, sizeof *m);
    *out = NULL;
    if (!m || !(m->path = qsv_strdup("the network in outline"))) {
        free(m);
        return qsv_fail_memory(err, "the network in outline");
    }
    add_all(&o, widths);
    m->tensors = o.tensors;
    m->architecture = qsv_sdtv2.name;
    m->options = (struct qsv_model_options){
        .heads = HEADS, .time_steps = TIME_STEPS, .input = {3, SIDE, SIDE}};
    enum qsv_status st = o.status ? o.status : build(m, err);
    if (st) {
        qsv_model_destroy(m);
        return st;
    }
    *out = m;
    return QSV_OK;
}
