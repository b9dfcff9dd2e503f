/* Step 1 of `frontier` on a growing number of images: until the standard errors of the divergences
 * are small beside what tells groups apart.
 *
 * What an allocation goes by are ratios, so both are measured on logarithms: with e_g the relative
 * standard error of group g's divergence, the mean of e_g^2 is the variance that chance adds to the
 * variance of log KL over the groups. Its share is 1 minus the reliability of the ranking (as in
 * classical test theory).
 */
#include <math.h>
#include <stdlib.h>

#include "core/base/real.h"
#include "jobs/strategies/budget.h"
#include "jobs/strategies/qsvit.h"

enum { FIRST_PART = 8 };
static const double MOST_CHANCE = 0.01;

/* answers [n]: of the groups, alone. */
static bool tells_apart(const struct qsv_metrics *answers, uint32_t n)
{
    double chance = 0, sum = 0, squares = 0, counted = 0;
    for (uint32_t i = 0; i < n; i++) {
        const double kl = qsv_metrics_kl(&answers[i]);
        if (!(kl > 0))
            continue;
        const double error = qsv_metrics_kl_error(&answers[i]) / kl, log = qsv_log(kl);
        chance += error * error;
        sum += log;
        squares += log * log;
        counted++;
    }
    return counted > 1 && chance <= MOST_CHANCE * (squares - sum * sum / counted);
}

enum qsv_status qsv_frontier_grow(struct qsv_qsvit *q, const struct qsv_trial *trials, uint32_t n,
                                  uint32_t n_cells, struct qsv_metrics *answers)
{
    struct qsv_search *s = &q->search;
    const struct qsv_evaluator *e = s->evaluator;
    const uint64_t wanted = s->spec->search.sensitivity_images;
    const uint64_t all = e->count ? e->count(e->context, QSV_DECIDE, wanted) : 0;
    const uint64_t parts = all >= FIRST_PART ? FIRST_PART : 1;
    for (uint64_t of = parts; of >= 1; of /= 2) {
        const uint64_t n_images = of == 1 ? wanted : all / of;
        if (of < parts && !qsv_budget_allows(s, n, QSV_DECIDE, n_images))
            break;
        enum qsv_status status =
            qsv_search_ask(s, "sensitivity", trials, n, QSV_DECIDE, n_images, answers);
        if (status || tells_apart(answers + 1, n_cells))
            return status;
    }
    return QSV_OK;
}
