#include "core/engine/weights.h"

#include <stdlib.h>

#include "core/base/alloc.h"

enum { ROW_LANES = 16 };

void qsv_weights_fini(struct qsv_weights *w)
{
    qsv_code_weights_fini(&w->sums);
    free(w->codes);
    free(w->values);
    *w = (struct qsv_weights){0};
}

static uint32_t round_up(uint32_t n, uint32_t to)
{
    return (n + to - 1) / to * to;
}

static float value_of(const struct qsv_bank_entry *e, size_t i)
{
    return e->codes ? (float)e->codes[i] : e->values[i];
}

static void copy_codes(struct qsv_weights *w, const struct qsv_layer *l,
                       const struct qsv_bank_entry *e)
{
    w->code_max = 1;
    for (size_t i = 0; i < l->n_weights; i++) {
        w->codes[i] = e->codes[i];
        w->code_max = abs(e->codes[i]) > w->code_max ? abs(e->codes[i]) : w->code_max;
    }
}

static void lay_out_values(struct qsv_weights *w, const struct qsv_layer *l,
                           const struct qsv_bank_entry *e)
{
    const size_t taps = (size_t)l->kernel * l->kernel, k_all = taps * l->in_ch;
    size_t i = 0;
    for (size_t o = 0; o < l->out_ch; o++)
        for (size_t c = 0; c < l->in_ch; c++)
            for (size_t t = 0; t < taps; t++, i++) {
                const size_t k = t * l->in_ch + c;
                const size_t at = l->groups > 1    ? o * taps + t
                                  : l->spike_input ? k * w->width + o
                                                   : (o / 4 * k_all + k) * 4 + o % 4;
                w->values[at] = value_of(e, i);
            }
}

static enum qsv_status init_values(struct qsv_weights *w, const struct qsv_layer *l,
                                   const struct qsv_bank_entry *entry, struct qsv_error *err)
{
    size_t cells;
    w->width = round_up(l->out_ch, ROW_LANES);
    if (qsv_mul_size((size_t)l->kernel * l->kernel * l->in_ch, w->width, &cells))
        w->values = qsv_alloc_aligned(cells, sizeof *w->values);
    if (!w->values)
        return qsv_fail_memory(err, l->name);
    lay_out_values(w, l, entry);
    return QSV_OK;
}

uint64_t qsv_weights_bytes(const struct qsv_layer *layer, enum qsv_format format,
                           const struct qsv_kernels *kernels)
{
    const bool codes = qsv_format_info(format)->integer && layer->spike_input;
    const uint64_t k = (uint64_t)layer->kernel * layer->kernel * layer->in_ch;
    if (format == QSV_NONE)
        return 0;
    if (codes && layer->groups == 1)
        return qsv_code_weights_bytes(kernels, format, layer->out_ch, layer->in_ch,
                                      layer->kernel * layer->kernel);
    if (codes && layer->kernel <= QSV_MAX_WINDOW)
        return layer->n_weights;
    return k * round_up(layer->out_ch, ROW_LANES) * sizeof(float);
}

enum qsv_status qsv_weights_init(struct qsv_weights *w, const struct qsv_layer *layer,
                                 const struct qsv_bank_entry *entry,
                                 const struct qsv_kernels *kernels, struct qsv_error *err)
{
    const bool codes = entry->codes && layer->spike_input;
    enum qsv_status st = QSV_OK;
    *w = (struct qsv_weights){0};
    if (entry->format == QSV_NONE) {
        w->left_out = true;
    } else if (codes && layer->groups == 1) {
        st = qsv_code_weights_init(&w->sums, kernels, entry->codes, layer->out_ch, layer->in_ch,
                                   layer->kernel * layer->kernel, layer->name, err);
    } else if (codes && layer->kernel <= QSV_MAX_WINDOW) {
        w->codes = qsv_alloc_aligned((size_t)layer->n_weights, 1);
        if (!w->codes)
            return qsv_fail_memory(err, layer->name);
        copy_codes(w, layer, entry);
    } else {
        st = init_values(w, layer, entry, err);
    }
    w->made = !st;
    return st;
}
