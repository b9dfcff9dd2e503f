#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "runner/program/commands.h"
#include "runner/inputs/image_options.h"
#include "runner/base/stop.h"

/* Lines that are printed: classes, and files that can't be read. */
enum { SHOWN_CLASSES = 5, SHOWN_FAILURES = 10 };

struct values {
    const char *action, *images, *labels;
    struct qsv_image_options how;
};

#define AT(field) offsetof(struct values, field)

static const struct qsv_option options[] = {
    {QSV_OPTION_OPERAND, "check", 0, NULL, AT(action), true, NULL, 0, "what to do with it"},
    {QSV_OPTION_OPERAND, "IMAGES", 0, NULL, AT(images), true, NULL, 0,
     "images: a folder or a tar archive of JPEG and PNG files, HDF5, IDX, CIFAR's files"},
    {QSV_OPTION_TEXT, "labels", 0, "FILE", AT(labels), false, NULL, 0,
     "labels in a file of their own: IDX, ImageNet's development kit, Kaggle's or another CSV"},
    QSV_IMAGE_OPTIONS(AT(how)),
    {.type = QSV_OPTION_END},
};

/* What a data set holds. */
struct census {
    uint64_t *images; /* [n]: of each class */
    uint32_t n, n_there;
    uint64_t fewest, most; /* of a class that has some */
    uint64_t unreadable;
};

static enum qsv_status count_classes(struct census *c, struct qsv_dataset *d, struct qsv_error *err)
{
    c->n = qsv_dataset_max_label(d) + 1;
    c->images = qsv_alloc(c->n, sizeof *c->images);
    if (!c->images)
        return qsv_fail_memory(err, "classes");
    for (uint64_t i = 0; i < qsv_dataset_count(d); i++) {
        uint32_t label;
        enum qsv_status st = qsv_dataset_read(d, i, NULL, &label, err);
        if (st)
            return st;
        c->images[label]++;
    }
    for (uint32_t k = 0; k < c->n; k++) {
        const uint64_t n = c->images[k];
        c->n_there += n > 0;
        if (n && (!c->fewest || n < c->fewest))
            c->fewest = n;
        if (n > c->most)
            c->most = n;
    }
    return QSV_OK;
}

/* Reads, and so decodes, every image. */
static enum qsv_status read_all(struct census *c, struct qsv_strbuf *failures,
                                struct qsv_dataset *d, struct qsv_error *err)
{
    const struct qsv_shape s = qsv_dataset_shape(d);
    const struct qsv_stop stop = {.flag = qsv_stop_on_signals()};
    uint8_t *pixels = qsv_alloc((size_t)s.h * s.w, s.c);
    enum qsv_status st = pixels ? QSV_OK : qsv_fail_memory(err, "an image");
    for (uint64_t i = 0; !st && i < qsv_dataset_count(d); i++) {
        if (qsv_stop_asked(&stop)) {
            st = qsv_fail(err, QSV_ESTOPPED, "stopped after %" PRIu64 " images", i);
        } else if ((st = qsv_dataset_read(d, i, pixels, NULL, err)) == QSV_EINPUT) {
            if (c->unreadable++ < SHOWN_FAILURES)
                qsv_strbuf_printf(failures, "unreadable   %s\n", err->text);
            st = QSV_OK;
        }
    }
    free(pixels);
    return st;
}

static void describe(struct qsv_strbuf *out, const struct census *c, const struct qsv_dataset *d)
{
    const struct qsv_shape s = qsv_dataset_shape(d);
    qsv_strbuf_printf(out, "images       %" PRIu64 " of %ux%ux%u\n", qsv_dataset_count(d), s.c, s.h,
                      s.w);
    qsv_image_options_print_skipped(d, out);
    qsv_strbuf_printf(out, "classes      %u of 0 to %u, %" PRIu64, c->n_there, c->n - 1, c->fewest);
    if (c->most > c->fewest)
        qsv_strbuf_printf(out, " to %" PRIu64, c->most);
    qsv_strbuf_puts(out, " images each\n");
    for (uint32_t k = 0; k < c->n && k < SHOWN_CLASSES; k++) {
        const char *name = qsv_dataset_class_name(d, k);
        qsv_strbuf_printf(out, "%12u %s, %" PRIu64 " images\n", k, name ? name : "(no name)",
                          c->images[k]);
    }
    if (c->n > SHOWN_CLASSES)
        qsv_strbuf_puts(out, "             ...\n");
}

static enum qsv_status check(const char *path, struct qsv_dataset *d, FILE *file,
                             struct qsv_error *err)
{
    struct census c = {0};
    struct qsv_strbuf out = {0}, failures = {0};
    enum qsv_status st = count_classes(&c, d, err);
    if (!st)
        st = read_all(&c, &failures, d, err);
    if (!st) {
        describe(&out, &c, d);
        qsv_strbuf_add(&out, failures.text ? failures.text : "", failures.len);
        if (c.unreadable > SHOWN_FAILURES)
            qsv_strbuf_puts(&out, "unreadable   ...\n");
        qsv_strbuf_printf(&out, "fingerprint  %016" PRIx64 "\n", qsv_dataset_fingerprint(d));
        out.failed = out.failed || failures.failed;
        st = qsv_print(file, &out, err);
    }
    if (!st && c.unreadable)
        st = qsv_fail(err, QSV_EINPUT, "%s: %" PRIu64 " of %" PRIu64 " images can't be read", path,
                      c.unreadable, qsv_dataset_count(d));
    qsv_strbuf_fini(&out);
    qsv_strbuf_fini(&failures);
    free(c.images);
    return st;
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    struct qsv_dataset_source source = {.images = v->images, .labels = v->labels};
    struct qsv_dataset *d = NULL;
    if (strcmp(v->action, "check") != 0)
        return qsv_fail(err, QSV_EUSAGE, "unknown action '%s', expected: qsvit dataset check",
                        v->action);
    enum qsv_status st = qsv_image_options_apply(&v->how, &source, err);
    if (!st)
        st = qsv_dataset_open(&d, &source, err);
    if (!st)
        st = check(v->images, d, in->out, err);
    qsv_dataset_close(d);
    return st;
}

const struct qsv_command qsv_cmd_dataset = {
    .name = "dataset",
    .summary = "Checks a data set: classes, every image, fingerprint",
    .synopsis = "check IMAGES [--labels FILE] [--kind NAME]\n"
                "    [--resize N] [--crop N] [--interpolation bicubic|bilinear]\n"
                "    [--on-error fail|skip]",
    .details = "Reads every image, and names those that can't be decoded. Prints how many images\n"
               "and classes there are, and the first classes by name: a wrong order of classes\n"
               "costs all accuracy and is no error anywhere else. The exit status is 2 where an\n"
               "image can't be read.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
