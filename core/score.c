#include "core/score.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>

#include "core/base/real.h"

/* log(sum of exp(logit)), less the largest logit, which is `largest`. */
struct partition {
    double largest, log_sum;
};

static bool all_finite(const float *logits, uint32_t classes)
{
    for (uint32_t i = 0; i < classes; i++)
        if (!isfinite(logits[i]))
            return false;
    return true;
}

static struct partition partition_of(const float *logits, uint32_t classes)
{
    double largest = logits[0], sum = 0;
    for (uint32_t i = 1; i < classes; i++)
        if (logits[i] > largest)
            largest = logits[i];
    for (uint32_t i = 0; i < classes; i++)
        sum += qsv_exp(logits[i] - largest);
    return (struct partition){largest, qsv_log(sum)};
}

/* -log(probability) */
static double surprise(float logit, struct partition p)
{
    return p.largest - logit + p.log_sum;
}

/* How many classes come before this one. */
static uint32_t place_of(uint32_t class, const float *logits, uint32_t classes)
{
    uint32_t before = 0;
    for (uint32_t i = 0; i < classes; i++)
        before += logits[i] > logits[class] || (i < class && logits[i] == logits[class]);
    return before;
}

void qsv_score(struct qsv_score *out, const float *logits, uint32_t classes, uint32_t label)
{
    assert(label < classes);
    *out = (struct qsv_score){0, false, false, INFINITY};
    if (!all_finite(logits, classes))
        return;
    for (uint32_t i = 1; i < classes; i++)
        if (logits[i] > logits[out->answer])
            out->answer = i;
    uint32_t place = place_of(label, logits, classes);
    out->top1 = place == 0;
    out->top5 = place < 5;
    out->loss = surprise(logits[label], partition_of(logits, classes));
}

double qsv_score_kl(const float *baseline, const float *trial, uint32_t classes)
{
    if (!all_finite(baseline, classes) || !all_finite(trial, classes))
        return INFINITY;
    struct partition b = partition_of(baseline, classes), t = partition_of(trial, classes);
    double kl = 0;
    for (uint32_t i = 0; i < classes; i++) {
        double s = surprise(baseline[i], b);
        kl += qsv_exp(-s) * (surprise(trial[i], t) - s);
    }
    return kl > 0 ? kl : 0;
}

enum qsv_status qsv_score_check(const float *logits, uint32_t n, uint32_t classes, uint64_t first,
                                struct qsv_error *err)
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < classes; k++) {
            float v = logits[(size_t)i * classes + k];
            if (!isfinite(v))
                return qsv_fail(err, QSV_EFAILED,
                                "image %llu: the logit of class %u is %g, expected a finite number",
                                (unsigned long long)(first + i), k, (double)v);
        }
    return QSV_OK;
}
