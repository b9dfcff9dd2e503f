#include "runner/worker/workbench.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/score.h"
#include "jobs/setting.h"
#include "runner/inputs/ahead.h"
#include "runner/worker/cache.h"
#include "runner/worker/exported.h"
#include "runner/worker/outcome.h"

enum {
    IMAGE_CACHE_BYTES = 1 << 27,
    AHEAD_BYTES = 1 << 26,
    BASELINE_CACHE_BYTES = 1 << 27,
    NETWORK_CACHE_BYTES = 1 << 28
};

struct qsv_workbench {
    struct qsv_workbench_setup setup;
    struct qsv_engine *engine;
    uint32_t batch;
    uint64_t baseline_id;
    uint8_t *baseline_formats;    /* [n_layers] all f32 */
    struct qsv_ahead *ahead;      /* of shards that are not among the images yet */
    struct qsv_cache *images;     /* shard -> struct qsv_pixels */
    struct qsv_cache *baselines;  /* shard -> struct qsv_outcome */
    struct qsv_cache *networks;   /* trial -> struct qsv_network */
    struct qsv_exported exported; /* the last that was run */
};

static void destroy_images(void *value)
{
    qsv_pixels_fini(value);
    free(value);
}

static void destroy_outcome(void *value)
{
    qsv_outcome_fini(value);
    free(value);
}

static void destroy_network(void *value)
{
    qsv_network_destroy(value);
}

static enum qsv_status create_caches(struct qsv_workbench *e, struct qsv_error *err)
{
    enum qsv_status st = qsv_cache_create(&e->images, IMAGE_CACHE_BYTES, destroy_images, err);
    if (!st)
        st = qsv_cache_create(&e->baselines, BASELINE_CACHE_BYTES, destroy_outcome, err);
    if (!st)
        st = qsv_cache_create(&e->networks, NETWORK_CACHE_BYTES, destroy_network, err);
    return st;
}

/* What a shard is made of. */
static struct qsv_portion find_shard(void *context, uint64_t shard)
{
    const struct qsv_workbench *e = context;
    const struct qsv_partition *p = e->setup.partition;
    const struct qsv_shard at = qsv_partition_shard(p, (uint32_t)shard);
    return (struct qsv_portion){e->setup.images[at.set], p->order[at.set] + at.first, at.n_images};
}

static enum qsv_status create_ahead(struct qsv_workbench *e, struct qsv_error *err)
{
    const struct qsv_ahead_setup setup = {e, find_shard, qsv_ahead_threads(e->setup.threads),
                                          AHEAD_BYTES};
    return qsv_ahead_create(&e->ahead, &setup, err);
}

enum qsv_status qsv_workbench_create(struct qsv_workbench **out,
                                     const struct qsv_workbench_setup *setup, struct qsv_error *err)
{
    struct qsv_workbench *e = qsv_alloc(1, sizeof *e);
    uint32_t n_layers = setup->shape.n_layers;
    *out = NULL;
    if (!e)
        return qsv_fail_memory(err, "a workbench");
    e->setup = *setup;
    e->setup.threads = setup->threads ? setup->threads : 1;
    e->batch = qsv_images_batch(setup->model) * e->setup.threads;
    enum qsv_status st = qsv_engine_create(&e->engine, setup->model, e->batch, err);
    if (!st)
        st = qsv_engine_use_threads(e->engine, e->setup.threads, err);
    if (!st)
        st = create_caches(e, err);
    if (!st)
        st = create_ahead(e, err);
    if (!st && !(e->baseline_formats = qsv_alloc(n_layers, 1)))
        st = qsv_fail_memory(err, "a workbench");
    if (st) {
        qsv_workbench_destroy(e);
        return st;
    }
    e->baseline_id = qsv_setting_id(e->baseline_formats, n_layers);
    *out = e;
    return QSV_OK;
}

void qsv_workbench_destroy(struct qsv_workbench *e)
{
    if (!e)
        return;
    qsv_exported_fini(&e->exported);
    qsv_ahead_destroy(e->ahead);
    qsv_cache_destroy(e->images);
    qsv_cache_destroy(e->baselines);
    qsv_cache_destroy(e->networks);
    qsv_engine_destroy(e->engine);
    free(e->baseline_formats);
    free(e);
}

void qsv_workbench_expect(struct qsv_workbench *e, uint32_t shard)
{
    if (!qsv_cache_get(e->images, shard))
        qsv_ahead_expect(e->ahead, shard);
}

double qsv_workbench_waited_s(const struct qsv_workbench *e)
{
    return qsv_ahead_waited_s(e->ahead);
}

static enum qsv_status get_images(struct qsv_workbench *e, uint32_t shard, struct qsv_pixels **out,
                                  struct qsv_error *err)
{
    const struct qsv_stop *stop = e->setup.stop;
    if ((*out = qsv_cache_get(e->images, shard)))
        return QSV_OK;
    struct qsv_pixels *s = *out = qsv_alloc(1, sizeof *s);
    if (!s)
        return qsv_fail_memory(err, "a shard's images");
    enum qsv_status st = qsv_ahead_take(e->ahead, shard, s, stop ? stop->flag : NULL, err);
    if (st) {
        destroy_images(s);
        return st;
    }
    size_t bytes = s->n * qsv_images_bytes(e->setup.images[0]);
    return qsv_cache_put(e->images, shard, s, bytes, err);
}

/* What a network has of its own; codes are the bank's. */
static size_t network_bytes(const struct qsv_model *model)
{
    size_t bytes = 0;
    for (size_t l = 0; l < model->graph.n_layers; l++)
        bytes += 128 + 2 * sizeof(float) * model->graph.layers[l].out_ch;
    return bytes;
}

static enum qsv_status get_network(struct qsv_workbench *e, uint64_t trial_id,
                                   const uint8_t *formats, struct qsv_network **out,
                                   struct qsv_error *err)
{
    if ((*out = qsv_cache_get(e->networks, trial_id)))
        return QSV_OK;
    enum qsv_status st = qsv_network_create(out, e->setup.model, e->setup.bank, formats, err);
    return st ? st : qsv_cache_put(e->networks, trial_id, *out, network_bytes(e->setup.model), err);
}

/* Runs networks [n] over all images of the shard, into outcomes [n]. */
static enum qsv_status run_networks(struct qsv_workbench *e, struct qsv_engine *engine,
                                    const struct qsv_pixels *images,
                                    struct qsv_network *const *networks, uint32_t n,
                                    struct qsv_outcome *const *outcomes, struct qsv_error *err)
{
    const struct qsv_stop *stop = e->setup.stop;
    const size_t image_bytes = qsv_images_bytes(e->setup.images[0]);
    struct qsv_engine_output *outputs = qsv_alloc(n ? n : 1, sizeof *outputs);
    enum qsv_status st = outputs ? QSV_OK : qsv_fail_memory(err, "outputs");
    qsv_engine_watch(engine, stop ? stop->asked : NULL, stop ? stop->context : NULL);
    for (uint32_t at = 0; !st && n && at < images->n; at += e->batch) {
        uint32_t left = images->n - at;
        for (uint32_t i = 0; i < n; i++)
            outputs[i] = qsv_outcome_from(outcomes[i], e->setup.model, at);
        if (qsv_stop_asked(stop))
            st = qsv_fail(err, QSV_ESTOPPED, "stopped");
        else
            st = qsv_engine_run(engine, images->pixels + at * image_bytes,
                                left < e->batch ? left : e->batch, networks, n, outputs, NULL,
                                stop ? stop->flag : NULL, err);
    }
    free(outputs);
    return st;
}

static enum qsv_status make_outcome(struct qsv_workbench *e, const struct qsv_pixels *images,
                                    const uint8_t *formats, struct qsv_outcome **out,
                                    struct qsv_error *err)
{
    struct qsv_outcome *o = *out = qsv_alloc(1, sizeof *o);
    if (!o)
        return qsv_fail_memory(err, "an outcome");
    enum qsv_status st = qsv_outcome_init(o, e->setup.model, formats, images->n,
                                          qsv_engine_potential_count(e->engine), err);
    if (st) {
        free(o);
        *out = NULL;
    }
    return st;
}

static size_t outcome_bytes(const struct qsv_workbench *e, const struct qsv_outcome *o)
{
    return o->n_images * (size_t)e->setup.model->classes * sizeof *o->logits +
           qsv_engine_potential_count(e->engine) * sizeof *o->potentials;
}

/* A shard's work in hand. Slot 0 is the baseline, whether it is asked for or not; it is run only
 * where it is not kept from before. */
struct work {
    const struct qsv_pixels *images;
    uint32_t n; /* slots: trials and the baseline */
    struct qsv_network **networks;
    struct qsv_outcome **outcomes;
    bool new_baseline;
};

static enum qsv_status begin_baseline(struct qsv_workbench *e, uint32_t shard, struct work *w,
                                      struct qsv_error *err)
{
    w->outcomes[0] = qsv_cache_get(e->baselines, shard);
    if (w->outcomes[0])
        return QSV_OK;
    enum qsv_status st = get_network(e, e->baseline_id, e->baseline_formats, &w->networks[0], err);
    if (!st)
        st = make_outcome(e, w->images, e->baseline_formats, &w->outcomes[0], err);
    w->new_baseline = st == QSV_OK;
    return st;
}

static enum qsv_status begin_work(struct qsv_workbench *e, const struct qsv_trial_setting *trials,
                                  uint32_t n, uint32_t shard, struct work *w, struct qsv_error *err)
{
    w->n = n + 1;
    w->networks = qsv_alloc(w->n, sizeof *w->networks);
    w->outcomes = qsv_alloc(w->n, sizeof *w->outcomes);
    if (!w->networks || !w->outcomes)
        return qsv_fail_memory(err, "a shard's work");
    enum qsv_status st = begin_baseline(e, shard, w, err);
    for (uint32_t i = 0; i < n && !st; i++) {
        if (trials[i].trial_id == e->baseline_id)
            continue;
        if (qsv_stop_asked(e->setup.stop)) /* codes of a large network take a while */
            return qsv_fail(err, QSV_ESTOPPED, "stopped");
        st = get_network(e, trials[i].trial_id, trials[i].formats, &w->networks[i + 1], err);
        if (!st)
            st = make_outcome(e, w->images, trials[i].formats, &w->outcomes[i + 1], err);
    }
    return st;
}

/* Runs the slots that have a network. */
static enum qsv_status run_work(struct qsv_workbench *e, const struct work *w,
                                struct qsv_error *err)
{
    struct qsv_network **networks = qsv_alloc(w->n, sizeof *networks);
    struct qsv_outcome **outcomes = qsv_alloc(w->n, sizeof *outcomes);
    enum qsv_status st = QSV_OK;
    if (!networks || !outcomes) {
        st = qsv_fail_memory(err, "a shard's work");
    } else {
        uint32_t n = 0;
        for (uint32_t i = 0; i < w->n; i++) {
            if (!w->networks[i])
                continue;
            networks[n] = w->networks[i];
            outcomes[n++] = w->outcomes[i];
        }
        st = run_networks(e, e->engine, w->images, networks, n, outcomes, err);
    }
    free(networks);
    free(outcomes);
    return st;
}

static enum qsv_status fill_records(struct qsv_workbench *e, const struct qsv_trial_setting *trials,
                                    uint32_t n, uint32_t shard, const struct work *w,
                                    struct qsv_record *records, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    uint32_t done = 0;
    for (; done < n && !st; done += st == QSV_OK) {
        /* The baseline's own slot is empty: it is slot 0. */
        struct qsv_outcome *o = w->outcomes[done + 1] ? w->outcomes[done + 1] : w->outcomes[0];
        st = qsv_outcome_record(&records[done], o, w->outcomes[0], w->images->labels,
                                e->setup.model, &e->setup.shape, err);
        records[done].trial_id = trials[done].trial_id;
        records[done].shard = shard;
    }
    for (uint32_t i = 0; st && i < done; i++)
        qsv_record_fini(&records[i]);
    return st;
}

/* Keeps the new baseline where it was run to the end. Nothing can be compared with answers that are
 * no numbers. */
static enum qsv_status keep_baseline(struct qsv_workbench *e, uint32_t shard, struct work *w,
                                     struct qsv_error *err)
{
    if (!w->new_baseline)
        return QSV_OK;
    const struct qsv_model *model = e->setup.model;
    struct qsv_outcome *o = w->outcomes[0];
    enum qsv_status st = qsv_score_check(o->logits, o->n_images, model->classes, 0, err);
    if (st)
        return qsv_fail_in(err, st, "%s: shard %u", model->path, shard);
    w->new_baseline = false; /* it is the cache's now */
    return qsv_cache_put(e->baselines, shard, o, outcome_bytes(e, o), err);
}

static void end_work(struct work *w)
{
    for (uint32_t i = w->new_baseline ? 0 : 1; w->outcomes && i < w->n; i++)
        if (w->outcomes[i])
            destroy_outcome(w->outcomes[i]);
    free(w->outcomes);
    free(w->networks);
}

static enum qsv_status begin_shard(struct qsv_workbench *e, uint32_t shard,
                                   struct qsv_pixels **images, struct qsv_error *err)
{
    qsv_cache_begin_use(e->images);
    qsv_cache_begin_use(e->baselines);
    qsv_cache_begin_use(e->networks);
    return get_images(e, shard, images, err);
}

enum qsv_status qsv_workbench_evaluate(struct qsv_workbench *e,
                                       const struct qsv_trial_setting *trials, uint32_t n,
                                       uint32_t shard, struct qsv_record *records,
                                       struct qsv_error *err)
{
    struct work w = {0};
    struct qsv_pixels *images;
    enum qsv_status st = begin_shard(e, shard, &images, err);
    w.images = images;
    if (!st)
        st = begin_work(e, trials, n, shard, &w, err);
    if (!st)
        st = run_work(e, &w, err);
    if (!st)
        st = keep_baseline(e, shard, &w, err);
    if (!st)
        st = fill_records(e, trials, n, shard, &w, records, err);
    end_work(&w);
    return st;
}

static enum qsv_status run_exported(struct qsv_workbench *e, const struct qsv_pixels *images,
                                    struct qsv_outcome *o, struct qsv_error *err)
{
    return run_networks(e, e->exported.engine, images, &e->exported.loaded.network, 1, &o, err);
}

enum qsv_status qsv_workbench_evaluate_exported(struct qsv_workbench *e, const char *path,
                                                uint64_t trial_id, uint32_t shard,
                                                struct qsv_record *record, struct qsv_error *err)
{
    struct work w = {0};
    struct qsv_pixels *images;
    struct qsv_outcome *o = NULL;
    enum qsv_status st = begin_shard(e, shard, &images, err);
    w.images = images;
    if (e->exported.trial_id != trial_id) /* nothing else is asked for by now */
        qsv_engine_forget_weights(e->engine);
    if (!st)
        st = qsv_exported_load(&e->exported, path, trial_id, e->setup.model, e->batch,
                               e->setup.threads, err);
    if (!st)
        st = begin_work(e, NULL, 0, shard, &w, err);
    if (!st)
        st = run_work(e, &w, err);
    if (!st)
        st = keep_baseline(e, shard, &w, err);
    if (!st)
        st = make_outcome(e, images, qsv_network_formats(e->exported.loaded.network), &o, err);
    if (!st)
        st = run_exported(e, images, o, err);
    if (!st)
        st = qsv_outcome_record(record, o, w.outcomes[0], images->labels, e->setup.model,
                                &e->setup.shape, err);
    if (!st) {
        record->trial_id = trial_id;
        record->shard = shard;
    }
    if (o)
        destroy_outcome(o);
    end_work(&w);
    return st;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t qsv_workbench_kept_bytes(const struct qsv_model *model, uint64_t n_images)
{
    const struct qsv_shape in = model->options.input;
    return smaller(n_images * in.c * in.h * in.w, IMAGE_CACHE_BYTES) +
           smaller(n_images * model->classes * sizeof(float), BASELINE_CACHE_BYTES);
}

struct qsv_engine_work qsv_workbench_work(const struct qsv_workbench *e)
{
    return qsv_engine_work_done(e->engine);
}

const char *qsv_workbench_isa(const struct qsv_workbench *e)
{
    return qsv_engine_isa(e->engine);
}
