#include "core/engine/weights.h"

#include <stdlib.h>

#include "core/base/alloc.h"

enum { ROW_LANES = 16 };

void qsv_weights_fini(struct qsv_weights *w)
{
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

/* [out][taps][groups x index_bits] */
static void lay_out_codes(struct qsv_weights *w, const struct qsv_layer *l,
                          const struct qsv_bank_entry *e, uint32_t padded)
{
    const size_t taps = (size_t)l->kernel * l->kernel;
    size_t i = 0;
    w->code_max = 1;
    for (size_t o = 0; o < l->out_ch; o++)
        for (size_t c = 0; c < l->in_ch; c++)
            for (size_t t = 0; t < taps; t++, i++) {
                w->codes[(o * taps + t) * padded + c] = e->codes[i];
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

enum qsv_status qsv_weights_init(struct qsv_weights *w, const struct qsv_layer *layer,
                                 const struct qsv_bank_entry *entry, uint32_t index_bits,
                                 struct qsv_error *err)
{
    const size_t k = (size_t)layer->kernel * layer->kernel;
    const bool codes = entry->codes && layer->spike_input &&
                       (layer->groups == 1 || layer->kernel <= QSV_MAX_WINDOW);
    const uint32_t in =
        codes && layer->groups == 1 ? round_up(layer->in_ch, index_bits) : layer->in_ch;
    size_t cells;
    *w = (struct qsv_weights){0};
    w->width = round_up(layer->out_ch, ROW_LANES);
    if (!qsv_mul_size(k * in, w->width, &cells))
        return qsv_fail_memory(err, layer->name);
    if (codes)
        w->codes = qsv_alloc_aligned(cells, 1);
    else
        w->values = qsv_alloc_aligned(cells, sizeof *w->values);
    if (!w->codes && !w->values)
        return qsv_fail_memory(err, layer->name);
    if (codes)
        lay_out_codes(w, layer, entry, in);
    else
        lay_out_values(w, layer, entry);
    w->made = true;
    return QSV_OK;
}
