/* A model's view of a data set: its images at the size of the model's input. */
#ifndef QSV_IMAGES_H
#define QSV_IMAGES_H

#include "core/dataset.h"
#include "core/model.h"
#include "jobs/spec.h"

struct qsv_images {
    struct qsv_dataset *dataset;
    struct qsv_shape shape; /* of the model's input */
    uint32_t factor;        /* what images are enlarged by */
};

/* What a spec says of images; its texts stay the spec's. */
struct qsv_dataset_source qsv_images_source(const struct qsv_spec_images *s);

/* Checks that the data set suits the model; takes it over, also on failure. */
enum qsv_status qsv_images_init(struct qsv_images *v, struct qsv_dataset *dataset,
                                const struct qsv_model *model, struct qsv_error *err);
void qsv_images_fini(struct qsv_images *v);

/* Bytes of one image at the model's size. */
size_t qsv_images_bytes(const struct qsv_images *v);

/* numbers [n] -> pixels [n][h][w][c], labels [n]. By several threads at once where the data set may
 * be read so. */
enum qsv_status qsv_images_read(const struct qsv_images *v, const uint32_t *numbers, uint32_t n,
                                uint8_t *pixels, uint32_t *labels, struct qsv_error *err);

/* Images a call of the engine and thread: at most 32, and so many that the largest values that live
 * together take at most 512 MiB. */
uint32_t qsv_images_batch(const struct qsv_model *model);

#endif
