#include "core/engine.h"

#include <assert.h>
#include <omp.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/engine/lane.h"
#include "core/engine/plan.h"
#include "core/engine/profile.h"

struct qsv_engine {
    const struct qsv_model *model;
    const struct qsv_kernels *kernels;
    struct qsv_plan plan;   /* for the images of a lane */
    struct qsv_lane *lanes; /* [n_lanes] */
    uint32_t n_lanes;
    struct qsv_weights *weights; /* [n_layers][QSV_N_FORMATS], made when first needed */
    uint64_t weights_bytes;      /* of those that are made */
    uint64_t kept_bytes;         /* see qsv_engine_keep_weights */
    uint64_t calls;
    size_t *potential_offset; /* [n_lifs] */
    size_t potential_count;
    uint32_t max_batch;
    struct qsv_engine_work work;
    struct qsv_profile *profile;  /* see qsv_engine_profile */
    bool (*asked)(void *context); /* see qsv_engine_watch */
    void *asked_context;
    struct qsv_engine_observer observer; /* see qsv_engine_observe */
};

static void drop_lanes(struct qsv_engine *e)
{
    for (uint32_t i = 0; i < e->n_lanes; i++)
        qsv_lane_fini(&e->lanes[i]);
    free(e->lanes);
    qsv_plan_fini(&e->plan);
    e->lanes = NULL;
    e->n_lanes = 0;
}

void qsv_engine_destroy(struct qsv_engine *e)
{
    if (!e)
        return;
    drop_lanes(e);
    for (size_t i = 0; e->weights && i < e->model->graph.n_layers * QSV_N_FORMATS; i++)
        qsv_weights_fini(&e->weights[i]);
    free(e->weights);
    free(e->potential_offset);
    free(e);
}

static enum qsv_status lay_out_potentials(struct qsv_engine *e, struct qsv_error *err)
{
    const struct qsv_graph *g = &e->model->graph;
    e->potential_offset = qsv_alloc(g->n_lifs, sizeof *e->potential_offset);
    if (!e->potential_offset)
        return qsv_fail_memory(err, "the engine");
    for (size_t i = 0; i < g->n_lifs; i++) {
        e->potential_offset[i] = e->potential_count;
        e->potential_count += g->lifs[i].shape.c;
    }
    return QSV_OK;
}

/* The first failure that is none for another's sake. */
static enum qsv_status how_it_went(const struct qsv_lane *lanes, uint32_t n, struct qsv_error *err)
{
    const struct qsv_lane *worst = &lanes[0];
    for (uint32_t i = 1; i < n && (!worst->status || worst->status == QSV_ESTOPPED); i++)
        worst = lanes[i].status ? &lanes[i] : worst;
    if (worst->status && err)
        *err = worst->error;
    return worst->status;
}

/* Each by the thread that will run it, so that its memory is near. */
static enum qsv_status make_lanes(struct qsv_engine *e, uint32_t n, struct qsv_error *err)
{
    const uint32_t images = (e->max_batch + n - 1) / n;
    enum qsv_status st = qsv_plan_init(&e->plan, e->model, images, err);
    if (st)
        return st;
    e->lanes = qsv_alloc(n, sizeof *e->lanes);
    if (!e->lanes)
        return qsv_fail_memory(err, "the engine");
    e->n_lanes = n;
#pragma omp parallel for num_threads(n) schedule(static, 1) if (n > 1)
    for (uint32_t i = 0; i < n; i++) {
        struct qsv_lane *l = &e->lanes[i];
        struct qsv_error why = {0};
        enum qsv_status made = qsv_lane_init(l, e->model, &e->plan, e->kernels, images, &why);
        l->status = made;
        l->error = why;
    }
    return how_it_went(e->lanes, n, err);
}

enum qsv_status qsv_engine_create(struct qsv_engine **out, const struct qsv_model *model,
                                  uint32_t max_batch, struct qsv_error *err)
{
    *out = NULL;
    const struct qsv_kernels *kernels = qsv_kernels_choose();
    if (!kernels)
        return qsv_fail(err, QSV_EUSAGE,
                        "QSV_ISA is '%s', which this CPU or build does not have; known: scalar, "
                        "avx2, avx512",
                        getenv("QSV_ISA"));
    struct qsv_engine *e = qsv_alloc(1, sizeof *e);
    if (!e)
        return qsv_fail_memory(err, "the engine");
    e->model = model;
    e->kernels = kernels;
    e->max_batch = max_batch;
    e->kept_bytes = QSV_ENGINE_KEPT_BYTES;
    enum qsv_status st = lay_out_potentials(e, err);
    if (!st && !(e->weights = qsv_alloc(model->graph.n_layers * QSV_N_FORMATS, sizeof *e->weights)))
        st = qsv_fail_memory(err, "the engine");
    if (!st)
        st = make_lanes(e, 1, err);
    if (st)
        qsv_engine_destroy(e);
    else
        *out = e;
    return st;
}

enum qsv_status qsv_engine_use_threads(struct qsv_engine *e, uint32_t threads,
                                       struct qsv_error *err)
{
    assert(threads >= 1);
    uint32_t lanes = threads < e->max_batch ? threads : e->max_batch;
    if (lanes == e->n_lanes)
        return QSV_OK;
    drop_lanes(e);
    return make_lanes(e, lanes, err);
}

size_t qsv_engine_potential_count(const struct qsv_engine *e)
{
    return e->potential_count;
}

size_t qsv_engine_potential_offset(const struct qsv_engine *e, uint32_t lif)
{
    return e->potential_offset[lif];
}

struct qsv_engine_work qsv_engine_work_done(const struct qsv_engine *e)
{
    return e->work;
}

const char *qsv_engine_isa(const struct qsv_engine *e)
{
    return e->kernels->isa;
}

void qsv_engine_watch(struct qsv_engine *e, bool (*asked)(void *context), void *context)
{
    e->asked = asked;
    e->asked_context = context;
}

void qsv_engine_observe(struct qsv_engine *e, const struct qsv_engine_observer *observer)
{
    e->observer = observer ? *observer : (struct qsv_engine_observer){0};
}

void qsv_engine_profile(struct qsv_engine *e, struct qsv_profile *p)
{
    e->profile = p;
}

static uint64_t bytes_at(const struct qsv_engine *e, size_t slot)
{
    return qsv_weights_bytes(&e->model->graph.layers[slot / QSV_N_FORMATS],
                             (enum qsv_format)(slot % QSV_N_FORMATS), e->kernels);
}

static void drop_weights(struct qsv_engine *e, size_t slot)
{
    qsv_weights_fini(&e->weights[slot]);
    e->weights_bytes -= bytes_at(e, slot);
}

/* Those that have not been used for longest, until so many more fit; never what this call needs. */
static void make_room(struct qsv_engine *e, uint64_t bytes)
{
    const size_t n = e->model->graph.n_layers * QSV_N_FORMATS;
    while (e->weights_bytes + bytes > e->kept_bytes) {
        size_t oldest = n;
        for (size_t i = 0; i < n; i++)
            if (e->weights[i].made && e->weights[i].used < e->calls &&
                (oldest == n || e->weights[i].used < e->weights[oldest].used))
                oldest = i;
        if (oldest == n)
            return;
        drop_weights(e, oldest);
    }
}

void qsv_engine_keep_weights(struct qsv_engine *e, uint64_t bytes)
{
    e->kept_bytes = bytes;
}

void qsv_engine_forget_weights(struct qsv_engine *e)
{
    for (size_t i = 0; i < e->model->graph.n_layers * QSV_N_FORMATS; i++)
        if (e->weights[i].made)
            drop_weights(e, i);
}

static size_t slot_of(const struct qsv_network *network, uint32_t layer)
{
    return layer * QSV_N_FORMATS + (size_t)qsv_network_layer(network, layer).weights->format;
}

/* Before lanes run, so that they only read them. */
static enum qsv_status make_weights(struct qsv_engine *e, const struct qsv_network *network,
                                    struct qsv_error *err)
{
    const struct qsv_graph *g = &e->model->graph;
    enum qsv_status st = QSV_OK;
    for (uint32_t l = 0; !st && l < g->n_layers; l++) {
        const size_t slot = slot_of(network, l);
        if (e->asked && e->asked(e->asked_context))
            return qsv_fail(err, QSV_ESTOPPED, "stopped");
        if (e->weights[slot].made)
            continue;
        make_room(e, bytes_at(e, slot));
        st = qsv_weights_init(&e->weights[slot], &g->layers[l],
                              qsv_network_layer(network, l).weights, e->kernels, err);
        e->weights[slot].used = e->calls;
        e->weights_bytes += st ? 0 : bytes_at(e, slot);
    }
    return st;
}

/* What is made already is not to make room for what is not. */
static void mark_weights(struct qsv_engine *e, const struct qsv_network *network)
{
    for (uint32_t l = 0; l < e->model->graph.n_layers; l++)
        e->weights[slot_of(network, l)].used = e->calls;
}

/* The thread that called the engine is the one that may ask. It does so while others run, too. */
static void wait_for_others(struct qsv_call *call)
{
    while (atomic_load(&call->running)) {
        qsv_call_is_over(call, true);
        qsv_clock_nap_s(100e-6);
    }
}

/* Images are dealt evenly, in their order. There may be fewer threads than lanes. */
static void run_lanes(struct qsv_engine *e, struct qsv_call *call, uint32_t n)
{
    const uint32_t lanes = n < e->n_lanes ? n : e->n_lanes;
    atomic_store(&call->running, lanes);
#pragma omp parallel num_threads(lanes) if (lanes > 1)
    {
        const uint32_t thread = (uint32_t)omp_get_thread_num();
        for (uint32_t i = thread; i < lanes; i += (uint32_t)omp_get_num_threads()) {
            struct qsv_lane *l = &e->lanes[i];
            l->first = (uint32_t)((uint64_t)i * n / lanes);
            l->asks = thread == 0;
            qsv_lane_run(l, call, (uint32_t)((uint64_t)(i + 1) * n / lanes) - l->first);
        }
        if (thread == 0 && call->asked)
            wait_for_others(call);
    }
    for (uint32_t i = 0; i < lanes; i++) {
        e->work.layer_forwards_asked += e->lanes[i].work.layer_forwards_asked;
        e->work.layer_forwards_done += e->lanes[i].work.layer_forwards_done;
    }
}

enum qsv_status qsv_engine_run(struct qsv_engine *e, const uint8_t *pixels, uint32_t n,
                               struct qsv_network *const *networks, uint32_t n_networks,
                               struct qsv_engine_output *outputs,
                               const struct qsv_engine_trace *trace,
                               const volatile sig_atomic_t *stop, struct qsv_error *err)
{
    assert(n >= 1 && n <= e->max_batch);
    assert((!trace && !e->observer.on_input) || (n_networks == 1 && e->n_lanes == 1));
    enum qsv_status st = QSV_OK;
    e->calls++;
    for (uint32_t i = 0; i < n_networks; i++) {
        assert(qsv_network_model(networks[i]) == e->model);
        mark_weights(e, networks[i]);
    }
    for (uint32_t i = 0; !st && i < n_networks; i++)
        st = make_weights(e, networks[i], err);
    if (st || !n_networks)
        return st;
    struct qsv_call call = {.weights = e->weights,
                            .potential_offset = e->potential_offset,
                            .pixels = pixels,
                            .networks = networks,
                            .n_networks = n_networks,
                            .outputs = outputs,
                            .trace = trace,
                            .observer = e->observer,
                            .profile = e->profile,
                            .stop = stop,
                            .asked = e->asked,
                            .asked_context = e->asked_context};
    run_lanes(e, &call, n);
    return how_it_went(e->lanes, n < e->n_lanes ? n : e->n_lanes, err);
}
