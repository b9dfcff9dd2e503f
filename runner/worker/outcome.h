/* What a network did on the images of a shard, and the record that comes of comparing it with what
 * the baseline did there. docs/metrics.md defines the figures.
 */
#ifndef QSV_OUTCOME_H
#define QSV_OUTCOME_H

#include "core/engine.h"
#include "jobs/record.h"

struct qsv_outcome {
    uint32_t n_images;
    float *logits;        /* [n_images][classes] */
    uint64_t *lif_spikes; /* [n_lifs] */
    uint64_t *site_ac;    /* [n_sites] */
    int64_t *potentials;  /* [n_potentials] */
    uint64_t mac_ops;     /* an image */
};

/* Of a network with these formats [n_layers]. Sums are zero. n_potentials:
 * qsv_engine_potential_count. */
enum qsv_status qsv_outcome_init(struct qsv_outcome *o, const struct qsv_model *model,
                                 const uint8_t *formats, uint32_t n_images, size_t n_potentials,
                                 struct qsv_error *err);
void qsv_outcome_fini(struct qsv_outcome *o);

/* Where the engine writes when it runs images first .. of the shard. */
struct qsv_engine_output qsv_outcome_from(const struct qsv_outcome *o,
                                          const struct qsv_model *model, uint32_t first);

/* Fills a new record (all but who, when and how fast) from the trial's outcome and the baseline's
 * on the same images; labels [n_images]. Where both are the same outcome it is the baseline's own
 * record: with answers, paired fields 0. */
enum qsv_status qsv_outcome_record(struct qsv_record *r, const struct qsv_outcome *trial,
                                   const struct qsv_outcome *baseline, const uint32_t *labels,
                                   const struct qsv_model *model,
                                   const struct qsv_record_shape *shape, struct qsv_error *err);

#endif
