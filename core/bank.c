#include "core/bank.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/bank_parts.h"
#include "core/base/alloc.h"
#include "core/curvature.h"
#include "core/fold.h"
#include "core/statistics.h"

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
        *b = (struct qsv_bank){.model = model, .quantizer = *quantizer, .prepared = QSV_NO_LAYER};
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

static void forget_curvature(struct qsv_bank *b)
{
    for (size_t g = 0; b->curvature && g < b->n_groups; g++)
        qsv_curvature_fini(&b->curvature[g]);
    free(b->curvature);
    free(b->mean);
    b->curvature = NULL;
    b->mean = NULL;
    b->n_groups = 0;
    b->prepared = QSV_NO_LAYER;
}

void qsv_bank_destroy(struct qsv_bank *b)
{
    if (!b)
        return;
    for (size_t i = 0; b->slots && i < b->model->graph.n_layers * QSV_N_FORMATS; i++) {
        free(b->slots[i].codes);
        free(b->slots[i].numbers);
        free(b->slots[i].correction);
    }
    forget_curvature(b);
    free(b->source);
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

/* H, or the covariance; *h is allocated. */
static enum qsv_status read_moments(const struct qsv_bank *b, uint32_t layer, size_t group,
                                    size_t k, double **h, struct qsv_error *err)
{
    double *mean = b->mean + group * k;
    size_t n;
    *h = qsv_mul_size(k, k, &n) && qsv_mul_size(n, sizeof **h, &n) ? qsv_alloc(n, 1) : NULL;
    if (!*h)
        return qsv_fail_memory(err, b->model->graph.layers[layer].name);
    enum qsv_status st =
        qsv_statistics_moments(b->statistics, layer, (uint32_t)group, *h, mean, err);
    for (size_t i = 0; !st && b->centred && i < k; i++)
        for (size_t j = 0; j < k; j++)
            (*h)[i * k + j] -= mean[i] * mean[j];
    return st;
}

static enum qsv_status prepare_group(struct qsv_bank *b, uint32_t layer, size_t group, size_t rows,
                                     size_t k, struct qsv_error *err)
{
    const float *weights =
        qsv_quantizer_needs_statistics(&b->quantizer) ? b->weights[layer] + group * rows * k : NULL;
    double *h;
    enum qsv_status st = read_moments(b, layer, group, k, &h, err);
    if (st) {
        free(h);
        return st;
    }
    if (b->spent && group + 1 == b->n_groups)
        qsv_statistics_forget(b->spent, layer);
    return qsv_curvature_init(&b->curvature[group], h, weights, rows, k, err);
}

/* Of all groups of the layer, unless they are at hand. */
static enum qsv_status prepare(struct qsv_bank *b, uint32_t layer, struct qsv_error *err)
{
    const struct qsv_layer *l = &b->model->graph.layers[layer];
    const size_t groups = l->groups > 1 ? l->out_ch : 1, k = weight_count(l) / l->out_ch;
    if (b->prepared == layer)
        return QSV_OK;
    forget_curvature(b);
    b->centred =
        qsv_quantizer_corrects(&b->quantizer) && qsv_fold_takes_constant(&b->model->graph, layer);
    b->curvature = qsv_alloc(groups, sizeof *b->curvature);
    b->mean = qsv_alloc(groups, k * sizeof *b->mean);
    if (!b->curvature || !b->mean) {
        forget_curvature(b);
        return qsv_fail_memory(err, l->name);
    }
    b->n_groups = groups;
    enum qsv_status st = QSV_OK;
    for (size_t g = 0; !st && g < groups; g++)
        st = prepare_group(b, layer, g, l->out_ch / groups, k, err);
    if (st) {
        forget_curvature(b);
        return qsv_fail_in(err, st, "%s: layer '%s'", b->model->path, l->name);
    }
    b->prepared = layer;
    return QSV_OK;
}

/* What the layer's weights are more than the entry's. */
static void subtract(double *difference, const struct qsv_bank_entry *e, const float *weights,
                     size_t n, size_t k)
{
    for (size_t i = 0; i < n; i++)
        difference[i] =
            (double)weights[i] -
            (e->codes ? (double)e->codes[i] * (double)e->scale[i / k] : (double)e->values[i]);
}

/* The mean of what a channel's output lacks: put into the entry where it has a correction, else a
 * part of the loss that a centred curvature does not know of. */
static double settle_mean(struct slot *s, const struct qsv_bank *b, const double *difference,
                          size_t channel, size_t k)
{
    const double *mean = b->mean + (b->n_groups > 1 ? channel * k : 0);
    double lacks = 0;
    for (size_t i = 0; b->centred && i < k; i++)
        lacks += difference[channel * k + i] * mean[i];
    if (!s->correction)
        return lacks * lacks;
    s->correction[channel] = (float)lacks;
    return 0;
}

/* The loss of what the entry's weights are instead of the model's, and the correction. */
static enum qsv_status measure_loss(struct slot *s, const struct qsv_bank *b, uint32_t layer,
                                    struct qsv_error *err)
{
    const struct qsv_layer *l = &b->model->graph.layers[layer];
    const size_t n = weight_count(l), k = n / l->out_ch, part = n / b->n_groups;
    double *difference = qsv_alloc_aligned(n, sizeof *difference), loss = 0;
    if (b->centred && s->codes)
        s->entry.correction = s->correction = qsv_alloc(l->out_ch, sizeof *s->correction);
    if (!difference || (b->centred && s->codes && !s->correction)) {
        free(difference);
        return qsv_fail_memory(err, l->name);
    }
    subtract(difference, &s->entry, b->weights[layer], n, k);
    enum qsv_status st = QSV_OK;
    s->entry.loss = 0;
    for (size_t g = 0; !st && g < b->n_groups; g++) {
        st = qsv_curvature_loss(&loss, &b->curvature[g], difference + g * part, err);
        s->entry.loss += loss;
    }
    for (size_t o = 0; o < l->out_ch; o++)
        s->entry.loss += settle_mean(s, b, difference, o, k);
    free(difference);
    return st;
}

static enum qsv_status allocate(struct slot *s, const struct qsv_layer *l, struct qsv_error *err)
{
    s->codes = qsv_alloc_aligned(weight_count(l), sizeof *s->codes);
    s->numbers = qsv_alloc_aligned(l->out_ch, sizeof *s->numbers);
    s->entry.codes = s->codes;
    s->entry.scale = s->numbers;
    return s->codes && s->numbers ? QSV_OK : qsv_fail_memory(err, l->name);
}

static enum qsv_status quantize(struct slot *s, const struct qsv_bank *b, uint32_t layer,
                                enum qsv_format format, struct qsv_error *err)
{
    const struct qsv_layer *l = &b->model->graph.layers[layer];
    const size_t groups = b->curvature ? b->n_groups : 1, rows = l->out_ch / groups,
                 k = weight_count(l) / l->out_ch;
    enum qsv_status st = allocate(s, l, err);
    for (size_t g = 0; !st && g < groups; g++)
        st = qsv_quantize_group(&b->quantizer, format, b->weights[layer] + g * rows * k, rows, k,
                                b->curvature ? &b->curvature[g] : NULL, s->codes + g * rows * k,
                                s->numbers + g * rows, err);
    return st;
}

static enum qsv_status fill_integer(struct slot *s, struct qsv_bank *b, uint32_t layer,
                                    enum qsv_format format, struct qsv_error *err)
{
    const char *name = b->model->graph.layers[layer].name;
    if (b->source)
        return qsv_fail(err, QSV_EINPUT, "%s: holds no %s codes of layer '%s'", b->source,
                        qsv_format_info(format)->name, name);
    if (!b->statistics && qsv_quantizer_needs_statistics(&b->quantizer))
        return qsv_fail(err, QSV_EINPUT,
                        "quantizer '%s' needs statistics of the layers' inputs, which qsvit "
                        "calibrate collects",
                        b->quantizer.name);
    enum qsv_status st = b->statistics ? prepare(b, layer, err) : QSV_OK;
    if (!st)
        st = quantize(s, b, layer, format, err);
    if (!st && b->statistics)
        st = measure_loss(s, b, layer, err);
    return st;
}

static enum qsv_status fill(struct slot *s, struct qsv_bank *b, uint32_t layer,
                            enum qsv_format format, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    s->entry.format = format;
    s->entry.loss = format == QSV_F32 ? 0 : NAN;
    if (format == QSV_F32)
        s->entry.values = b->weights[layer];
    else if (format != QSV_F16)
        st = fill_integer(s, b, layer, format, err);
    else
        st = halve(s, b, layer, err);
    if (!st && format == QSV_F16 && b->statistics) {
        st = prepare(b, layer, err);
        if (!st)
            st = measure_loss(s, b, layer, err);
    }
    if (!st)
        s->ready = true;
    return st;
}

static void empty(struct slot *s)
{
    free(s->codes);
    free(s->numbers);
    free(s->correction);
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

const struct qsv_quantizer *qsv_bank_quantizer(const struct qsv_bank *b)
{
    return &b->quantizer;
}

void qsv_bank_set_affine(struct qsv_bank *b, enum qsv_format affine)
{
    b->quantizer.affine = affine;
}

enum qsv_status qsv_bank_use_statistics(struct qsv_bank *b, const struct qsv_statistics *statistics,
                                        struct qsv_error *err)
{
    const uint64_t theirs = qsv_statistics_model(statistics)->hash;
    if (theirs != b->model->hash)
        return qsv_fail(err, QSV_EINPUT, "%s: is model %016llx, statistics are of %016llx",
                        b->model->path, (unsigned long long)b->model->hash,
                        (unsigned long long)theirs);
    b->statistics = statistics;
    return QSV_OK;
}

enum qsv_status qsv_bank_spend_statistics(struct qsv_bank *b, struct qsv_statistics *statistics,
                                          struct qsv_error *err)
{
    enum qsv_status st = qsv_bank_use_statistics(b, statistics, err);
    if (st)
        return st;
    b->spent = statistics;
    b->statistics_hash = qsv_statistics_hash(statistics);
    return b->statistics_hash ? QSV_OK : qsv_fail_memory(err, "statistics");
}

bool qsv_bank_has(const struct qsv_bank *b, uint32_t layer, enum qsv_format format)
{
    return b->slots[(size_t)layer * QSV_N_FORMATS + format].ready;
}

double qsv_bank_loss(const struct qsv_bank *b, uint32_t layer, enum qsv_format format)
{
    const struct slot *s = &b->slots[(size_t)layer * QSV_N_FORMATS + format];
    return s->ready ? s->entry.loss : NAN;
}

static enum qsv_status check_entry(const struct qsv_bank *b, uint32_t layer,
                                   const struct qsv_bank_entry *e, struct qsv_error *err)
{
    const struct qsv_format_info *f = qsv_format_info(e->format);
    const struct qsv_layer *l = &b->model->graph.layers[layer];
    if (qsv_bank_has(b, layer, e->format))
        return qsv_fail(err, QSV_EINPUT, "%s codes of layer '%s' are there already", f->name,
                        l->name);
    for (size_t i = 0; i < weight_count(l); i++)
        if (e->codes[i] < f->code_min || e->codes[i] > f->code_max ||
            (e->codes[i] - f->code_min) % f->code_step)
            return qsv_fail(err, QSV_EINPUT, "layer '%s': code %zu is %d, which is not one of %s's",
                            l->name, i, e->codes[i], f->name);
    for (size_t o = 0; o < l->out_ch; o++) {
        if (!isnormal(e->scale[o]))
            return qsv_fail(err, QSV_EINPUT, "layer '%s': the %s scale of channel %zu is %g",
                            l->name, f->name, o, (double)e->scale[o]);
        if (e->correction && !isfinite(e->correction[o]))
            return qsv_fail(err, QSV_EINPUT, "layer '%s': the %s correction of channel %zu is %g",
                            l->name, f->name, o, (double)e->correction[o]);
    }
    if (e->correction && !qsv_fold_takes_constant(&b->model->graph, layer))
        return qsv_fail(err, QSV_EINPUT,
                        "layer '%s' has nothing that a correction could be added to", l->name);
    return QSV_OK;
}

static enum qsv_status copy_entry(struct slot *s, const struct qsv_layer *l,
                                  const struct qsv_bank_entry *e, struct qsv_error *err)
{
    enum qsv_status st = allocate(s, l, err);
    s->entry.format = e->format;
    s->entry.loss = e->loss;
    if (!st && e->correction &&
        !(s->entry.correction = s->correction = qsv_alloc(l->out_ch, sizeof *s->correction)))
        st = qsv_fail_memory(err, l->name);
    if (st)
        return st;
    memcpy(s->codes, e->codes, weight_count(l) * sizeof *s->codes);
    memcpy(s->numbers, e->scale, l->out_ch * sizeof *s->numbers);
    if (e->correction)
        memcpy(s->correction, e->correction, l->out_ch * sizeof *s->correction);
    s->ready = true;
    return QSV_OK;
}

enum qsv_status qsv_bank_install(struct qsv_bank *b, uint32_t layer,
                                 const struct qsv_bank_entry *entry, struct qsv_error *err)
{
    assert(layer < b->model->graph.n_layers && qsv_format_info(entry->format)->integer);
    struct slot *s = &b->slots[(size_t)layer * QSV_N_FORMATS + entry->format];
    enum qsv_status st = check_entry(b, layer, entry, err);
    if (st)
        return st;
    st = copy_entry(s, &b->model->graph.layers[layer], entry, err);
    if (st)
        empty(s);
    return st;
}
