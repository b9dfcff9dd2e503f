#define _GNU_SOURCE /* qsort_r */
#include "runner/coordinator/question.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "jobs/setting.h"

void qsv_question_fini(struct qsv_question *q)
{
    free(q->settings);
    free(q->shared);
    free(q->missing);
    free(q->trial_ids);
    *q = (struct qsv_question){0};
}

static enum qsv_status allocate(struct qsv_question *q, uint32_t n_trials, struct qsv_error *err)
{
    size_t n = (size_t)n_trials + 1, pairs;
    if (qsv_mul_size(n, q->n_shards, &pairs)) {
        q->settings = qsv_alloc(n, sizeof *q->settings);
        q->shared = qsv_alloc(n, sizeof *q->shared);
        q->trial_ids = qsv_alloc(n, sizeof *q->trial_ids);
        q->missing = qsv_alloc(pairs, 1);
    }
    if (q->settings && q->shared && q->trial_ids && q->missing)
        return QSV_OK;
    return qsv_fail_memory(err, "a question of the search");
}

struct comparing { /* what qsort_r hands on */
    size_t n_layers;
};

static int by_formats(const void *a, const void *b, void *context)
{
    const struct qsv_trial_setting *x = a, *y = b;
    return memcmp(x->formats, y->formats, ((const struct comparing *)context)->n_layers);
}

static void sort_distinct(struct qsv_question *q, size_t n_layers)
{
    struct comparing c = {n_layers};
    qsort_r(q->settings, q->n_settings, sizeof *q->settings, by_formats, &c);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < q->n_settings; i++)
        if (i == 0 || q->settings[i].trial_id != q->settings[kept - 1].trial_id)
            q->settings[kept++] = q->settings[i];
    q->n_settings = kept;
}

/* Below 1 also for equal multiply-accumulates: a trial never comes for nothing. */
static double shared_part(const uint8_t *a, const uint8_t *b, const struct qsv_graph *g)
{
    double same = 0, all = 1;
    bool differs = false;
    for (size_t l = 0; l < g->n_layers; l++) {
        differs = differs || a[l] != b[l];
        all += (double)g->layers[l].macs;
        same += differs ? 0 : (double)g->layers[l].macs;
    }
    return same / all;
}

enum qsv_status qsv_question_init(struct qsv_question *q, const struct qsv_trial *trials,
                                  uint32_t n_trials, const uint8_t *baseline,
                                  const struct qsv_model *model,
                                  const struct qsv_partition *partition, enum qsv_image_set set,
                                  uint64_t n_images, struct qsv_error *err)
{
    const struct qsv_graph *g = &model->graph;
    *q = (struct qsv_question){.n_settings = n_trials + 1};
    qsv_partition_range(partition, set, n_images, &q->first_shard, &q->n_shards);
    enum qsv_status st = allocate(q, n_trials, err);
    if (st) {
        qsv_question_fini(q);
        return st;
    }
    for (uint32_t i = 0; i <= n_trials; i++) {
        const uint8_t *formats = i < n_trials ? trials[i].formats : baseline;
        q->trial_ids[i] = qsv_setting_id(formats, (uint32_t)g->n_layers);
        q->settings[i] = (struct qsv_trial_setting){q->trial_ids[i], formats};
    }
    sort_distinct(q, g->n_layers);
    for (uint32_t i = 1; i < q->n_settings; i++)
        q->shared[i] = shared_part(q->settings[i - 1].formats, q->settings[i].formats, g);
    return QSV_OK;
}

void qsv_question_look_up(struct qsv_question *q, const struct qsv_store *store,
                          const struct qsv_partition *partition)
{
    q->n_images = q->n_forwards = q->n_missing = 0;
    for (uint32_t s = 0; s < q->n_shards; s++) {
        uint32_t images = qsv_partition_shard(partition, q->first_shard + s).n_images;
        q->n_images += images;
        for (uint32_t i = 0; i < q->n_settings; i++) {
            bool missing = !qsv_store_find(store, q->settings[i].trial_id, q->first_shard + s);
            q->missing[(size_t)i * q->n_shards + s] = missing;
            q->n_forwards += images;
            q->n_missing += missing ? images : 0;
        }
    }
}
