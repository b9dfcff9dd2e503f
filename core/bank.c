#include "core/bank.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"

struct slot {
    struct qsv_bank_entry entry;
    int8_t *codes;
    float *numbers; /* scales, or values in half precision */
    bool ready;
};

struct qsv_bank {
    const struct qsv_model *model;
    struct qsv_quantizer quantizer;
    const float **weights; /* [n_layers], the model's */
    struct slot *slots;    /* [n_layers][QSV_N_FORMATS] */
};

static size_t weight_count(const struct qsv_layer *l)
{
    return (size_t)l->n_weights;
}

static enum qsv_status find_weights(const float **out, const struct qsv_model *m,
                                    const struct qsv_layer *l, struct qsv_error *err)
{
    const struct qsv_tensor *t = qsv_tensors_findf(&m->tensors, "%s.weight", l->name);
    if (!t || !t->data)
        return qsv_fail(err, QSV_EINPUT, "%s: no tensor '%s.weight'", m->path, l->name);
    if (t->format != QSV_F32 || qsv_tensor_count(t) != weight_count(l))
        return qsv_fail(err, QSV_EINPUT,
                        "%s: tensor '%s' holds %zu weights as %s, expected %zu as f32", m->path,
                        t->name, qsv_tensor_count(t), qsv_format_info(t->format)->name,
                        weight_count(l));
    *out = (const float *)(const void *)t->data;
    return QSV_OK;
}

enum qsv_status qsv_bank_create(struct qsv_bank **out, const struct qsv_model *model,
                                const struct qsv_quantizer *quantizer, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    size_t n = model->graph.n_layers;
    *out = NULL;
    if (model->folded)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: is a quantized model, expected the model it came from", model->path);
    struct qsv_bank *b = qsv_alloc(1, sizeof *b);
    if (b) {
        *b = (struct qsv_bank){.model = model, .quantizer = *quantizer};
        b->weights = qsv_alloc(n, sizeof *b->weights);
        b->slots = qsv_alloc(n, QSV_N_FORMATS * sizeof *b->slots);
    }
    if (!b || !b->weights || !b->slots)
        st = qsv_fail_memory(err, "the bank");
    for (size_t l = 0; !st && l < n; l++)
        st = find_weights(&b->weights[l], model, &model->graph.layers[l], err);
    if (st)
        qsv_bank_destroy(b);
    else
        *out = b;
    return st;
}

void qsv_bank_destroy(struct qsv_bank *b)
{
    if (!b)
        return;
    for (size_t i = 0; b->slots && i < b->model->graph.n_layers * QSV_N_FORMATS; i++) {
        free(b->slots[i].codes);
        free(b->slots[i].numbers);
    }
    free(b->slots);
    free(b->weights);
    free(b);
}

static enum qsv_status halve(struct slot *s, const struct qsv_bank *b, uint32_t layer,
                             struct qsv_error *err)
{
    const struct qsv_layer *l = &b->model->graph.layers[layer];
    size_t n = weight_count(l);
    s->numbers = qsv_alloc_aligned(n, sizeof *s->numbers);
    if (!s->numbers)
        return qsv_fail_memory(err, l->name);
    for (size_t i = 0; i < n; i++) {
        s->numbers[i] = qsv_half_to_float(qsv_half_from_float(b->weights[layer][i]));
        if (!isfinite(s->numbers[i]))
            return qsv_fail(err, QSV_EINPUT, "%s: layer '%s': weight %zu is %g, too large for f16",
                            b->model->path, l->name, i, (double)b->weights[layer][i]);
    }
    s->entry.values = s->numbers;
    return QSV_OK;
}

static enum qsv_status quantize(struct slot *s, const struct qsv_bank *b, uint32_t layer,
                                enum qsv_format format, struct qsv_error *err)
{
    const struct qsv_layer *l = &b->model->graph.layers[layer];
    size_t n = weight_count(l);
    s->codes = qsv_alloc_aligned(n, sizeof *s->codes);
    s->numbers = qsv_alloc_aligned(l->out_ch, sizeof *s->numbers);
    if (!s->codes || !s->numbers)
        return qsv_fail_memory(err, l->name);
    qsv_quantize(&b->quantizer, format, b->weights[layer], l->out_ch, n / l->out_ch, s->codes,
                 s->numbers);
    s->entry.codes = s->codes;
    s->entry.scale = s->numbers;
    return QSV_OK;
}

static enum qsv_status fill(struct slot *s, const struct qsv_bank *b, uint32_t layer,
                            enum qsv_format format, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    s->entry.format = format;
    if (format == QSV_F32)
        s->entry.values = b->weights[layer];
    else if (format == QSV_F16)
        st = halve(s, b, layer, err);
    else
        st = quantize(s, b, layer, format, err);
    if (!st)
        s->ready = true;
    return st;
}

static void empty(struct slot *s)
{
    free(s->codes);
    free(s->numbers);
    *s = (struct slot){0};
}

enum qsv_status qsv_bank_get(const struct qsv_bank_entry **out, struct qsv_bank *b, uint32_t layer,
                             enum qsv_format format, struct qsv_error *err)
{
    assert(layer < b->model->graph.n_layers && format < QSV_N_FORMATS);
    struct slot *s = &b->slots[(size_t)layer * QSV_N_FORMATS + format];
    enum qsv_status st = s->ready ? QSV_OK : fill(s, b, layer, format, err);
    if (st)
        empty(s);
    else
        *out = &s->entry;
    return st;
}
