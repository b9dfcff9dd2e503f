/* The small models of tests/data/golden with an engine and seeded random images. Included after
 * cmocka.h. */
#ifndef QSV_TEST_GOLDEN_MODEL_H
#define QSV_TEST_GOLDEN_MODEL_H

#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/engine.h"

#define OK(call)                                                                                   \
    do {                                                                                           \
        struct qsv_error err = {0};                                                                \
        if (call)                                                                                  \
            fail_msg("%s: %s", #call, err.text);                                                   \
    } while (0)

enum { GOLDEN_IMAGES = 5 };

struct golden {
    struct qsv_model *model;
    struct qsv_bank *bank;
    struct qsv_network *network; /* f32 */
    struct qsv_engine *engine;
    uint8_t *pixels; /* [GOLDEN_IMAGES][h][w][c] */
    size_t image_bytes;
};

static inline void golden_open(struct golden *g, const char *net)
{
    static const struct qsv_quantizer round = {"round", QSV_SCALE_MSE, QSV_F32};
    char path[128];
    struct qsv_rng r;
    memset(g, 0, sizeof *g);
    snprintf(path, sizeof path, "tests/data/golden/%s_model.h5", net);
    OK(qsv_model_load(&g->model, path, &err));
    OK(qsv_bank_create(&g->bank, g->model, &round, &err));
    OK(qsv_engine_create(&g->engine, g->model, GOLDEN_IMAGES, &err));
    uint8_t *f32 = qsv_alloc(g->model->graph.n_layers, 1);
    OK(qsv_network_create(&g->network, g->model, g->bank, f32, &err));
    free(f32);
    const struct qsv_shape in = g->model->options.input;
    g->image_bytes = (size_t)in.c * in.h * in.w;
    g->pixels = qsv_alloc(GOLDEN_IMAGES, g->image_bytes);
    qsv_rng_seed(&r, 17);
    for (size_t i = 0; i < GOLDEN_IMAGES * g->image_bytes; i++)
        g->pixels[i] = (uint8_t)qsv_rng_below(&r, 256);
}

static inline void golden_close(struct golden *g)
{
    free(g->pixels);
    qsv_network_destroy(g->network);
    qsv_engine_destroy(g->engine);
    qsv_bank_destroy(g->bank);
    qsv_model_destroy(g->model);
}

static inline void golden_run(struct golden *g, uint32_t first, uint32_t n)
{
    float logits[GOLDEN_IMAGES * 64];
    struct qsv_engine_output out = {.logits = logits};
    assert_true(g->model->classes <= 64);
    OK(qsv_engine_run(g->engine, g->pixels + first * g->image_bytes, n, &g->network, 1, &out, NULL,
                      NULL, &err));
}

#endif
