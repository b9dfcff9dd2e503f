#include "runner/inputs/images.h"

#include <stdlib.h>

#include "core/base/alloc.h"

static const size_t batch_bytes = (size_t)1 << 29;

static size_t bytes_of(struct qsv_shape s)
{
    return (size_t)s.c * s.h * s.w;
}

struct qsv_dataset_source qsv_images_source(const struct qsv_spec_images *s)
{
    return (struct qsv_dataset_source){s->format, s->images,    s->labels,  s->first,
                                       s->count,  s->transform, s->on_error};
}

enum qsv_status qsv_images_init(struct qsv_images *v, struct qsv_dataset *dataset,
                                const struct qsv_model *model, struct qsv_error *err)
{
    *v = (struct qsv_images){.dataset = dataset, .shape = model->options.input};
    enum qsv_status st =
        qsv_dataset_check(dataset, model->options.input, model->classes, &v->factor, err);
    if (st)
        qsv_images_fini(v);
    return st;
}

void qsv_images_fini(struct qsv_images *v)
{
    qsv_dataset_close(v->dataset);
    *v = (struct qsv_images){0};
}

size_t qsv_images_bytes(const struct qsv_images *v)
{
    return bytes_of(v->shape);
}

enum qsv_status qsv_images_read(const struct qsv_images *v, const uint32_t *numbers, uint32_t n,
                                uint8_t *pixels, uint32_t *labels, struct qsv_error *err)
{
    const struct qsv_shape shape = qsv_dataset_shape(v->dataset);
    uint8_t *original = NULL; /* one image as it lies in the data set */
    enum qsv_status st = QSV_OK;
    if (v->factor > 1 && !(original = qsv_alloc(bytes_of(shape), 1)))
        return qsv_fail_memory(err, "an image");
    for (uint32_t i = 0; i < n && !st; i++) {
        uint8_t *out = pixels + i * qsv_images_bytes(v);
        st = qsv_dataset_read(v->dataset, numbers[i], original ? original : out, &labels[i], err);
        if (!st && original)
            qsv_image_enlarge(original, shape, v->factor, out);
    }
    free(original);
    return st;
}

/* The largest values live together with a few others. */
uint32_t qsv_images_batch(const struct qsv_model *model)
{
    const struct qsv_graph *g = &model->graph;
    size_t largest = 1;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const struct qsv_node *n = &g->nodes[i];
        size_t cells = (size_t)n->out.c * n->out.h * n->out.w;
        size_t bytes = cells * sizeof(float) * (n->per_step ? model->options.time_steps : 1);
        largest = bytes > largest && n->op != QSV_OP_LIF ? bytes : largest;
    }
    size_t batch = batch_bytes / (3 * largest);
    return batch < 1 ? 1 : batch > 32 ? 32 : (uint32_t)batch;
}
