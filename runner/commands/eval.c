#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/h5.h"
#include "runner/base/chance.h"
#include "runner/program/commands.h"
#include "runner/inputs/formats.h"
#include "runner/inputs/image_options.h"
#include "runner/inputs/loaded.h"
#include "runner/worker/measure.h"
#include "schedulers/cores.h"

struct values {
    const char *model, *dataset, *images, *labels;
    uint64_t limit, threads;
    const char *format_all, *setting;
    unsigned scale, affine;
    const char *logits, *trace;
    bool firing_rates;
    struct qsv_image_options how;
};

#define AT(field) offsetof(struct values, field)

static const struct qsv_option options[] = {
    {QSV_OPTION_TEXT, "model", 'm', "MODEL", AT(model), true, NULL, 0,
     "model file, as import, quantize or export wrote it"},
    {QSV_OPTION_TEXT, "dataset", 'd', "FILE", AT(dataset), false, NULL, 0,
     "images: an HDF5 or IDX file, CIFAR's files, JPEG and PNG in a folder or a tar archive"},
    {QSV_OPTION_TEXT, "images", 0, "FILE", AT(images), false, NULL, 0, "the same as --dataset"},
    {QSV_OPTION_TEXT, "labels", 0, "FILE", AT(labels), false, NULL, 0,
     "labels in a file of their own: IDX, ImageNet's development kit, Kaggle's or another CSV"},
    QSV_IMAGE_OPTIONS(AT(how)),
    {QSV_OPTION_COUNT, "limit", 0, "N", AT(limit), false, NULL, 0,
     "only the first N images of the file"},
    {QSV_OPTION_COUNT, "threads", 0, "N", AT(threads), false, NULL, 1024,
     "cores to compute with, all that this process may use unless given; a trace takes one"},
    {QSV_OPTION_TEXT, "format-all", 0, "FORMAT", AT(format_all), false, NULL, 0,
     "every layer in this format: f32, f16, int8 ... int2, ternary, binary, none"},
    {QSV_OPTION_TEXT, "setting", 0, "FILE", AT(setting), false, NULL, 0,
     "layers in the formats that a setting file gives"},
    {QSV_OPTION_CHOICE, "quantizer", 0, "max|mse", AT(scale), false, "mse", 0,
     "how scales are chosen: by the largest magnitude or by least squared error"},
    {QSV_OPTION_CHOICE, "affine", 0, "f32|f16|int8", AT(affine), false, "f32", 0,
     "what multipliers and shifts are rounded to; as quantize does"},
    {QSV_OPTION_TEXT, "logits", 0, "OUT.h5", AT(logits), false, NULL, 0,
     "write the answers: logits f32 [N, classes] and labels"},
    {QSV_OPTION_TEXT, "trace", 0, "OUT.h5", AT(trace), false, NULL, 0,
     "write every spike of every neuron; large, use --limit"},
    {QSV_OPTION_FLAG, "firing-rates", 0, NULL, AT(firing_rates), false, NULL, 0,
     "print the firing rate of every LIF layer"},
    {.type = QSV_OPTION_END},
};

static enum qsv_status check_usage(const struct values *v, struct qsv_error *err)
{
    if (!v->dataset == !v->images)
        return qsv_fail(err, QSV_EUSAGE, "%s",
                        v->dataset ? "--dataset and --images are the same: give one of them"
                                   : "no images: give --dataset FILE");
    if (v->format_all && v->setting)
        return qsv_fail(err, QSV_EUSAGE, "--format-all and --setting exclude each other");
    return QSV_OK;
}

static enum qsv_status build(struct qsv_loaded *x, const struct values *v, struct qsv_error *err)
{
    const struct qsv_quantizer quantizer = {qsv_quantizer_find("round"),
                                            v->scale ? QSV_SCALE_MSE : QSV_SCALE_MAX,
                                            (enum qsv_format)v->affine};
    uint8_t *formats = qsv_alloc(x->model->graph.n_layers, 1);
    bool given = v->format_all || v->setting;
    if (!formats)
        return qsv_fail_memory(err, "a setting");
    enum qsv_status st =
        qsv_formats_choose(formats, v->format_all, v->setting, &x->model->graph, err);
    if (!st)
        st = qsv_loaded_build(x, given ? formats : NULL, &quantizer, err);
    free(formats);
    return st;
}

/* A data set reads all its pixels when it is opened: only those that are wanted, then. */
static enum qsv_status limit_slice(struct qsv_dataset_source *source, uint64_t limit,
                                   struct qsv_error *err)
{
    struct qsv_dataset *d;
    struct qsv_dataset_source whole = *source;
    if (limit == 0)
        return QSV_OK;
    whole.on_error = QSV_ON_ERROR_FAIL; /* only counted */
    enum qsv_status st = qsv_dataset_open_again(&d, &whole, err);
    if (st)
        return st;
    source->count = qsv_dataset_count(d) < limit ? 0 : limit;
    qsv_dataset_close(d);
    return QSV_OK;
}

static enum qsv_status open_images(struct qsv_images *images, const struct values *v,
                                   const struct qsv_model *model, struct qsv_error *err)
{
    struct qsv_dataset_source source = {.images = v->dataset ? v->dataset : v->images,
                                        .labels = v->labels};
    struct qsv_dataset *d;
    enum qsv_status st = qsv_image_options_apply(&v->how, &source, err);
    if (!st)
        st = limit_slice(&source, v->limit, err);
    if (!st)
        st = qsv_dataset_open(&d, &source, err);
    return st ? st : qsv_images_init(images, d, model, err);
}

static enum qsv_status fill_logits(hid_t file, const struct qsv_measured *m, uint32_t classes,
                                   struct qsv_error *err)
{
    const struct qsv_h5_layout answers = {2, {m->n_images, classes}, 0, 0};
    const struct qsv_h5_layout labels = {1, {m->n_images}, 0, 0};
    enum qsv_status st =
        qsv_h5_write(file, "logits", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, &answers, m->logits, err);
    return st ? st
              : qsv_h5_write(file, "labels", H5T_STD_U32LE, H5T_NATIVE_UINT32, &labels, m->labels,
                             err);
}

static enum qsv_status write_logits(const char *path, const struct qsv_measured *m,
                                    uint32_t classes, struct qsv_error *err)
{
    hid_t file;
    char *temporary = qsv_file_temporary(path);
    if (!temporary)
        return qsv_fail_memory(err, path);
    enum qsv_status st = qsv_h5_create(&file, temporary, err);
    if (!st) {
        st = fill_logits(file, m, classes, err);
        enum qsv_status closed = qsv_h5_close(file, temporary, st ? NULL : err);
        st = st ? st : closed;
        if (st)
            unlink(temporary);
        else
            st = qsv_file_commit(temporary, path, err);
    }
    free(temporary);
    return st;
}

static void print_formats(struct qsv_strbuf *out, const struct qsv_loaded *x)
{
    const uint8_t *formats = qsv_network_formats(x->network);
    uint32_t layers[QSV_N_FORMATS] = {0};
    for (size_t l = 0; l < x->model->graph.n_layers; l++)
        layers[formats[l]]++;
    const char *separator = "";
    for (int f = 0; f < QSV_N_FORMATS; f++) {
        if (!layers[f])
            continue;
        qsv_strbuf_printf(out, "%s%u %s", separator, layers[f],
                          qsv_format_info((enum qsv_format)f)->name);
        separator = ", ";
    }
}

static double share_s(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static double share(uint64_t part, double whole)
{
    return share_s((double)part, whole);
}

static void print_rates(struct qsv_strbuf *out, const struct qsv_model *model,
                        const struct qsv_measured *m)
{
    const struct qsv_graph *g = &model->graph;
    qsv_strbuf_puts(out, "\nfiring rate  LIF\n");
    for (size_t i = 0; i < g->n_lifs; i++) {
        const struct qsv_lif *lif = &g->lifs[i];
        double chances = (double)lif->shape.c * lif->shape.h * lif->shape.w *
                         model->options.time_steps * m->n_images;
        qsv_strbuf_printf(out, "   %8.6f  %s\n", share(m->lif_spikes[i], chances), lif->name);
    }
}

static void print_all(struct qsv_strbuf *out, const struct values *v, const struct qsv_loaded *x,
                      const struct qsv_dataset *d, const struct qsv_measured *m)
{
    double n = m->n_images;
    qsv_strbuf_printf(out, "model   %s: ", v->model);
    print_formats(out, x);
    qsv_strbuf_printf(out, " layers\nimages  %u\n", m->n_images);
    qsv_image_options_print_skipped(d, out);
    qsv_strbuf_printf(out, "top-1   %.2f %% (%u)\n", 100 * share(m->n_top1, n), m->n_top1);
    qsv_strbuf_printf(out, "top-5   %.2f %% (%u)\n", 100 * share(m->n_top5, n), m->n_top5);
    qsv_strbuf_printf(out, "loss    %.6f\n", n > 0 ? m->loss_sum / n : 0);
    qsv_strbuf_printf(out,
                      "speed   %.1f images/s by %u thread%s (%s); %.1f %% of the time waited for "
                      "images\n",
                      m->seconds > 0 ? n / m->seconds : 0, m->threads, m->threads == 1 ? "" : "s",
                      m->isa, 100 * share_s(m->waited_s, m->waited_s + m->seconds));
    if (v->firing_rates)
        print_rates(out, x->model, m);
}

/* Of the network as it is: what a quantized one lacks may be due to that. */
static void warn_of_chance(const struct qsv_loaded *x, const struct qsv_measured *m)
{
    const uint8_t *formats = qsv_network_formats(x->network);
    struct qsv_strbuf text = {0};
    for (size_t l = 0; l < x->model->graph.n_layers; l++)
        if (formats[l] != QSV_F32)
            return;
    if (!qsv_chance_is_likely(m->n_top1, m->n_images, x->model->classes))
        return;
    qsv_chance_describe(&text, m->n_top1, m->n_images, x->model->classes);
    qsv_print_warnings(&text);
}

static enum qsv_status measure(const struct values *v, struct qsv_loaded *x,
                               struct qsv_images *images, FILE *out, struct qsv_error *err)
{
    const struct qsv_stop stop = {.flag = qsv_stop_on_signals()};
    const struct qsv_measure_options how = {
        v->trace, &stop, v->threads ? (uint32_t)v->threads : qsv_cores_available()};
    struct qsv_measured m;
    enum qsv_status st = qsv_measure(&m, x->model, x->network, images, &how, err);
    if (!st && v->logits)
        st = write_logits(v->logits, &m, x->model->classes, err);
    if (!st) {
        struct qsv_strbuf text = {0};
        print_all(&text, v, x, images->dataset, &m);
        st = qsv_print(out, &text, err);
        warn_of_chance(x, &m);
    }
    qsv_measured_fini(&m);
    return st;
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_loaded x = {0};
    struct qsv_images images = {0};
    enum qsv_status st = check_usage(v, err);
    if (!st)
        st = qsv_loaded_open(&x, v->model, err);
    if (!st)
        st = build(&x, v, err);
    if (!st)
        st = open_images(&images, v, x.model, err);
    if (!st)
        st = measure(v, &x, &images, in->out, err);
    if (images.dataset)
        qsv_images_fini(&images);
    qsv_loaded_fini(&x);
    return st;
}

const struct qsv_command qsv_cmd_eval = {
    .name = "eval",
    .summary = "Runs one model on one data set",
    .synopsis = "-m MODEL -d DATASET [--labels FILE] [--kind NAME]\n"
                "    [--resize N] [--crop N] [--interpolation bicubic|bilinear]\n"
                "    [--on-error fail|skip] [--limit N] [--threads N]\n"
                "    [--format-all FORMAT | --setting FILE] [--affine f32|f16|int8]\n"
                "    [--logits OUT.h5] [--trace OUT.h5] [--firing-rates]",
    .details = "Prints top-1, top-5, mean cross-entropy and the speed. Images are\n"
               "taken in the order of the file; their size must be the model's input or half\n"
               "of it, then every pixel is doubled.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
