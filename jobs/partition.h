/* How images are dealt into shards.
 *
 * There are two sets of images: those that judge (`dataset:`) and those that decide
 * (`calibration:`, or where it is not given the same images, then n_decide is 0 and every shard is
 * a judging one). Each set has a fixed random order, a permutation from the seed; a shard is a run
 * of shard_images positions of that order (the last of a set may be shorter). Judging shards come
 * first.
 */
#ifndef QSV_PARTITION_H
#define QSV_PARTITION_H

#include <stdint.h>

#include "core/base/error.h"

enum qsv_image_set { QSV_JUDGE, QSV_DECIDE };

struct qsv_partition {
    uint64_t n_judge, n_decide; /* images */
    uint32_t shard_images;
    uint32_t n_judge_shards, n_shards;
    uint32_t *order[2]; /* [set][position] -> image number in its data set; [QSV_DECIDE] NULL where
                           there is none */
};

struct qsv_shard {
    enum qsv_image_set set;
    uint64_t first; /* position in the set's order */
    uint32_t n_images;
};

enum qsv_status qsv_partition_init(struct qsv_partition *p, uint64_t n_judge, uint64_t n_decide,
                                   uint32_t shard_images, uint64_t seed, struct qsv_error *err);
void qsv_partition_fini(struct qsv_partition *p);

/* shard < n_shards */
struct qsv_shard qsv_partition_shard(const struct qsv_partition *p, uint32_t shard);

/* The shards that hold the first n_images of a set (0 or too many: all of it): *first and *count.
 * Whole shards: the images are rounded up. Asking for QSV_DECIDE where there is none gives judging
 * shards. */
void qsv_partition_range(const struct qsv_partition *p, enum qsv_image_set set, uint64_t n_images,
                         uint32_t *first, uint32_t *count);

/* How many images those shards hold. */
uint64_t qsv_partition_count(const struct qsv_partition *p, enum qsv_image_set set,
                             uint64_t n_images);

#endif
