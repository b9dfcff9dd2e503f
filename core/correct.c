#include "core/correct.h"

#include <stdlib.h>

#include "core/base/alloc.h"

static float *vector_of(struct qsv_tensors *t, const char *name, const char *part)
{
    const struct qsv_tensor *found = qsv_tensors_findf(t, "%s.%s", name, part);
    return found ? (float *)(void *)found->data : NULL;
}

/* What constants before a layer become behind it. */
static enum qsv_status pass_through(double **constant, const float *weight,
                                    const struct qsv_layer *l, struct qsv_error *err)
{
    const size_t taps = (size_t)l->kernel * l->kernel;
    double *out = qsv_alloc(l->out_ch, sizeof *out);
    if (!out)
        return qsv_fail_memory(err, l->name);
    for (uint32_t o = 0; *constant && o < l->out_ch; o++)
        for (uint32_t c = 0; c < l->in_ch; c++)
            for (size_t t = 0; t < taps; t++)
                out[o] += (double)*weight++ * (*constant)[l->groups > 1 ? o : c];
    free(*constant);
    *constant = out;
    return QSV_OK;
}

static bool settle(double *constant, struct qsv_tensors *t, const struct qsv_graph *g,
                   uint32_t layer)
{
    const struct qsv_layer *l = &g->layers[layer];
    const struct qsv_link *link = &g->links[layer];
    float *bias = l->has_bias ? vector_of(t, l->name, "bias") : NULL;
    float *mean =
        link->n_norms ? vector_of(t, g->norms[link->norms[0]].name, "running_mean") : NULL;
    if (!bias && !mean)
        return false;
    for (uint32_t o = 0; o < l->out_ch; o++) {
        if (bias)
            bias[o] = (float)((double)bias[o] + constant[o]);
        else
            mean[o] = (float)((double)mean[o] - constant[o]);
        constant[o] = 0;
    }
    return true;
}

static enum qsv_status correct_chain(struct qsv_tensors *t, const struct qsv_graph *g,
                                     const struct qsv_bank_entry *const *entries, uint32_t first,
                                     struct qsv_error *err)
{
    double *constant = NULL;
    enum qsv_status st = QSV_OK;
    bool waits = false; /* a correction that is not settled yet */
    for (uint32_t l = first; !st && l != QSV_NO_LAYER; l = g->links[l].next) {
        const float *correction = entries[l]->correction;
        st = pass_through(&constant, vector_of(t, g->layers[l].name, "weight"), &g->layers[l], err);
        for (uint32_t o = 0; !st && correction && o < g->layers[l].out_ch; o++)
            constant[o] += (double)correction[o];
        waits = waits || correction;
        waits = !st && waits && !settle(constant, t, g, l);
        if (waits && g->links[l].next == QSV_NO_LAYER)
            st = qsv_fail(err, QSV_EINPUT,
                          "layer '%s' has no norm or bias that could take its correction",
                          g->layers[l].name);
    }
    free(constant);
    return st;
}

enum qsv_status qsv_correct_tensors(struct qsv_tensors *tensors, const struct qsv_graph *graph,
                                    const struct qsv_bank_entry *const *entries,
                                    struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (uint32_t l = 0; !st && l < graph->n_layers; l++)
        if (graph->links[l].previous == QSV_NO_LAYER)
            st = correct_chain(tensors, graph, entries, l, err);
    return st;
}
