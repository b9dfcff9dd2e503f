#include "runner/worker/measure.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/score.h"
#include "runner/inputs/ahead.h"
#include "runner/worker/trace.h"
#include "runner/inputs/images.h"

enum { AHEAD_BYTES = 1 << 26 };

/* The work in hand. */
struct measuring {
    const struct qsv_model *model;
    struct qsv_network *network;
    struct qsv_images *images;
    const struct qsv_stop *stop;
    struct qsv_engine *engine;
    uint32_t batch;
    uint32_t n_images;
    uint32_t *numbers; /* [n_images] their own */
    struct qsv_ahead *ahead;
    struct qsv_pixels pixels; /* of a batch */
    uint8_t *originals;       /* [n_images] as they lie in the data set, for a trace */
    struct qsv_trace_file *trace;
};

void qsv_measured_fini(struct qsv_measured *m)
{
    free(m->logits);
    free(m->labels);
    free(m->lif_spikes);
    free(m->site_ac);
    *m = (struct qsv_measured){0};
}

static enum qsv_status count_images(struct qsv_measured *out, const struct qsv_images *images,
                                    struct qsv_error *err)
{
    uint64_t n = qsv_dataset_count(images->dataset);
    if (n > UINT32_MAX)
        return qsv_fail(err, QSV_EINPUT, "%" PRIu64 " images, at most %u can be evaluated at once",
                        n, UINT32_MAX);
    out->n_images = (uint32_t)n;
    return QSV_OK;
}

static enum qsv_status allocate(struct qsv_measured *out, struct measuring *m,
                                struct qsv_error *err)
{
    const struct qsv_graph *g = &m->model->graph;
    size_t n_logits;
    if (qsv_mul_size(out->n_images, m->model->classes, &n_logits)) {
        out->logits = qsv_alloc(n_logits ? n_logits : 1, sizeof *out->logits);
        out->labels = qsv_alloc((size_t)out->n_images + 1, sizeof *out->labels);
        out->lif_spikes = qsv_alloc(g->n_lifs, sizeof *out->lif_spikes);
        out->site_ac = qsv_alloc(g->n_layers + g->n_attentions, sizeof *out->site_ac);
        m->numbers = qsv_alloc((size_t)out->n_images + 1, sizeof *m->numbers);
    }
    if (!out->logits || !out->labels || !out->lif_spikes || !out->site_ac || !m->numbers)
        return qsv_fail_memory(err, "logits");
    for (uint32_t i = 0; i < out->n_images; i++)
        m->numbers[i] = i;
    m->n_images = out->n_images;
    return QSV_OK;
}

static struct qsv_portion find_batch(void *context, uint64_t k)
{
    const struct measuring *m = context;
    const uint32_t at = (uint32_t)k * m->batch, left = m->n_images - at;
    return (struct qsv_portion){m->images, m->numbers + at, left < m->batch ? left : m->batch};
}

static enum qsv_status begin_reading(struct measuring *m, uint32_t threads, struct qsv_error *err)
{
    const struct qsv_ahead_setup setup = {m, find_batch, qsv_ahead_threads(threads), AHEAD_BYTES};
    enum qsv_status st = qsv_ahead_create(&m->ahead, &setup, err);
    for (uint32_t at = 0; !st && at < m->n_images; at += m->batch)
        qsv_ahead_expect(m->ahead, at / m->batch);
    return st;
}

static size_t original_bytes(const struct measuring *m)
{
    struct qsv_shape s = qsv_dataset_shape(m->images->dataset);
    return (size_t)s.c * s.h * s.w;
}

static enum qsv_status begin_trace(struct measuring *m, const char *path, uint32_t n_images,
                                   struct qsv_error *err)
{
    m->originals = qsv_alloc(n_images, original_bytes(m));
    if (!m->originals)
        return qsv_fail_memory(err, "a trace's images");
    return qsv_trace_create(&m->trace, path, m->model, qsv_dataset_shape(m->images->dataset),
                            n_images, err);
}

static enum qsv_status read_batch(struct measuring *m, struct qsv_measured *out, uint32_t first,
                                  uint32_t n, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    qsv_pixels_fini(&m->pixels);
    for (uint32_t i = 0; i < n && m->trace && !st; i++)
        st = qsv_dataset_read(m->images->dataset, first + i,
                              m->originals + (first + i) * original_bytes(m), NULL, err);
    if (!st)
        st = qsv_ahead_take(m->ahead, first / m->batch, &m->pixels, m->stop ? m->stop->flag : NULL,
                            err);
    if (!st)
        memcpy(out->labels + first, m->pixels.labels, n * sizeof *out->labels);
    return st;
}

static enum qsv_status run_batch(struct measuring *m, struct qsv_measured *out, uint32_t first,
                                 uint32_t n, struct qsv_error *err)
{
    struct qsv_engine_output output = {.logits = out->logits + (size_t)first * m->model->classes,
                                       .lif_spikes = out->lif_spikes,
                                       .site_ac = out->site_ac};
    struct qsv_engine_trace face = {0};
    if (m->trace) {
        qsv_trace_begin_batch(m->trace, first);
        face = qsv_trace_face(m->trace);
    }
    double began_s = qsv_clock_monotonic_s();
    enum qsv_status st =
        qsv_engine_run(m->engine, m->pixels.pixels, n, &m->network, 1, &output,
                       m->trace ? &face : NULL, m->stop ? m->stop->flag : NULL, err);
    out->seconds += qsv_clock_monotonic_s() - began_s;
    return st;
}

static void add_scores(const struct measuring *m, struct qsv_measured *out)
{
    for (uint32_t i = 0; i < out->n_images; i++) {
        struct qsv_score s;
        qsv_score(&s, out->logits + (size_t)i * m->model->classes, m->model->classes,
                  out->labels[i]);
        out->n_top1 += s.top1;
        out->n_top5 += s.top5;
        out->loss_sum += s.loss;
    }
}

static enum qsv_status run_all(struct measuring *m, struct qsv_measured *out, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (uint32_t at = 0; at < out->n_images && !st; at += m->batch) {
        uint32_t left = out->n_images - at, n = left < m->batch ? left : m->batch;
        if (qsv_stop_asked(m->stop))
            return qsv_fail(err, QSV_ESTOPPED, "stopped after %u of %u images", at, out->n_images);
        st = read_batch(m, out, at, n, err);
        if (!st)
            st = run_batch(m, out, at, n, err);
    }
    return st;
}

static void fini(struct measuring *m)
{
    qsv_trace_destroy(m->trace);
    qsv_engine_destroy(m->engine);
    qsv_ahead_destroy(m->ahead);
    qsv_pixels_fini(&m->pixels);
    free(m->numbers);
    free(m->originals);
}

enum qsv_status qsv_measure(struct qsv_measured *out, const struct qsv_model *model,
                            struct qsv_network *network, struct qsv_images *images,
                            const struct qsv_measure_options *options, struct qsv_error *err)
{
    const uint32_t threads = options->threads && !options->trace ? options->threads : 1;
    struct measuring m = {.model = model,
                          .network = network,
                          .images = images,
                          .stop = options->stop,
                          .batch = qsv_images_batch(model) * threads};
    *out = (struct qsv_measured){.threads = threads};
    enum qsv_status st = count_images(out, images, err);
    if (!st)
        st = allocate(out, &m, err);
    if (!st)
        st = qsv_engine_create(&m.engine, model, m.batch, err);
    if (!st)
        st = qsv_engine_use_threads(m.engine, threads, err);
    if (!st)
        out->isa = qsv_engine_isa(m.engine);
    if (!st && options->trace)
        st = begin_trace(&m, options->trace, out->n_images, err);
    if (!st)
        st = begin_reading(&m, threads, err);
    if (!st)
        st = run_all(&m, out, err);
    if (m.ahead)
        out->waited_s = qsv_ahead_waited_s(m.ahead);
    if (!st)
        add_scores(&m, out);
    if (!st && m.trace)
        st = qsv_trace_finish(m.trace, m.originals, out->logits, err);
    fini(&m);
    return st;
}
