/* Bank files: values of one that is good are changed (h5.h), and every entry that it still has is
 * used.
 */
#include "core/bank.h"
#include "tests/fuzz/model.h"

static const enum qsv_format formats[] = {QSV_INT4, QSV_TERNARY};
enum { N_FORMATS = 2, N_LAYERS = 12 };

static struct qsv_model *model;
static struct fuzz_h5 *good;

static enum qsv_status save(const char *path, struct qsv_error *err)
{
    static const struct qsv_quantizer by_max = {"round", QSV_SCALE_MAX, QSV_F32};
    const struct qsv_bank_entry *entry;
    struct qsv_bank *b;
    enum qsv_status st = qsv_bank_create(&b, model, &by_max, err);
    for (uint32_t i = 0; !st && i < N_LAYERS * N_FORMATS; i++)
        st = qsv_bank_get(&entry, b, i / N_FORMATS, formats[i % N_FORMATS], err);
    if (!st)
        st = qsv_bank_save(b, path, err);
    qsv_bank_destroy(b);
    return st;
}

static void use(struct qsv_bank *b)
{
    for (uint32_t i = 0; i < N_LAYERS * QSV_N_FORMATS; i++) {
        const struct qsv_bank_entry *e;
        const struct qsv_layer *l = &model->graph.layers[i / QSV_N_FORMATS];
        if (!qsv_bank_has(b, i / QSV_N_FORMATS, (enum qsv_format)(i % QSV_N_FORMATS)))
            continue;
        struct qsv_error err = {0};
        FUZZ_NEED(
            !qsv_bank_get(&e, b, i / QSV_N_FORMATS, (enum qsv_format)(i % QSV_N_FORMATS), &err));
        if (e->codes)
            fuzz_touch(e->codes, (size_t)l->n_weights);
        if (e->scale)
            fuzz_touch(e->scale, l->out_ch * sizeof *e->scale);
        if (e->correction)
            fuzz_touch(e->correction, l->out_ch * sizeof *e->correction);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qsv_bank *b = NULL;
    struct qsv_error err = {0};
    if (!good) {
        model = load_tiny();
        good = load_saved(save);
    }
    const char *path = fuzz_h5_change(good, 0, data, size);
    if (fuzz_accepted(qsv_bank_load(&b, model, path, &err), &err, QSV_OK))
        use(b);
    FUZZ_NEED(b || size);
    qsv_bank_destroy(b);
    return 0;
}
