/* What logits say: the answer, whether it is right, its loss, and how far two answers are apart.
 *
 * In double, sums over rising classes, with core/base/real.h's exp and log: the same bits on every
 * machine. Of two equal logits the lower class comes first. Logits that are not all finite have no
 * answer: it is wrong, and losses and divergences are infinite, so that nothing selects it.
 */
#ifndef QSV_SCORE_H
#define QSV_SCORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"

struct qsv_score {
    uint32_t answer; /* the class with the largest logit; 0 where there is none */
    bool top1, top5; /* the label is the answer; is among the five largest */
    double loss;     /* cross-entropy, nats */
};

/* logits [classes], label < classes. */
void qsv_score(struct qsv_score *out, const float *logits, uint32_t classes, uint32_t label);

/* KL(baseline || trial) of the softmaxes, nats; 0 where the logits are the same, never negative. */
double qsv_score_kl(const float *baseline, const float *trial, uint32_t classes);

/* QSV_EFAILED naming the first of logits [n][classes] that is not finite; images are counted from
 * `first`. */
enum qsv_status qsv_score_check(const float *logits, uint32_t n, uint32_t classes, uint64_t first,
                                struct qsv_error *err);

#endif
