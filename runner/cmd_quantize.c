#include <stdlib.h>

#include "core/base/alloc.h"
#include "runner/commands.h"
#include "runner/export.h"
#include "runner/formats.h"

struct values {
    const char *model, *output, *format_all, *setting;
    unsigned scale;
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
     .help = "every layer in this format: f32, f16, int8, int6, int5, int4, int3, int2, ternary or "
             "binary"},
    {.type = QSV_OPTION_TEXT,
     .name = "setting",
     .argument = "FILE",
     .target = offsetof(struct values, setting),
     .help = "layers in the formats that a setting file gives"},
    {.type = QSV_OPTION_CHOICE,
     .name = "quantizer",
     .argument = "max|mse",
     .target = offsetof(struct values, scale),
     .fallback = "mse",
     .help = "a channel's scale: by its largest weight, or by least squared error"},
    {.type = QSV_OPTION_END},
};

static enum qsv_status quantize(struct qsv_loaded *x, const struct values *v, FILE *out,
                                struct qsv_error *err)
{
    static const enum qsv_scale_rule rules[] = {QSV_SCALE_MAX, QSV_SCALE_MSE};
    const struct qsv_quantizer q = {.name = qsv_quantizer_find("round"), .scale = rules[v->scale]};
    uint8_t *formats = qsv_alloc(x->model->graph.n_layers, 1);
    if (!formats)
        return qsv_fail_memory(err, "a setting");
    enum qsv_status st =
        qsv_formats_choose(formats, v->format_all, v->setting, &x->model->graph, err);
    if (!st)
        st = qsv_export_write(x, formats, &q, v->output, out, err);
    free(formats);
    return st;
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_loaded x = {0};
    if (!v->format_all && !v->setting)
        return qsv_fail(err, QSV_EUSAGE, "no formats: give --format-all FORMAT or --setting FILE");
    enum qsv_status st = qsv_export_check(v->output, v->model, err);
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
    .synopsis = "-m MODEL --format-all FORMAT [--quantizer max|mse] -o OUT\n"
                "-m MODEL --setting FILE [--quantizer max|mse] -o OUT",
    .details = "OUT.h5 is a model file that eval runs, with bit-packed codes. OUT.safetensors\n"
               "goes back to PyTorch: the same weights as f32 numbers.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
