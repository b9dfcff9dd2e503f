/* Statistics files: values of one that is good are changed (h5.h). */
#include <string.h>

#include "core/bank.h"
#include "core/engine.h"
#include "core/network.h"
#include "core/statistics.h"
#include "tests/fuzz/model.h"

enum { MAX_IMAGE = 32 * 32 };

static struct qsv_model *model;
static struct fuzz_h5 *good;

/* Of one image, whose pixels count up. */
static enum qsv_status collect(struct qsv_statistics *s, struct qsv_engine *e,
                               struct qsv_network *n, struct qsv_error *err)
{
    static uint8_t pixels[MAX_IMAGE];
    float logits[16];
    const struct qsv_engine_observer observer = qsv_statistics_observer(s);
    struct qsv_engine_output out = {.logits = logits};
    for (int i = 0; i < MAX_IMAGE; i++)
        pixels[i] = (uint8_t)i;
    qsv_engine_observe(e, &observer);
    enum qsv_status st = qsv_engine_run(e, pixels, 1, &n, 1, &out, NULL, NULL, err);
    return st ? st : qsv_statistics_note(s, 7, (uint32_t[]){0}, 1, err);
}

static enum qsv_status save(const char *path, struct qsv_error *err)
{
    static const struct qsv_quantizer by_max = {"round", QSV_SCALE_MAX, QSV_F32};
    static uint8_t f32[1024];
    static bool taken[1024] = {[0] = true, [1] = true, [2] = true, [3] = true};
    struct qsv_bank *b = NULL;
    struct qsv_network *n = NULL;
    struct qsv_engine *e = NULL;
    struct qsv_statistics *s = NULL;
    FUZZ_NEED(model->graph.n_layers <= sizeof f32 && model->classes <= 16);
    enum qsv_status st = qsv_bank_create(&b, model, &by_max, err);
    if (!st)
        st = qsv_network_create(&n, model, b, f32, err);
    if (!st)
        st = qsv_engine_create(&e, model, 1, err);
    if (!st)
        st = qsv_statistics_create(&s, model, taken, err);
    if (!st)
        st = collect(s, e, n, err);
    if (!st)
        st = qsv_statistics_save(s, path, err);
    qsv_statistics_destroy(s);
    qsv_engine_destroy(e);
    qsv_network_destroy(n);
    qsv_bank_destroy(b);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qsv_statistics *s = NULL;
    struct qsv_error err = {0};
    if (!good) {
        model = load_tiny();
        good = load_saved(save);
    }
    const char *path = fuzz_h5_change(good, 0, data, size);
    if (fuzz_accepted(qsv_statistics_load(&s, model, path, &err), &err, QSV_OK))
        FUZZ_NEED(qsv_statistics_hash(s));
    FUZZ_NEED(s || size);
    qsv_statistics_destroy(s);
    return 0;
}
