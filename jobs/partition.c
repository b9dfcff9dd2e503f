#include "jobs/partition.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"

static uint64_t shards_of(uint64_t n_images, uint32_t shard_images)
{
    return n_images / shard_images + (n_images % shard_images != 0);
}

static enum qsv_status check(uint64_t n_judge, uint64_t n_decide, uint32_t shard_images,
                             struct qsv_error *err)
{
    if (n_judge == 0)
        return qsv_fail(err, QSV_EINPUT, "partition: there are no images to judge by");
    if (shard_images == 0)
        return qsv_fail(err, QSV_EINPUT, "partition: shards of 0 images, expected 1 or more");
    if (n_judge > UINT32_MAX || n_decide > UINT32_MAX)
        return qsv_fail(err, QSV_EINPUT,
                        "partition: a set of %" PRIu64 " images, at most %u are allowed",
                        n_judge > n_decide ? n_judge : n_decide, UINT32_MAX);
    uint64_t shards = shards_of(n_judge, shard_images) + shards_of(n_decide, shard_images);
    if (shards > UINT32_MAX)
        return qsv_fail(err, QSV_EINPUT,
                        "partition: %" PRIu64 " shards of %u images, at most %u shards are allowed",
                        shards, shard_images, UINT32_MAX);
    return QSV_OK;
}

/* Each set has a stream of its own, so that its order does not depend on the other set's size. */
static uint32_t *random_order(uint32_t n, uint64_t seed)
{
    uint32_t *order = qsv_alloc(n, sizeof *order);
    if (!order)
        return NULL;
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    struct qsv_rng rng;
    qsv_rng_seed(&rng, seed);
    qsv_rng_shuffle(&rng, order, n);
    return order;
}

enum qsv_status qsv_partition_init(struct qsv_partition *p, uint64_t n_judge, uint64_t n_decide,
                                   uint32_t shard_images, uint64_t seed, struct qsv_error *err)
{
    *p = (struct qsv_partition){0};
    enum qsv_status st = check(n_judge, n_decide, shard_images, err);
    if (st)
        return st;
    p->n_judge = n_judge;
    p->n_decide = n_decide;
    p->shard_images = shard_images;
    p->n_judge_shards = (uint32_t)shards_of(n_judge, shard_images);
    p->n_shards = p->n_judge_shards + (uint32_t)shards_of(n_decide, shard_images);
    p->order[QSV_JUDGE] = random_order((uint32_t)n_judge, seed);
    if (n_decide)
        p->order[QSV_DECIDE] = random_order((uint32_t)n_decide, seed + 1);
    if (!p->order[QSV_JUDGE] || (n_decide && !p->order[QSV_DECIDE])) {
        qsv_partition_fini(p);
        return qsv_fail_memory(err, "the order of images");
    }
    return QSV_OK;
}

void qsv_partition_fini(struct qsv_partition *p)
{
    free(p->order[QSV_JUDGE]);
    free(p->order[QSV_DECIDE]);
    *p = (struct qsv_partition){0};
}

struct qsv_shard qsv_partition_shard(const struct qsv_partition *p, uint32_t shard)
{
    bool judge = shard < p->n_judge_shards;
    uint64_t n = judge ? p->n_judge : p->n_decide;
    uint64_t first = (uint64_t)(judge ? shard : shard - p->n_judge_shards) * p->shard_images;
    uint64_t left = n - first;
    return (struct qsv_shard){
        .set = judge ? QSV_JUDGE : QSV_DECIDE,
        .first = first,
        .n_images = left < p->shard_images ? (uint32_t)left : p->shard_images,
    };
}

void qsv_partition_range(const struct qsv_partition *p, enum qsv_image_set set, uint64_t n_images,
                         uint32_t *first, uint32_t *count)
{
    bool decide = set == QSV_DECIDE && p->n_decide > 0;
    uint64_t n = decide ? p->n_decide : p->n_judge;
    if (n_images == 0 || n_images > n)
        n_images = n;
    *first = decide ? p->n_judge_shards : 0;
    *count = (uint32_t)shards_of(n_images, p->shard_images);
}

uint64_t qsv_partition_count(const struct qsv_partition *p, enum qsv_image_set set,
                             uint64_t n_images)
{
    uint32_t first, n;
    uint64_t images = 0;
    qsv_partition_range(p, set, n_images, &first, &n);
    for (uint32_t s = first; s < first + n; s++)
        images += qsv_partition_shard(p, s).n_images;
    return images;
}
