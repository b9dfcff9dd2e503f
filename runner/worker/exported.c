#include "runner/worker/exported.h"

#include <string.h>

void qsv_exported_fini(struct qsv_exported *x)
{
    qsv_engine_destroy(x->engine);
    qsv_loaded_fini(&x->loaded);
    *x = (struct qsv_exported){0};
}

/* The file stands for the model, so everything but the weights must be as it is there. */
static enum qsv_status check(const struct qsv_model *is, const struct qsv_model *expected,
                             struct qsv_error *err)
{
    const struct qsv_graph *a = &is->graph, *b = &expected->graph;
    if (a->n_layers == b->n_layers && a->n_lifs == b->n_lifs &&
        a->n_attentions == b->n_attentions && is->classes == expected->classes &&
        !memcmp(&is->options.input, &expected->options.input, sizeof is->options.input))
        return QSV_OK;
    return qsv_fail(err, QSV_EFAILED, "%s: is not made from %s", is->path, expected->path);
}

static enum qsv_status load(struct qsv_exported *x, const char *path, const struct qsv_model *model,
                            uint32_t max_batch, uint32_t threads, struct qsv_error *err)
{
    /* An exported file is quantized, or f32 throughout: nothing is left to be rounded. */
    static const struct qsv_quantizer unused = {"round", QSV_SCALE_MSE, QSV_F32};
    enum qsv_status st = qsv_loaded_open(&x->loaded, path, err);
    if (!st)
        st = check(x->loaded.model, model, err);
    if (!st)
        st = qsv_loaded_build(&x->loaded, NULL, &unused, err);
    if (!st)
        st = qsv_engine_create(&x->engine, x->loaded.model, max_batch, err);
    return st ? st : qsv_engine_use_threads(x->engine, threads, err);
}

enum qsv_status qsv_exported_load(struct qsv_exported *x, const char *path, uint64_t trial_id,
                                  const struct qsv_model *model, uint32_t max_batch,
                                  uint32_t threads, struct qsv_error *err)
{
    if (x->trial_id == trial_id)
        return QSV_OK;
    qsv_exported_fini(x);
    enum qsv_status st = load(x, path, model, max_batch, threads, err);
    if (st)
        qsv_exported_fini(x);
    else
        x->trial_id = trial_id;
    return st;
}
