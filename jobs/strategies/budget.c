#include "jobs/strategies/budget.h"

#include <inttypes.h>

/* Image-forwards asked so far that count. */
static uint64_t spent(const struct qsv_search *s)
{
    return s->out->image_forwards - s->out->certifying_forwards;
}

bool qsv_budget_allows(const struct qsv_search *s, uint32_t n, enum qsv_image_set set,
                       uint64_t n_images)
{
    const uint64_t most = s->spec->search.max_image_forwards;
    if (!most || !s->evaluator->count)
        return true;
    return !s->out->exhausted && spent(s) + n * qsv_search_count_images(s, set, n_images) <= most;
}

enum qsv_status qsv_budget_end(struct qsv_search *s, const char *step, uint32_t n,
                               enum qsv_image_set set, uint64_t n_images)
{
    if (s->out->exhausted)
        return QSV_OK;
    s->out->exhausted = true;
    return qsv_search_note(
        s, step, 0, "end",
        "the budget: %" PRIu64 " of %" PRIu64 " image-forwards asked for, and "
        "the next question takes %" PRIu32 " x %" PRIu64 "; the best so far is taken",
        spent(s), s->spec->search.max_image_forwards, n, qsv_search_count_images(s, set, n_images));
}

enum qsv_status qsv_budget_refuse(const struct qsv_search *s, const char *step, uint32_t n,
                                  enum qsv_image_set set, uint64_t n_images)
{
    const uint64_t least = spent(s) + n * qsv_search_count_images(s, set, n_images);
    return qsv_spec_fail(s->spec, "search.max_image_forwards", s->err,
                         "found %" PRIu64 ", expected at least %" PRIu64
                         " for %s to begin: step '%s' measures %" PRIu32 " settings",
                         s->spec->search.max_image_forwards, least, s->spec->search.strategy, step,
                         n);
}
