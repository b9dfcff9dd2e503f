#include "core/engine/weights.h"

#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/kernels/kernels.h"

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

static void transpose(struct qsv_weights *w, const struct qsv_layer *l,
                      const struct qsv_bank_entry *e)
{
    size_t taps = (size_t)l->kernel * l->kernel, i = 0;
    for (uint32_t o = 0; o < l->out_ch; o++)
        for (uint32_t c = 0; c < l->in_ch; c++)
            for (size_t t = 0; t < taps; t++, i++) {
                size_t at = (t * l->in_ch + c) * w->width + o;
                if (w->codes)
                    w->codes[at] = e->codes[i];
                else
                    w->values[at] = e->codes ? (float)e->codes[i] : e->values[i];
            }
}

enum qsv_status qsv_weights_init(struct qsv_weights *w, const struct qsv_layer *layer,
                                 const struct qsv_bank_entry *entry, struct qsv_error *err)
{
    size_t rows = (size_t)layer->kernel * layer->kernel * layer->in_ch, cells;
    bool integer = entry->codes && layer->spike_input && layer->groups == 1;
    *w = (struct qsv_weights){0};
    w->width = round_up(layer->out_ch, integer ? QSV_ROW_LANES : QSV_LANES);
    if (!qsv_mul_size(rows, w->width, &cells))
        return qsv_fail_memory(err, layer->name);
    if (integer)
        w->codes = qsv_alloc_aligned(cells, 1);
    else
        w->values = qsv_alloc_aligned(cells, sizeof *w->values);
    if (!w->codes && !w->values)
        return qsv_fail_memory(err, layer->name);
    transpose(w, layer, entry);
    w->code_max = 1;
    for (size_t i = 0; integer && i < layer->n_weights; i++)
        w->code_max = abs(entry->codes[i]) > w->code_max ? abs(entry->codes[i]) : w->code_max;
    return QSV_OK;
}
