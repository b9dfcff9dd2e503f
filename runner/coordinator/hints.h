/* What a strategy says it may ask next: copies of settings, made into a question for the workers
 * that have nothing else to do.
 */
#ifndef QSV_HINTS_H
#define QSV_HINTS_H

#include "runner/coordinator/question.h"

struct qsv_hints { /* zeroed: none */
    struct qsv_trial *trials;
    uint8_t *formats; /* [n][n_layers] */
    uint32_t n;
    enum qsv_image_set set;
    uint64_t n_images;
    struct qsv_question question;
    bool asked; /* question is to be finished */
};

/* In place of those before; none where memory is out, because a hint is worth no failure. */
void qsv_hints_set(struct qsv_hints *h, const struct qsv_trial *trials, uint32_t n,
                   uint32_t n_layers, enum qsv_image_set set, uint64_t n_images);
void qsv_hints_fini(struct qsv_hints *h);

/* Fills h->question with what `now` does not ask for anyway and `has` does not say is there; false
 * where nothing is left of it. */
bool qsv_hints_ask(struct qsv_hints *h, const struct qsv_question *now, const uint8_t *baseline,
                   const struct qsv_model *model, const struct qsv_partition *partition,
                   bool (*has)(void *context, uint64_t trial_id, uint32_t shard), void *context);

#endif
