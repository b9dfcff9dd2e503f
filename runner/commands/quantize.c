#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/statistics.h"
#include "runner/program/commands.h"
#include "runner/inputs/export.h"
#include "runner/inputs/formats.h"
#include "runner/inputs/quantizers.h"

struct values {
    const char *model, *output, *format_all, *setting, *quantizer, *stats, *bank;
    unsigned affine;
};

static const struct qsv_option options[] = {
    {.type = QSV_OPTION_TEXT,
     .name = "model",
     .letter = 'm',
     .argument = "MODEL",
     .target = offsetof(struct values, model),
     .required = true,
     .help = "the model to quantize, as import wrote it"},
    {.type = QSV_OPTION_TEXT,
     .name = "output",
     .letter = 'o',
     .argument = "OUT",
     .target = offsetof(struct values, output),
     .required = true,
     .help = "what to write: OUT.h5 with packed codes, or OUT.safetensors with f32 tensors under "
             "the checkpoint's names"},
    {.type = QSV_OPTION_TEXT,
     .name = "format-all",
     .argument = "FORMAT",
     .target = offsetof(struct values, format_all),
     .help = "every layer in this format: f32, f16, int8, int6, int5, int4, int3, int2, ternary, "
             "binary or none"},
    {.type = QSV_OPTION_TEXT,
     .name = "setting",
     .argument = "FILE",
     .target = offsetof(struct values, setting),
     .help = "layers in the formats that a setting file gives"},
    {.type = QSV_OPTION_TEXT,
     .name = "quantizer",
     .argument = "NAME",
     .target = offsetof(struct values, quantizer),
     .help = "how codes are chosen: mse (the default) or max: rounded, a channel's scale by least "
             "squared error or by its largest weight; gptq, compensated or searched: by what they "
             "lose in "
             "the layer's output, with --stats"},
    {.type = QSV_OPTION_TEXT,
     .name = "stats",
     .argument = "STATS.h5",
     .target = offsetof(struct values, stats),
     .help = "statistics of the layers' inputs, as calibrate wrote them"},
    {.type = QSV_OPTION_TEXT,
     .name = "bank",
     .argument = "BANK.h5",
     .target = offsetof(struct values, bank),
     .help = "take the codes that calibrate --bank wrote"},
    {.type = QSV_OPTION_CHOICE,
     .name = "affine",
     .argument = "f32|f16|int8",
     .target = offsetof(struct values, affine),
     .fallback = "f32",
     .help = "what multipliers and shifts are stored as; f16, int8: with an exponent a vector, "
             "int8 only where weights have "
             "at most two bits"},
    {.type = QSV_OPTION_END},
};

/* The bank that the options ask for. */
static enum qsv_status make_bank(struct qsv_loaded *x, const struct values *v,
                                 struct qsv_statistics **statistics, struct qsv_error *err)
{
    struct qsv_quantizer q;
    if (x->model->folded)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: is quantized already; formats can be chosen for the model that it was "
                        "made from",
                        x->model->path);
    if (v->bank)
        return qsv_bank_load(&x->bank, x->model, v->bank, err);
    enum qsv_status st = qsv_quantizers_choose(&q, v->quantizer ? v->quantizer : "mse", err);
    if (!st)
        st = qsv_bank_create(&x->bank, x->model, &q, err);
    if (!st && v->stats)
        st = qsv_statistics_load(statistics, x->model, v->stats, err);
    if (!st && v->stats)
        st = qsv_bank_use_statistics(x->bank, *statistics, err);
    return st;
}

static enum qsv_status quantize(struct qsv_loaded *x, const struct values *v, FILE *out,
                                struct qsv_error *err)
{
    struct qsv_statistics *statistics = NULL;
    uint8_t *formats = qsv_alloc(x->model->graph.n_layers, 1);
    if (!formats)
        return qsv_fail_memory(err, "a setting");
    enum qsv_status st =
        qsv_formats_choose(formats, v->format_all, v->setting, &x->model->graph, err);
    if (!st)
        st = make_bank(x, v, &statistics, err);
    if (!st) {
        struct qsv_quantizer q = *qsv_bank_quantizer(x->bank);
        q.affine = (enum qsv_format)v->affine;
        st = qsv_export_write(x, formats, &q, v->output, out, err);
    }
    free(formats);
    qsv_statistics_destroy(statistics);
    return st;
}

static enum qsv_status check_usage(const struct values *v, struct qsv_error *err)
{
    struct qsv_quantizer q;
    if (!v->format_all && !v->setting)
        return qsv_fail(err, QSV_EUSAGE, "no formats: give --format-all FORMAT or --setting FILE");
    if (v->bank && (v->quantizer || v->stats))
        return qsv_fail(err, QSV_EUSAGE,
                        "--bank holds codes that were chosen already: it excludes --quantizer and "
                        "--stats");
    if (!v->quantizer)
        return QSV_OK;
    enum qsv_status st = qsv_quantizers_choose(&q, v->quantizer, err);
    if (!st && qsv_quantizer_needs_statistics(&q) && !v->stats)
        st = qsv_fail(err, QSV_EUSAGE,
                      "--quantizer %s needs --stats STATS.h5, which qsvit calibrate writes",
                      v->quantizer);
    return st;
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_loaded x = {0};
    enum qsv_status st = check_usage(v, err);
    if (!st)
        st = qsv_export_check(v->output, v->model, err);
    if (!st)
        st = qsv_loaded_open(&x, v->model, err);
    if (!st)
        st = quantize(&x, v, in->out, err);
    qsv_loaded_fini(&x);
    return st;
}

const struct qsv_command qsv_cmd_quantize = {
    .name = "quantize",
    .summary = "Writes a model with its weights in given formats",
    .synopsis = "-m MODEL --format-all FORMAT|--setting FILE -o OUT\n"
                "    [--quantizer NAME [--stats STATS.h5] | --bank BANK.h5]\n"
                "    [--affine f32|f16|int8]",
    .details = "OUT.h5 is a model file that eval runs, with bit-packed codes. OUT.safetensors\n"
               "goes back to PyTorch: the same weights as f32 numbers.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
