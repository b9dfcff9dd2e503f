#include "core/refit.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/fold.h"

enum { REPEATS = 4 };

struct qsv_refit {
    const struct qsv_model *model;
    const uint8_t *formats;
    struct qsv_bank_entry *copies;         /* [n_layers] */
    const struct qsv_bank_entry **entries; /* [n_layers]: these */
    float **rows;                          /* [n_layers]: scales or values of a copy; NULL: f32 */
    float **corrections;                   /* [n_layers] */
    float **multiplier, **shift;           /* [n_layers][out_ch]: working memory of a fold */
};

static void free_each(float **v, size_t n)
{
    for (size_t i = 0; v && i < n; i++)
        free(v[i]);
    free(v);
}

void qsv_refit_destroy(struct qsv_refit *r)
{
    if (!r)
        return;
    const size_t n = r->model->graph.n_layers;
    free_each(r->rows, n);
    free_each(r->corrections, n);
    free_each(r->multiplier, n);
    free_each(r->shift, n);
    free(r->copies);
    free(r->entries);
    free(r);
}

const struct qsv_bank_entry *const *qsv_refit_entries(const struct qsv_refit *r)
{
    return r->entries;
}

/* What is stored behind f32 weights is exact (qsv_affine_of). */
static bool is_rounded(const struct qsv_refit *r, uint32_t l)
{
    return r->formats[l] != QSV_F32;
}

static bool allocate_layer(struct qsv_refit *r, uint32_t l)
{
    const struct qsv_layer *layer = &r->model->graph.layers[l];
    const struct qsv_bank_entry *e = &r->copies[l];
    const size_t rows = e->values ? (size_t)layer->n_weights : layer->out_ch;
    if (is_rounded(r, l))
        r->rows[l] = qsv_alloc(rows, sizeof(float));
    r->corrections[l] = qsv_alloc(layer->out_ch, sizeof(float));
    r->multiplier[l] = qsv_alloc(layer->out_ch, sizeof(float));
    r->shift[l] = qsv_alloc(layer->out_ch, sizeof(float));
    return (r->rows[l] || !is_rounded(r, l)) && r->corrections[l] && r->multiplier[l] &&
           r->shift[l];
}

static struct qsv_refit *allocate(const struct qsv_model *model,
                                  const struct qsv_bank_entry *const *entries,
                                  const uint8_t *formats)
{
    const size_t n = model->graph.n_layers;
    struct qsv_refit *r = qsv_alloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->model = model;
    r->formats = formats;
    r->copies = qsv_alloc(n, sizeof *r->copies);
    r->entries = qsv_alloc(n, sizeof *r->entries);
    r->rows = qsv_alloc(n, sizeof *r->rows);
    r->corrections = qsv_alloc(n, sizeof *r->corrections);
    r->multiplier = qsv_alloc(n, sizeof *r->multiplier);
    r->shift = qsv_alloc(n, sizeof *r->shift);
    bool ok = r->copies && r->entries && r->rows && r->corrections && r->multiplier && r->shift;
    for (uint32_t l = 0; ok && l < n; l++) {
        r->copies[l] = *entries[l];
        r->entries[l] = &r->copies[l];
        ok = allocate_layer(r, l);
    }
    if (ok)
        return r;
    qsv_refit_destroy(r);
    return NULL;
}

static enum qsv_status fold(struct qsv_refit *r, uint32_t first, struct qsv_error *err)
{
    return qsv_fold_chain(r->model, r->entries, r->formats, first, r->multiplier, r->shift, err);
}

/* Rows of a layer whose multiplier is stored; r->multiplier is the exact one. */
static void scale_rows(struct qsv_refit *r, uint32_t l, const float *stored)
{
    const struct qsv_layer *layer = &r->model->graph.layers[l];
    struct qsv_bank_entry *e = &r->copies[l];
    const size_t n = e->values ? (size_t)(layer->n_weights / layer->out_ch) : 1;
    const float *from = e->values ? e->values : e->scale;
    for (uint32_t o = 0; o < layer->out_ch; o++) {
        const double exact = (double)r->multiplier[l][o];
        const double by = exact != 0 ? (double)stored[o] / exact : 1;
        for (size_t i = o * n; i < (o + 1) * n; i++)
            r->rows[l][i] = (float)(by * (double)from[i]);
    }
    if (e->values)
        e->values = r->rows[l];
    else
        e->scale = r->rows[l];
}

static void take_correction(struct qsv_refit *r, uint32_t l)
{
    const float *before = r->copies[l].correction;
    if (before)
        memcpy(r->corrections[l], before, r->model->graph.layers[l].out_ch * sizeof *before);
    r->copies[l].correction = r->corrections[l];
}

/* The shift grows with the correction in proportion; by how much, a correction of 1 more says, as
 * well as f32 can tell. So what is left is corrected again. */
static enum qsv_status correct_shift(struct qsv_refit *r, uint32_t first, uint32_t last,
                                     const float *stored, struct qsv_error *err)
{
    const uint32_t n = r->model->graph.layers[last].out_ch;
    const float *is = r->shift[last];
    float *correction = r->corrections[last], *slope = qsv_alloc(n, sizeof *slope);
    if (!slope)
        return qsv_fail_memory(err, r->model->graph.layers[last].name);
    take_correction(r, last);
    for (uint32_t o = 0; o < n; o++)
        correction[o] += 1;
    enum qsv_status st = fold(r, first, err);
    memcpy(slope, is, n * sizeof *is);
    for (uint32_t o = 0; o < n; o++)
        correction[o] -= 1;
    for (int k = 0; !st && k < REPEATS; k++) {
        st = fold(r, first, err);
        for (uint32_t o = 0; !st && o < n; o++) {
            slope[o] -= k ? 0 : is[o];
            correction[o] += slope[o] != 0 ? (stored[o] - is[o]) / slope[o] : 0;
        }
    }
    free(slope);
    return st;
}

static enum qsv_status refit_chain(struct qsv_refit *r, uint32_t first, float *const *multiplier,
                                   float *const *shift, struct qsv_error *err)
{
    uint32_t last = first;
    enum qsv_status st = fold(r, first, err);
    for (uint32_t l = first; !st && l != QSV_NO_LAYER; l = r->model->graph.links[l].next) {
        if (multiplier[l] && is_rounded(r, l))
            scale_rows(r, l, multiplier[l]);
        last = l;
    }
    if (!st && shift[last])
        st = correct_shift(r, first, last, shift[last], err);
    return st;
}

enum qsv_status qsv_refit_create(struct qsv_refit **out, const struct qsv_model *model,
                                 const struct qsv_bank_entry *const *entries,
                                 const uint8_t *formats, float *const *multiplier,
                                 float *const *shift, struct qsv_error *err)
{
    struct qsv_refit *r = allocate(model, entries, formats);
    enum qsv_status st = r ? QSV_OK : qsv_fail_memory(err, "a network in a checkpoint's terms");
    for (uint32_t l = 0; !st && l < model->graph.n_layers; l++)
        if (model->graph.links[l].previous == QSV_NO_LAYER)
            st = refit_chain(r, l, multiplier, shift, err);
    if (st) {
        qsv_refit_destroy(r);
        r = NULL;
    }
    *out = r;
    return st;
}
