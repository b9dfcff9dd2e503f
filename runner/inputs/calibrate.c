#include "runner/inputs/calibrate.h"

#include <stdlib.h>

#include "core/base/alloc.h"
#include "runner/inputs/ahead.h"
#include "runner/inputs/images.h"

enum { AHEAD_BYTES = 1 << 26 };

struct work {
    const struct qsv_model *model;
    struct qsv_bank *bank;
    struct qsv_network *network;
    struct qsv_engine *engine;
    uint32_t batch;
    struct qsv_images *images;
    const uint32_t *numbers; /* [n] */
    uint32_t n;
    struct qsv_ahead *ahead;
    float *logits; /* [batch][classes] */
};

static void work_fini(struct work *w)
{
    qsv_engine_destroy(w->engine);
    qsv_network_destroy(w->network);
    qsv_bank_destroy(w->bank);
    qsv_ahead_destroy(w->ahead);
    free(w->logits);
}

static struct qsv_portion find_batch(void *context, uint64_t k)
{
    const struct work *w = context;
    const uint32_t at = (uint32_t)k * w->batch, left = w->n - at;
    return (struct qsv_portion){w->images, w->numbers + at, left < w->batch ? left : w->batch};
}

static enum qsv_status begin_reading(struct work *w, struct qsv_error *err)
{
    const struct qsv_ahead_setup setup = {w, find_batch, qsv_ahead_threads(1), AHEAD_BYTES};
    enum qsv_status st = qsv_ahead_create(&w->ahead, &setup, err);
    for (uint32_t at = 0; !st && at < w->n; at += w->batch)
        qsv_ahead_expect(w->ahead, at / w->batch);
    return st;
}

static enum qsv_status work_init(struct work *w, const struct qsv_model *m, struct qsv_error *err)
{
    const struct qsv_quantizer any = {qsv_quantizer_find("round"), QSV_SCALE_MAX, QSV_F32};
    uint8_t *f32 = qsv_alloc(m->graph.n_layers, 1); /* QSV_F32 is 0 */
    w->model = m;
    w->batch = qsv_images_batch(m);
    w->logits = qsv_alloc(w->batch, m->classes * sizeof *w->logits);
    enum qsv_status st = f32 && w->logits ? QSV_OK : qsv_fail_memory(err, "calibration");
    if (!st)
        st = qsv_bank_create(&w->bank, m, &any, err);
    if (!st)
        st = qsv_network_create(&w->network, m, w->bank, f32, err);
    if (!st)
        st = qsv_engine_create(&w->engine, m, w->batch, err);
    if (!st)
        st = begin_reading(w, err);
    free(f32);
    return st;
}

static enum qsv_status run_batch(struct work *w, uint32_t k, const struct qsv_stop *stop,
                                 struct qsv_error *err)
{
    const volatile sig_atomic_t *flag = stop ? stop->flag : NULL;
    struct qsv_engine_output out = {.logits = w->logits};
    struct qsv_pixels batch;
    enum qsv_status st = qsv_ahead_take(w->ahead, k, &batch, flag, err);
    if (!st)
        st =
            qsv_engine_run(w->engine, batch.pixels, batch.n, &w->network, 1, &out, NULL, flag, err);
    qsv_pixels_fini(&batch);
    return st;
}

enum qsv_status qsv_calibrate(struct qsv_statistics *s, struct qsv_images *images,
                              uint64_t fingerprint, const uint32_t *numbers, uint32_t n,
                              const struct qsv_stop *stop, struct qsv_error *err)
{
    struct work w = {.images = images, .numbers = numbers, .n = n};
    const struct qsv_engine_observer face = qsv_statistics_observer(s);
    enum qsv_status st = work_init(&w, qsv_statistics_model(s), err);
    if (!st)
        qsv_engine_observe(w.engine, &face);
    if (!st && stop && stop->asked)
        qsv_engine_watch(w.engine, stop->asked, stop->context);
    for (uint32_t at = 0; !st && at < n; at += w.batch)
        st = run_batch(&w, at / w.batch, stop, err);
    if (!st)
        st = qsv_statistics_note(s, fingerprint, numbers, n, err);
    work_fini(&w);
    return st;
}
