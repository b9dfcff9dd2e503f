#include <inttypes.h>

#include "core/pack.h"
#include "runner/commands.h"
#include "runner/image_options.h"
#include "runner/stop.h"

struct values {
    const char *images, *labels, *output;
    struct qsv_image_options how;
};

#define AT(field) offsetof(struct values, field)

static const struct qsv_option options[] = {
    {QSV_OPTION_OPERAND, "IMAGES", 0, NULL, AT(images), true, NULL, 0,
     "images: a folder or a tar archive of JPEG and PNG files, IDX, CIFAR's files"},
    {QSV_OPTION_TEXT, "output", 'o', "FILE.h5", AT(output), true, NULL, 0,
     "data set to write; it appears when it is complete"},
    {QSV_OPTION_TEXT, "labels", 0, "FILE", AT(labels), false, NULL, 0,
     "labels in a file of their own: IDX, ImageNet's development kit, Kaggle's or another CSV"},
    QSV_IMAGE_OPTIONS(AT(how)),
    {.type = QSV_OPTION_END},
};

static bool stopped(void *stop)
{
    return qsv_stop_asked(stop);
}

static enum qsv_status pack(const struct values *v, struct qsv_dataset *d, FILE *out,
                            struct qsv_error *err)
{
    struct qsv_stop stop = {.flag = qsv_stop_on_signals()};
    const struct qsv_shape s = qsv_dataset_shape(d);
    enum qsv_status st = qsv_pack(v->output, d, stopped, &stop, err);
    if (st)
        return st;
    struct qsv_strbuf text = {0};
    qsv_strbuf_printf(&text, "%s: %" PRIu64 " images of %ux%ux%u\n", v->output,
                      qsv_dataset_count(d), s.c, s.h, s.w);
    return qsv_print(out, &text, err);
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_dataset_source source = {.images = v->images, .labels = v->labels};
    struct qsv_dataset *d = NULL;
    enum qsv_status st = qsv_image_options_apply(&v->how, &source, err);
    if (!st)
        st = qsv_dataset_open(&d, &source, err);
    if (!st)
        st = pack(v, d, in->out, err);
    qsv_dataset_close(d);
    return st;
}

const struct qsv_command qsv_cmd_pack = {
    .name = "pack",
    .summary = "Decodes a data set into one HDF5 file",
    .synopsis = "IMAGES -o FILE.h5 [--labels FILE] [--kind NAME]\n"
                "    [--resize N] [--crop N] [--interpolation bicubic|bilinear]",
    .details = "Pixels as a model takes them, labels, and what images and classes are called.\n"
               "Images lie in the file uncompressed, each with a checksum. An image that can't\n"
               "be decoded ends it by name, and then nothing is written.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
