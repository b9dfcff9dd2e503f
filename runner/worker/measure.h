/* One network on the images of a data set, in one process: what `qsvit eval` does. */
#ifndef QSV_MEASURE_H
#define QSV_MEASURE_H

#include "core/engine.h"
#include "runner/inputs/images.h"
#include "runner/base/stop.h"

struct qsv_measure_options {
    const char *trace;           /* path of a trace file to write; NULL: none */
    const struct qsv_stop *stop; /* NULL: none */
    uint32_t threads;            /* 0: one; a trace takes one whatever is asked for */
};

struct qsv_measured {
    uint32_t n_images, n_top1, n_top5;
    double loss_sum;
    double seconds;       /* in the engine */
    double waited_s;      /* for images, beside it */
    float *logits;        /* [n_images][classes] */
    uint32_t *labels;     /* [n_images] */
    uint64_t *lif_spikes; /* [n_lifs] */
    uint64_t *site_ac;    /* [n_layers + n_attentions] */
    uint32_t threads;
    const char *isa;
};

/* All images are taken, in the order of the data set. Finish *out with qsv_measured_fini, also on
 * failure. */
enum qsv_status qsv_measure(struct qsv_measured *out, const struct qsv_model *model,
                            struct qsv_network *network, struct qsv_images *images,
                            const struct qsv_measure_options *options, struct qsv_error *err);
void qsv_measured_fini(struct qsv_measured *m);

#endif
