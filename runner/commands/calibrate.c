#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/statistics.h"
#include "jobs/spec.h"
#include "runner/inputs/calibrate.h"
#include "runner/program/commands.h"
#include "runner/inputs/export.h"
#include "runner/inputs/image_options.h"
#include "runner/inputs/quantizers.h"

struct values {
    const char *spec, *model, *dataset, *labels, *output, *bank, *quantizer;
    uint64_t images;
    struct qsv_image_options how;
};

#define AT(field) offsetof(struct values, field)

static const struct qsv_option options[] = {
    {QSV_OPTION_OPERAND, "SPEC", 0, NULL, AT(spec), false, NULL, 0,
     "a sweep's spec: its model, and the images that it decides on"},
    {QSV_OPTION_TEXT, "model", 'm', "MODEL", AT(model), false, NULL, 0,
     "the model to quantize, as import wrote it"},
    {QSV_OPTION_TEXT, "dataset", 'd', "FILE", AT(dataset), false, NULL, 0,
     "images: an HDF5 or IDX file, CIFAR's files, JPEG and PNG in a folder or a tar archive"},
    {QSV_OPTION_TEXT, "labels", 0, "FILE", AT(labels), false, NULL, 0,
     "labels in a file of their own: IDX, ImageNet's development kit, Kaggle's or another CSV"},
    QSV_IMAGE_OPTIONS(AT(how)),
    {QSV_OPTION_COUNT, "images", 'n', "N", AT(images), false, "1024", 0,
     "how many images, spread evenly over the file"},
    {QSV_OPTION_TEXT, "output", 'o', "STATS.h5", AT(output), false, NULL, 0,
     "write the statistics, for quantize --stats"},
    {QSV_OPTION_TEXT, "bank", 0, "BANK.h5", AT(bank), false, NULL, 0,
     "write the codes of every layer in every integer format, for quantize --bank"},
    {QSV_OPTION_TEXT, "quantizer", 0, "NAME", AT(quantizer), false, "compensated", 0,
     "how the bank's codes are chosen: compensated, searched (better and slower), gptq, mse or "
     "max"},
    {.type = QSV_OPTION_END},
};

/* What to run on what. */
struct source {
    const char *model;
    struct qsv_dataset_source images;
    struct qsv_spec *spec; /* NULL where options name them */
};

static enum qsv_status find_source(struct source *out, const struct values *v,
                                   struct qsv_error *err)
{
    *out =
        (struct source){.model = v->model, .images = {.images = v->dataset, .labels = v->labels}};
    if (!v->spec)
        return qsv_image_options_apply(&v->how, &out->images, err);
    enum qsv_status st = qsv_spec_read(&out->spec, v->spec, err);
    if (st)
        return st;
    const struct qsv_spec *s = out->spec;
    out->model = s->model;
    out->images = qsv_images_source(s->has_calibration ? &s->calibration : &s->dataset);
    return QSV_OK;
}

static enum qsv_status check_usage(const struct values *v, struct qsv_error *err)
{
    struct qsv_quantizer any;
    if (v->spec && (v->model || v->dataset || v->labels))
        return qsv_fail(err, QSV_EUSAGE,
                        "%s names model and images: it excludes --model, --dataset and --labels",
                        v->spec);
    if (!v->spec && !(v->model && v->dataset))
        return qsv_fail(err, QSV_EUSAGE, "give --model MODEL and --dataset FILE, or a SPEC");
    if (!v->output && !v->bank)
        return qsv_fail(err, QSV_EUSAGE, "nothing to write: give -o STATS.h5, --bank BANK.h5");
    if (!v->images)
        return qsv_fail(err, QSV_EUSAGE, "option --images: 0 images tell nothing");
    enum qsv_status st = qsv_quantizers_choose(&any, v->quantizer, err);
    return st;
}

static enum qsv_status check_outputs(const struct values *v, const char *model,
                                     struct qsv_error *err)
{
    enum qsv_status st = v->output ? qsv_export_keep_input(v->output, model, err) : QSV_OK;
    return st || !v->bank ? st : qsv_export_keep_input(v->bank, model, err);
}

static enum qsv_status collect(struct qsv_statistics *s, struct qsv_images *images, uint64_t wanted,
                               struct qsv_error *err)
{
    const uint64_t there = qsv_dataset_count(images->dataset);
    const uint32_t n = (uint32_t)(there < wanted ? there : wanted);
    const struct qsv_stop stop = {.flag = qsv_stop_on_signals()};
    if (there > UINT32_MAX)
        return qsv_fail(err, QSV_EINPUT, "%" PRIu64 " images, at most %u can be numbered", there,
                        UINT32_MAX);
    uint32_t *numbers = qsv_alloc((size_t)n + 1, sizeof *numbers);
    if (!numbers)
        return qsv_fail_memory(err, "calibration");
    for (uint32_t i = 0; i < n; i++)
        numbers[i] = (uint32_t)(there * i / n);
    enum qsv_status st =
        qsv_calibrate(s, images, qsv_dataset_fingerprint(images->dataset), numbers, n, &stop, err);
    free(numbers);
    return st;
}

static enum qsv_status open_images(struct qsv_images *images,
                                   const struct qsv_dataset_source *source,
                                   const struct qsv_model *model, struct qsv_error *err)
{
    struct qsv_dataset *d;
    enum qsv_status st = qsv_dataset_open(&d, source, err);
    return st ? st : qsv_images_init(images, d, model, err);
}

static enum qsv_status write_statistics(const struct values *v, const struct qsv_statistics *s,
                                        double seconds, FILE *out, struct qsv_error *err)
{
    size_t n;
    enum qsv_status st = v->output ? qsv_statistics_save(s, v->output, err) : QSV_OK;
    qsv_statistics_images(s, &n);
    if (!st)
        fprintf(out, "%s: %zu layers' inputs on %zu images, %.1f MB, %.1f s\n",
                v->output ? v->output : "statistics", qsv_statistics_model(s)->graph.n_layers, n,
                (double)qsv_statistics_bytes(qsv_statistics_model(s), NULL) / 1e6, seconds);
    return st;
}

static enum qsv_status write_bank(const struct values *v, const struct qsv_model *model,
                                  const struct qsv_statistics *s, FILE *out, struct qsv_error *err)
{
    const struct qsv_bank_entry *entry;
    const double began_s = qsv_clock_monotonic_s();
    const struct qsv_stop stop = {.flag = qsv_stop_on_signals()};
    struct qsv_quantizer q;
    struct qsv_bank *bank = NULL;
    uint32_t n = 0;
    enum qsv_status st = qsv_quantizers_choose(&q, v->quantizer, err);
    if (!st)
        st = qsv_bank_create(&bank, model, &q, err);
    if (!st)
        st = qsv_bank_use_statistics(bank, s, err);
    for (uint32_t l = 0; !st && l < model->graph.n_layers; l++)
        for (int f = 0; !st && f < QSV_N_FORMATS; f++) {
            if (!qsv_format_info(f)->integer)
                continue;
            if (qsv_stop_asked(&stop))
                st = qsv_fail(err, QSV_ESTOPPED, "stopped after %u of %zu layers", l,
                              model->graph.n_layers);
            else
                st = qsv_bank_get(&entry, bank, l, f, err);
            n++;
        }
    if (!st)
        st = qsv_bank_save(bank, v->bank, err);
    if (!st)
        fprintf(out, "%s: %u sets of codes by %s, %.1f s\n", v->bank, n, v->quantizer,
                qsv_clock_monotonic_s() - began_s);
    qsv_bank_destroy(bank);
    return st;
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_model *model = NULL;
    struct qsv_statistics *s = NULL;
    struct qsv_images images = {0};
    double began_s = 0;
    struct source source = {0};
    enum qsv_status st = check_usage(v, err);
    if (!st)
        st = find_source(&source, v, err);
    if (!st)
        st = check_outputs(v, source.model, err);
    if (!st)
        st = qsv_model_load(&model, source.model, err);
    if (!st)
        st = qsv_statistics_create(&s, model, NULL, err);
    if (!st)
        st = open_images(&images, &source.images, model, err);
    if (!st) {
        began_s = qsv_clock_monotonic_s();
        st = collect(s, &images, v->images, err);
    }
    if (!st)
        st = write_statistics(v, s, qsv_clock_monotonic_s() - began_s, in->out, err);
    if (!st && v->bank)
        st = write_bank(v, model, s, in->out, err);
    if (images.dataset)
        qsv_images_fini(&images);
    qsv_statistics_destroy(s);
    qsv_model_destroy(model);
    qsv_spec_destroy(source.spec);
    return st;
}

const struct qsv_command qsv_cmd_calibrate = {
    .name = "calibrate",
    .summary = "Collects what a model's layers read, from which codes are chosen",
    .synopsis = "SPEC | -m MODEL -d DATASET [--labels FILE] [--kind NAME]\n"
                "    [--resize N] [--crop N] [--interpolation bicubic|bilinear]\n"
                "    [--on-error fail|skip]\n"
                "    [--images N] [-o STATS.h5] [--bank BANK.h5 [--quantizer NAME]]",
    .details = "Second moments of every layer's input in the f32 model. The quantizers gptq and\n"
               "compensated choose codes by them that lose least in each layer's output. Take\n"
               "images that the quantized model is not judged on.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
