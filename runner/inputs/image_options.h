/* The options by which commands are told of a data set, beside its files. */
#ifndef QSV_IMAGE_OPTIONS_H
#define QSV_IMAGE_OPTIONS_H

#include "core/dataset.h"
#include "runner/base/options.h"

struct qsv_image_options {
    const char *kind; /* NULL: recognised */
    uint64_t resize, crop;
    unsigned interpolation; /* an enum qsv_interpolation */
    unsigned on_error;      /* an enum qsv_on_error */
};

extern const char qsv_image_kind_help[]; /* names all kinds */

/* Rows for a command's table; `at` is the offset of a struct qsv_image_options in its values. */
#define QSV_IMAGE_OPTIONS(at)                                                                      \
    {QSV_OPTION_TEXT,                                                                              \
     "kind",                                                                                       \
     0,                                                                                            \
     "NAME",                                                                                       \
     (at) + offsetof(struct qsv_image_options, kind),                                              \
     false,                                                                                        \
     NULL,                                                                                         \
     0,                                                                                            \
     qsv_image_kind_help},                                                                         \
        {QSV_OPTION_COUNT,                                                                         \
         "resize",                                                                                 \
         0,                                                                                        \
         "N",                                                                                      \
         (at) + offsetof(struct qsv_image_options, resize),                                        \
         false,                                                                                    \
         "256",                                                                                    \
         QSV_MAX_RESIZE,                                                                           \
         "of JPEG and PNG images: what the short side is resized to"},                             \
        {QSV_OPTION_COUNT,                                                                         \
         "crop",                                                                                   \
         0,                                                                                        \
         "N",                                                                                      \
         (at) + offsetof(struct qsv_image_options, crop),                                          \
         false,                                                                                    \
         "224",                                                                                    \
         QSV_MAX_RESIZE,                                                                           \
         "then a square of this side is cut out of the middle"},                                   \
        {QSV_OPTION_CHOICE,                                                                        \
         "interpolation",                                                                          \
         0,                                                                                        \
         "bicubic|bilinear",                                                                       \
         (at) + offsetof(struct qsv_image_options, interpolation),                                 \
         false,                                                                                    \
         "bicubic",                                                                                \
         0,                                                                                        \
         "what the resized image is computed by"},                                                 \
    {                                                                                              \
        QSV_OPTION_CHOICE, "on-error", 0, "fail|skip",                                             \
            (at) + offsetof(struct qsv_image_options, on_error), false, "fail", 0,                 \
            "JPEG and PNG images that can't be decoded: end with an error, or leave them out"      \
    }

/* Puts them into a source. QSV_EUSAGE for sizes that don't fit each other. */
enum qsv_status qsv_image_options_apply(const struct qsv_image_options *o,
                                        struct qsv_dataset_source *source, struct qsv_error *err);

/* Lines that name the images that were left out, the first ones; nothing where none was. */
void qsv_image_options_print_skipped(const struct qsv_dataset *d, struct qsv_strbuf *out);

#endif
