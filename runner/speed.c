#include "runner/speed.h"

#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/kernels/kernels.h"
#include "core/statistics.h"
#include "runner/bench_models.h"
#include "runner/calibrate.h"
#include "runner/workbench.h"
#include "schedulers/cores.h"

static const double round_s = 0.3;

/* The narrowest one, which most layers of a search's settings have. */
static enum qsv_format choose_format(const struct qsv_spec *spec)
{
    enum qsv_format format = QSV_F32;
    for (uint32_t f = 0; f < spec->search.n_formats; f++)
        if (qsv_format_info(spec->search.formats[f])->integer &&
            spec->search.formats[f] != QSV_NONE)
            format = spec->search.formats[f];
    return format;
}

/* Images [n] from the beginning of the order, again from there where it has fewer. */
static enum qsv_status read_pixels(uint8_t **out, struct qsv_inputs *in, uint32_t n,
                                   struct qsv_error *err)
{
    const struct qsv_partition *p = &in->partition;
    const enum qsv_image_set set = p->n_decide ? QSV_DECIDE : QSV_JUDGE;
    const uint64_t there = set == QSV_DECIDE ? p->n_decide : p->n_judge;
    const size_t bytes = qsv_images_bytes(&in->images[set]);
    uint32_t label;
    enum qsv_status st = QSV_OK;
    *out = qsv_alloc(n, bytes);
    if (!*out)
        return qsv_fail_memory(err, "images");
    for (uint32_t i = 0; !st && i < n; i++)
        st = qsv_images_read(&in->images[set], &p->order[set][i % there], 1, *out + i * bytes,
                             &label, err);
    return st;
}

static enum qsv_status measure_networks(struct qsv_speed *out, struct qsv_inputs *in,
                                        struct qsv_error *err)
{
    struct qsv_bench_model results[2];
    struct qsv_bench_models_setup setup = {.model = in->model,
                                           .formats = {QSV_F32, out->format},
                                           .n_formats = out->format == QSV_F32 ? 1 : 2,
                                           .batch = out->images,
                                           .threads = out->threads,
                                           .rounds = 1,
                                           .round_s = round_s};
    uint8_t *pixels;
    enum qsv_status st = read_pixels(&pixels, in, out->images, err);
    setup.pixels = pixels;
    if (!st)
        st = qsv_bench_models_run(results, &setup, err);
    if (!st) {
        out->real_s = 1 / results[0].images_per_s;
        out->integer_s = 1 / results[setup.n_formats - 1].images_per_s;
    }
    free(pixels);
    return st;
}

/* One image through f32, on one thread, with statistics of some layers. */
static enum qsv_status time_layers(double *seconds, struct qsv_inputs *in, const bool *layers,
                                   struct qsv_error *err)
{
    const struct qsv_codes *c = &in->codes;
    struct qsv_statistics *s;
    enum qsv_status st = qsv_statistics_create(&s, in->model, layers, err);
    if (st)
        return st;
    const double began_s = qsv_clock_monotonic_s();
    st = qsv_calibrate(s, c->images, 0, c->partition->order[c->set], 1, NULL, err);
    *seconds = qsv_clock_monotonic_s() - began_s;
    qsv_statistics_destroy(s);
    return st;
}

/* Part by part, because not all fit into memory at once; what a pass takes by itself is taken off.
 */
static enum qsv_status measure_statistics(struct qsv_speed *out, struct qsv_inputs *in,
                                          struct qsv_error *err)
{
    bool *layers = qsv_alloc(in->model->graph.n_layers, sizeof *layers);
    double bare_s = 0, part_s = 0;
    enum qsv_status st =
        layers ? time_layers(&bare_s, in, layers, err) : qsv_fail_memory(err, "a measurement");
    for (uint32_t p = 0; !st && p < qsv_codes_parts(&in->codes); p++) {
        st = qsv_codes_part_layers(&in->codes, p, layers, err);
        if (!st)
            st = time_layers(&part_s, in, layers, err);
        if (!st && part_s > bare_s)
            out->statistics_s += part_s - bare_s;
    }
    free(layers);
    return st;
}

enum qsv_status qsv_speed_measure(struct qsv_speed *out, struct qsv_inputs *in,
                                  struct qsv_error *err)
{
    const uint32_t cores = qsv_cores_available();
    const struct qsv_kernels *kernels = qsv_kernels_choose();
    *out =
        (struct qsv_speed){.format = choose_format(in->spec), .isa = kernels ? kernels->isa : ""};
    out->threads = in->spec->threads < cores ? in->spec->threads : cores;
    out->images = qsv_workbench_batch(in->model) * out->threads;
    enum qsv_status st = measure_networks(out, in, err);
    if (!st && qsv_codes_are_recorded(&in->codes) && !qsv_codes_are_complete(&in->codes))
        st = measure_statistics(out, in, err);
    return st;
}
