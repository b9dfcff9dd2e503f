#include "runner/forecast/footprint.h"

#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/engine/plan.h"
#include "core/engine/steps.h"
#include "core/engine/weights.h"
#include "core/statistics.h"
#include "runner/worker/workbench.h"

/* The program, its libraries, what MPI sets aside, and what the allocator keeps of what was freed.
 */
static const uint64_t PROGRAM_BYTES = 128 << 20;
/* Matrices [rows][k] of doubles while a layer's codes are chosen: weights x H, codes, their sums,
 * differences, products. */
enum { ROW_MATRICES = 5 };

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Values that wait while others run, the most at any layer. */
static uint64_t live_bytes(const struct qsv_plan *p, uint32_t images)
{
    uint64_t most = 0;
    for (uint32_t step = 0; step < p->n_steps; step++) {
        uint64_t sum = 0;
        for (uint32_t v = 0; v < p->n_values && p->steps[step].op == QSV_OP_CONV; v++)
            sum += qsv_plan_is_live(p, v, step) ? qsv_value_bytes(&p->values[v], images) : 0;
        most = larger(most, sum);
    }
    return most;
}

/* Parts that go first are at most half of those that part (core/engine/lane.c). */
static uint32_t depth_of(uint64_t trials)
{
    uint32_t depth = 0;
    for (; trials > 1; trials /= 2)
        depth++;
    return depth;
}

static enum qsv_status add_engine(struct qsv_footprint *out, const struct qsv_inputs *in,
                                  uint64_t trials, struct qsv_error *err)
{
    const struct qsv_model *m = in->model;
    const uint32_t images = qsv_images_batch(m), threads = in->spec->threads;
    struct qsv_plan plan;
    enum qsv_status st = qsv_plan_init(&plan, m, images, err);
    if (st)
        return st;
    out->engine = plan.arena_bytes + qsv_scratch_bytes(m, qsv_kernels_choose(), images) +
                  depth_of(trials) * live_bytes(&plan, images);
    out->engine *= threads;
    qsv_plan_fini(&plan);
    return QSV_OK;
}

static uint64_t weights_in(const struct qsv_model *m, enum qsv_format format)
{
    uint64_t sum = 0;
    for (size_t l = 0; l < m->graph.n_layers; l++)
        sum += qsv_weights_bytes(&m->graph.layers[l], format, qsv_kernels_choose());
    return sum;
}

static void add_weights(struct qsv_footprint *out, const struct qsv_inputs *in)
{
    const struct qsv_spec *s = in->spec;
    const uint64_t n = in->model->graph.n_weights;
    out->weights = weights_in(in->model, QSV_F32);
    for (uint32_t f = 0; f < s->search.n_formats; f++) {
        const enum qsv_format format = s->search.formats[f];
        if (format == QSV_F32)
            continue;
        out->weights += weights_in(in->model, format);
        out->bank += format == QSV_F16 ? n * sizeof(float) : format == QSV_NONE ? 0 : n;
    }
}

/* All images come by a rank that has time enough. */
static void add_kept(struct qsv_footprint *out, const struct qsv_inputs *in)
{
    const struct qsv_partition *p = &in->partition;
    out->kept = qsv_workbench_kept_bytes(in->model, p->n_judge + p->n_decide);
}

/* Of one layer: its triangle of moments or H and its factor, whatever is more, and rows. */
static uint64_t layer_codes_bytes(const struct qsv_layer *l, uint64_t triangle)
{
    const uint64_t groups = l->groups > 1 ? l->out_ch : 1;
    const uint64_t k = (uint64_t)l->in_ch * l->kernel * l->kernel;
    const uint64_t h = groups * k * k * sizeof(double);
    return larger(triangle + h, 2 * h) + ROW_MATRICES * l->n_weights * sizeof(double);
}

static uint64_t part_bytes(const struct qsv_inputs *in, const bool *mine, bool *one)
{
    const struct qsv_model *m = in->model;
    uint64_t working = 0;
    const uint64_t all = qsv_statistics_bytes(m, mine);
    for (size_t l = 0; l < m->graph.n_layers; l++) {
        if (!mine[l])
            continue;
        one[l] = true;
        const uint64_t triangle = qsv_statistics_bytes(m, one);
        one[l] = false;
        working =
            larger(working, all - triangle + layer_codes_bytes(&m->graph.layers[l], triangle));
    }
    return working;
}

static enum qsv_status add_codes(struct qsv_footprint *out, const struct qsv_inputs *in,
                                 struct qsv_error *err)
{
    const size_t n = in->model->graph.n_layers;
    bool *mine = qsv_alloc(n, sizeof *mine), *one = qsv_alloc(n, sizeof *one);
    enum qsv_status st = mine && one ? QSV_OK : qsv_fail_memory(err, "a plan");
    for (uint32_t p = 0; !st && p < qsv_codes_parts(&in->codes); p++) {
        st = qsv_codes_part_layers(&in->codes, p, mine, err);
        if (st)
            break;
        const uint64_t collecting =
            qsv_statistics_bytes(in->model, mine) + out->engine + weights_in(in->model, QSV_F32);
        out->codes = larger(out->codes, larger(collecting, part_bytes(in, mine, one)));
    }
    free(mine);
    free(one);
    return st;
}

static uint64_t shared_bytes(const struct qsv_model *m)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < m->tensors.n; i++)
        sum += m->tensors.v[i].bytes;
    return sum;
}

/* The selected network is run from its file beside the others, by an engine of its own. */
static uint64_t exported_bytes(const struct qsv_footprint *out, const struct qsv_inputs *in)
{
    const struct qsv_spec *s = in->spec;
    const enum qsv_format widest = s->search.formats[0];
    return out->engine + weights_in(in->model, widest) + 2 * in->model->graph.n_weights;
}

enum qsv_status qsv_footprint_model(struct qsv_footprint *out, const struct qsv_inputs *in,
                                    uint64_t trials, struct qsv_error *err)
{
    *out = (struct qsv_footprint){.shared = shared_bytes(in->model)};
    enum qsv_status st = add_engine(out, in, trials, err);
    if (st)
        return st;
    add_weights(out, in);
    add_kept(out, in);
    if (qsv_codes_are_recorded(&in->codes))
        st = add_codes(out, in, err);
    out->exported = exported_bytes(out, in);
    const uint64_t always = out->engine + out->bank + out->kept;
    const uint64_t evaluating = always + larger(out->weights, out->exported);
    out->rank = PROGRAM_BYTES + larger(evaluating, out->engine + out->codes);
    return st;
}
