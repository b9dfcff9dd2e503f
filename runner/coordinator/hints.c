#include "runner/coordinator/hints.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

void qsv_hints_fini(struct qsv_hints *h)
{
    if (h->asked)
        qsv_question_fini(&h->question);
    free(h->trials);
    free(h->formats);
    *h = (struct qsv_hints){0};
}

void qsv_hints_set(struct qsv_hints *h, const struct qsv_trial *trials, uint32_t n,
                   uint32_t n_layers, enum qsv_image_set set, uint64_t n_images)
{
    qsv_hints_fini(h);
    h->trials = qsv_alloc(n + 1, sizeof *h->trials);
    h->formats = qsv_alloc(n + 1, n_layers);
    if (!h->trials || !h->formats) {
        qsv_hints_fini(h);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint8_t *formats = h->formats + (size_t)i * n_layers;
        memcpy(formats, trials[i].formats, n_layers);
        h->trials[i] = (struct qsv_trial){.formats = formats};
    }
    h->n = n;
    h->set = set;
    h->n_images = n_images;
}

static bool is_asked(const struct qsv_question *now, uint64_t trial_id, uint32_t shard)
{
    if (shard < now->first_shard || shard - now->first_shard >= now->n_shards)
        return false;
    for (uint32_t i = 0; i < now->n_settings; i++)
        if (now->settings[i].trial_id == trial_id)
            return true;
    return false;
}

bool qsv_hints_ask(struct qsv_hints *h, const struct qsv_question *now, const uint8_t *baseline,
                   const struct qsv_model *model, const struct qsv_partition *partition,
                   bool (*has)(void *context, uint64_t trial_id, uint32_t shard), void *context)
{
    struct qsv_question *q = &h->question;
    bool any = false;
    if (!h->n || h->asked ||
        qsv_question_init(q, h->trials, h->n, baseline, model, partition, h->set, h->n_images,
                          NULL))
        return false;
    h->asked = true;
    for (uint32_t i = 0; i < q->n_settings; i++) {
        for (uint32_t s = 0; s < q->n_shards; s++) {
            uint64_t id = q->settings[i].trial_id;
            uint32_t shard = q->first_shard + s;
            bool missing = !is_asked(now, id, shard) && !has(context, id, shard);
            q->missing[(size_t)i * q->n_shards + s] = missing;
            any = any || missing;
        }
    }
    return any;
}
