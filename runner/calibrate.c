#include "runner/calibrate.h"

#include <stdlib.h>

#include "core/base/alloc.h"
#include "runner/workbench.h"

struct work {
    const struct qsv_model *model;
    struct qsv_bank *bank;
    struct qsv_network *network;
    struct qsv_engine *engine;
    uint32_t batch;
    uint8_t *pixels;  /* [batch][h][w][c] */
    uint32_t *labels; /* [batch] */
    float *logits;    /* [batch][classes] */
};

static void work_fini(struct work *w)
{
    qsv_engine_destroy(w->engine);
    qsv_network_destroy(w->network);
    qsv_bank_destroy(w->bank);
    free(w->pixels);
    free(w->labels);
    free(w->logits);
}

static enum qsv_status work_init(struct work *w, const struct qsv_model *m,
                                 const struct qsv_images *images, struct qsv_error *err)
{
    const struct qsv_quantizer any = {qsv_quantizer_find("round"), QSV_SCALE_MAX, QSV_F32};
    uint8_t *f32 = qsv_alloc(m->graph.n_layers, 1); /* QSV_F32 is 0 */
    *w = (struct work){.model = m, .batch = qsv_workbench_batch(m)};
    w->pixels = qsv_alloc(w->batch, qsv_images_bytes(images));
    w->labels = qsv_alloc(w->batch, sizeof *w->labels);
    w->logits = qsv_alloc(w->batch, m->classes * sizeof *w->logits);
    enum qsv_status st =
        f32 && w->pixels && w->labels && w->logits ? QSV_OK : qsv_fail_memory(err, "calibration");
    if (!st)
        st = qsv_bank_create(&w->bank, m, &any, err);
    if (!st)
        st = qsv_network_create(&w->network, m, w->bank, f32, err);
    if (!st)
        st = qsv_engine_create(&w->engine, m, w->batch, err);
    free(f32);
    return st;
}

static enum qsv_status run_batch(struct work *w, struct qsv_images *images, const uint32_t *numbers,
                                 uint32_t n, const struct qsv_stop *stop, struct qsv_error *err)
{
    struct qsv_engine_output out = {.logits = w->logits};
    enum qsv_status st = qsv_images_read(images, numbers, n, w->pixels, w->labels, err);
    return st ? st
              : qsv_engine_run(w->engine, w->pixels, n, &w->network, 1, &out, NULL,
                               stop ? stop->flag : NULL, err);
}

enum qsv_status qsv_calibrate(struct qsv_statistics *s, struct qsv_images *images,
                              uint64_t fingerprint, const uint32_t *numbers, uint32_t n,
                              const struct qsv_stop *stop, struct qsv_error *err)
{
    struct work w;
    const struct qsv_engine_observer face = qsv_statistics_observer(s);
    enum qsv_status st = work_init(&w, qsv_statistics_model(s), images, err);
    if (!st)
        qsv_engine_observe(w.engine, &face);
    if (!st && stop && stop->asked)
        qsv_engine_watch(w.engine, stop->asked, stop->context);
    for (uint32_t at = 0; !st && at < n; at += w.batch)
        st = run_batch(&w, images, numbers + at, n - at < w.batch ? n - at : w.batch, stop, err);
    if (!st)
        st = qsv_statistics_note(s, fingerprint, numbers, n, err);
    work_fini(&w);
    return st;
}
