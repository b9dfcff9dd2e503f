/* A record: what one trial did on one shard. Counts, never ratios, so that shards add up exactly.
 *
 * "Paired" fields compare with the baseline (all f32) on the same images; on the baseline's own
 * records they are 0. Equal in two runs of the same identity: everything but attempt, rank,
 * peak_mem_bytes, wall_s, t_end_unix_s.
 */
#ifndef QSV_RECORD_H
#define QSV_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/cursor.h"
#include "core/base/error.h"
#include "core/base/strbuf.h"

/* Lengths of a record's arrays: properties of the model, the same for every record of a run. */
struct qsv_record_shape {
    uint32_t n_layers;
    uint32_t n_lifs;
    uint32_t n_sites; /* n_layers + attention products: where accumulates happen */
};

struct qsv_record {
    uint64_t trial_id;
    uint32_t shard;
    uint32_t n_images;
    uint32_t n_top1, n_top5;  /* answers that are right; among the five largest logits */
    uint32_t n_only_trial;    /* right where the baseline is wrong */
    uint32_t n_only_baseline; /* wrong where the baseline is right */
    double loss_sum;          /* cross-entropy, nats, added in image order */
    double loss_diff_sum;     /* minus the baseline's, and the same squared */
    double loss_diff_square_sum;
    double kl_sum; /* KL(baseline's answer || trial's), nats */
    double kl_square_sum;
    uint64_t ac_ops, mac_ops; /* SynOps */
    double drift;             /* mean over LIFs of lif_drift, as a share of the threshold */

    uint32_t attempt, rank; /* not compared */
    uint64_t peak_mem_bytes;
    double wall_s; /* the task's seconds / its (trial, shard) pairs */
    double t_end_unix_s;

    /* Arrays, owned by the record (one allocation, freed by qsv_record_fini). */
    uint64_t *lif_spikes; /* [n_lifs] spikes fired */
    uint64_t *lif_drift;  /* [n_lifs] sum over channels of |sum of potentials - the baseline's|;
                             unit: docs/metrics.md */
    uint64_t *site_ac;    /* [n_sites] accumulates on spikes */
    uint8_t
        *correct; /* [(n_images + 7) / 8] bit i: image i of the shard has a right top-1 answer */
    /* The baseline's records only, else NULL: */
    uint16_t *label, *answer; /* [n_images] */
    double *loss;             /* [n_images] */
};

/* Allocates the arrays, zeroed. with_answers: label, answer and loss too. n_images must be set by
 * the caller's argument. */
enum qsv_status qsv_record_init(struct qsv_record *r, const struct qsv_record_shape *shape,
                                uint32_t n_images, int with_answers, struct qsv_error *err);
void qsv_record_fini(struct qsv_record *r);

/* For messages between ranks: the same bytes on every machine. */
void qsv_record_pack(const struct qsv_record *r, const struct qsv_record_shape *shape,
                     struct qsv_strbuf *out);
enum qsv_status qsv_record_unpack(struct qsv_record *r, const struct qsv_record_shape *shape,
                                  struct qsv_cursor *in, struct qsv_error *err);

#endif
