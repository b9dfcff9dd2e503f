#include "runner/inputs/loaded.h"

#include <stdlib.h>

#include "core/base/alloc.h"

enum qsv_status qsv_loaded_open(struct qsv_loaded *x, const char *path, struct qsv_error *err)
{
    *x = (struct qsv_loaded){0};
    return qsv_model_load(&x->model, path, err);
}

static enum qsv_status build_from_source(struct qsv_loaded *x, const uint8_t *formats,
                                         const struct qsv_quantizer *quantizer,
                                         struct qsv_error *err)
{
    uint8_t *f32 = qsv_alloc(x->model->graph.n_layers, 1); /* QSV_F32 is 0 */
    if (!f32)
        return qsv_fail_memory(err, x->model->path);
    enum qsv_status st = x->bank ? QSV_OK : qsv_bank_create(&x->bank, x->model, quantizer, err);
    if (!st) {
        qsv_bank_set_affine(x->bank, quantizer->affine);
        st = qsv_network_create(&x->network, x->model, x->bank, formats ? formats : f32, err);
    }
    free(f32);
    return st;
}

enum qsv_status qsv_loaded_build(struct qsv_loaded *x, const uint8_t *formats,
                                 const struct qsv_quantizer *quantizer, struct qsv_error *err)
{
    if (!x->model->folded)
        return build_from_source(x, formats, quantizer, err);
    if (formats)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: is quantized already; formats can be chosen for the model that it was "
                        "made from",
                        x->model->path);
    return qsv_network_create_folded(&x->network, x->model, err);
}

void qsv_loaded_fini(struct qsv_loaded *x)
{
    qsv_network_destroy(x->network);
    qsv_bank_destroy(x->bank);
    qsv_model_destroy(x->model);
    *x = (struct qsv_loaded){0};
}
