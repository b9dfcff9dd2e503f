#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/import/checkpoint.h"
#include "core/model.h"
#include "runner/program/commands.h"
#include "runner/inputs/export.h"

struct values {
    const char *checkpoint, *output, *input, *mean, *std;
    uint64_t heads, time_steps;
};

static const struct qsv_option options[] = {
    {.type = QSV_OPTION_OPERAND,
     .name = "CKPT",
     .target = offsetof(struct values, checkpoint),
     .required = true,
     .help = "the checkpoint: PyTorch's zip format (.pth, .pt) or safetensors"},
    {.type = QSV_OPTION_TEXT,
     .name = "output",
     .letter = 'o',
     .argument = "MODEL.h5",
     .target = offsetof(struct values, output),
     .required = true,
     .help = "model file to write"},
    {.type = QSV_OPTION_COUNT,
     .name = "heads",
     .argument = "N",
     .target = offsetof(struct values, heads),
     .fallback = "8",
     .max = 4096,
     .help = "attention heads"},
    {.type = QSV_OPTION_COUNT,
     .name = "time-steps",
     .argument = "T",
     .target = offsetof(struct values, time_steps),
     .fallback = "4",
     .max = 4096,
     .help = "time steps an image is shown for"},
    {.type = QSV_OPTION_TEXT,
     .name = "input",
     .argument = "CxHxW",
     .target = offsetof(struct values, input),
     .fallback = "3x224x224",
     .help = "channels, height and width of an image"},
    {.type = QSV_OPTION_TEXT,
     .name = "mean",
     .argument = "M,...",
     .target = offsetof(struct values, mean),
     .help = "mean of each channel, pixels being 0 to 1 (default for 3 channels, ImageNet's: "
             "0.485,0.456,0.406)"},
    {.type = QSV_OPTION_TEXT,
     .name = "std",
     .argument = "S,...",
     .target = offsetof(struct values, std),
     .help = "standard deviation of each channel (default for 3 channels: 0.229,0.224,0.225)"},
    {.type = QSV_OPTION_END},
};

/* "3x224x224" */
static enum qsv_status parse_shape(struct qsv_shape *out, const char *text, struct qsv_error *err)
{
    enum { MOST = 1 << 16 };
    unsigned c = 0, h = 0, w = 0;
    int used = 0;
    bool digits = !text[strspn(text, "0123456789x")] && strlen(text) < 32;
    if (!digits || sscanf(text, "%ux%ux%u%n", &c, &h, &w, &used) != 3 || text[used])
        return qsv_fail(err, QSV_EUSAGE, "option --input: '%s' is not like 3x224x224", text);
    if (!c || !h || !w || c > QSV_MAX_CHANNELS || h > MOST || w > MOST)
        return qsv_fail(err, QSV_EUSAGE,
                        "option --input: %s: allowed are 1 to %d channels of 1 to %d pixels a side",
                        text, QSV_MAX_CHANNELS, MOST);
    *out = (struct qsv_shape){c, h, w};
    return QSV_OK;
}

/* "0.485,0.456,0.406": exactly n numbers above or equal to `least`. */
static enum qsv_status parse_numbers(float *out, uint32_t n, const char *option, const char *text,
                                     float least, struct qsv_error *err)
{
    const char *at = text;
    for (uint32_t i = 0; i < n; i++) {
        char *end = NULL;
        out[i] = strtof(at, &end);
        bool last = i + 1 == n;
        if (end == at || *end != (last ? '\0' : ',') || !isfinite(out[i]) || out[i] < least)
            return qsv_fail(err, QSV_EUSAGE,
                            "option --%s: '%s' is not %u number%s of %g or more, with commas "
                            "between (one a channel)",
                            option, text, n, n == 1 ? "" : "s", (double)least);
        at = end + 1;
    }
    return QSV_OK;
}

static enum qsv_status parse_options(struct qsv_model_options *o, const struct values *v,
                                     struct qsv_error *err)
{
    const char *mean = v->mean, *std = v->std;
    o->heads = (uint32_t)v->heads;
    o->time_steps = (uint32_t)v->time_steps;
    if (!o->heads || !o->time_steps)
        return qsv_fail(err, QSV_EUSAGE, "option --%s: 0 is too small, at least 1 is needed",
                        o->heads ? "time-steps" : "heads");
    enum qsv_status st = parse_shape(&o->input, v->input, err);
    if (st)
        return st;
    if (o->input.c == 3) {
        mean = mean ? mean : "0.485,0.456,0.406";
        std = std ? std : "0.229,0.224,0.225";
    }
    if (!mean || !std)
        return qsv_fail(err, QSV_EUSAGE,
                        "option --%s is needed for images of %u channel%s: a number each",
                        mean ? "std" : "mean", o->input.c, o->input.c == 1 ? "" : "s");
    st = parse_numbers(o->mean, o->input.c, "mean", mean, -1e6F, err);
    return st ? st : parse_numbers(o->std, o->input.c, "std", std, 1e-6F, err);
}

static void print_model(FILE *out, const char *path, const struct qsv_model *m)
{
    fprintf(out,
            "%s: %s, %zu layers, %" PRIu64 " weights, %" PRIu64 " bytes, T=%u, input %ux%ux%u, "
            "%u classes\n",
            path, m->architecture, m->graph.n_layers, m->graph.n_weights, m->source_bytes,
            m->options.time_steps, m->options.input.c, m->options.input.h, m->options.input.w,
            m->classes);
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_model_options model_options = {0};
    struct qsv_tensors tensors = {0};
    struct qsv_model *model = NULL;
    enum qsv_status st = parse_options(&model_options, v, err);
    if (!st)
        st = qsv_export_keep_input(v->output, v->checkpoint, err);
    if (!st)
        st = qsv_checkpoint_read(&tensors, v->checkpoint, err);
    if (!st)
        st = qsv_model_create(&model, &tensors, &model_options, v->checkpoint, err);
    if (!st)
        st = qsv_model_save(model, v->output, err);
    if (!st)
        print_model(in->out, v->output, model);
    qsv_model_destroy(model);
    qsv_tensors_fini(&tensors);
    return st;
}

const struct qsv_command qsv_cmd_import = {
    .name = "import",
    .summary = "Makes a model file from a checkpoint",
    .synopsis = "CKPT -o MODEL.h5 [--heads N] [--time-steps T]\n"
                "    [--input CxHxW] [--mean M,...] [--std S,...]",
    .details = "Widths, depths and classes are read from the checkpoint; heads, time steps,\n"
               "image size and normalisation are not in it and come from the options. Nothing\n"
               "in a checkpoint is ever executed; what else it holds (an optimizer's state,\n"
               "the arguments of the training) is passed over.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
