#include "runner/forecast/speed.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/kernels/kernels.h"
#include "core/statistics.h"
#include "runner/inputs/calibrate.h"
#include "runner/inputs/images.h"

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

/* A network with an engine and some images, on one thread. */
struct stand {
    struct qsv_inputs *in;
    struct qsv_bank *bank;
    struct qsv_engine *engine;
    uint32_t images;
    uint8_t *pixels; /* [images][h][w][c] */
    float *logits;   /* [images][classes] */
};

static void stand_fini(struct stand *s)
{
    qsv_engine_destroy(s->engine);
    qsv_bank_destroy(s->bank);
    free(s->pixels);
    free(s->logits);
}

/* Codes are rounded ones: no kernel is faster or slower for better ones. */
static enum qsv_status stand_init(struct stand *s, struct qsv_inputs *in, uint32_t images,
                                  struct qsv_error *err)
{
    const struct qsv_quantizer round = {qsv_quantizer_find("round"), QSV_SCALE_MAX, QSV_F32};
    *s = (struct stand){.in = in, .images = images};
    s->logits = qsv_alloc(images, in->model->classes * sizeof *s->logits);
    enum qsv_status st = s->logits ? QSV_OK : qsv_fail_memory(err, "a measurement");
    if (!st)
        st = read_pixels(&s->pixels, in, images, err);
    if (!st)
        st = qsv_bank_create(&s->bank, in->model, &round, err);
    return st ? st : qsv_engine_create(&s->engine, in->model, images, err);
}

static enum qsv_status run_once(struct stand *s, struct qsv_network *n, double *seconds,
                                struct qsv_error *err)
{
    struct qsv_engine_output out = {.logits = s->logits};
    const double began_s = qsv_clock_thread_s();
    enum qsv_status st =
        qsv_engine_run(s->engine, s->pixels, s->images, &n, 1, &out, NULL, NULL, err);
    *seconds += qsv_clock_thread_s() - began_s;
    return st;
}

/* Processor seconds of an image, all layers in the format. */
static enum qsv_status time_format(struct stand *s, enum qsv_format format, double *image_s,
                                   struct qsv_error *err)
{
    const size_t n_layers = s->in->model->graph.n_layers;
    uint8_t *formats = qsv_alloc(n_layers, 1);
    struct qsv_network *n = NULL;
    double seconds = 0;
    uint32_t calls = 0;
    if (!formats)
        return qsv_fail_memory(err, "a measurement");
    memset(formats, format, n_layers);
    enum qsv_status st = qsv_network_create(&n, s->in->model, s->bank, formats, err);
    if (!st)
        st = run_once(s, n, &seconds, err); /* prepares the weights */
    for (seconds = 0; !st && seconds < round_s; calls++)
        st = run_once(s, n, &seconds, err);
    if (!st)
        *image_s = seconds / (calls * s->images);
    qsv_network_destroy(n);
    free(formats);
    return st;
}

static enum qsv_status measure_networks(struct qsv_speed *out, struct qsv_inputs *in,
                                        struct qsv_error *err)
{
    struct stand s;
    enum qsv_status st = stand_init(&s, in, out->images, err);
    if (!st)
        st = time_format(&s, QSV_F32, &out->real_s, err);
    out->integer_s = out->real_s;
    if (!st && out->format != QSV_F32)
        st = time_format(&s, out->format, &out->integer_s, err);
    stand_fini(&s);
    return st;
}

/* Processor seconds of one image through f32, with statistics of some layers. */
static enum qsv_status time_layers(double *seconds, struct qsv_inputs *in, const bool *layers,
                                   struct qsv_error *err)
{
    const struct qsv_codes *c = &in->codes;
    struct qsv_statistics *s;
    enum qsv_status st = qsv_statistics_create(&s, in->model, layers, err);
    if (st)
        return st;
    const double began_s = qsv_clock_thread_s();
    st = qsv_calibrate(s, c->images, 0, c->partition->order[c->set], 1, NULL, err);
    *seconds = qsv_clock_thread_s() - began_s;
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
    const struct qsv_kernels *kernels = qsv_kernels_choose();
    *out = (struct qsv_speed){.format = choose_format(in->spec),
                              .isa = kernels ? kernels->isa : "",
                              .images = qsv_images_batch(in->model)};
    enum qsv_status st = measure_networks(out, in, err);
    out->makes_codes = qsv_codes_are_recorded(&in->codes) && !qsv_codes_are_complete(&in->codes);
    if (!st && out->makes_codes)
        st = measure_statistics(out, in, err);
    return st;
}
