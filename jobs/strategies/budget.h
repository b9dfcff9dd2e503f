/* search.max_image_forwards: how much a search may ask.
 *
 * What counts is what is asked, recorded already or not, so that a search that is resumed ends at
 * the same question. A question that would exceed the budget is not asked any more, and none after
 * it: the search ends with the best that it has. What certifies that one, the baseline and it on
 * all judging images and it on those that decided, is asked in any case and counted beside.
 */
#ifndef QSV_BUDGET_H
#define QSV_BUDGET_H

#include "jobs/strategies/search.h"

/* Whether n settings on the first n_images (0: all) of a set may be asked for. */
bool qsv_budget_allows(const struct qsv_search *s, uint32_t n, enum qsv_image_set set,
                       uint64_t n_images);

/* Ends the asking, with a note. */
enum qsv_status qsv_budget_end(struct qsv_search *s, const char *step, uint32_t n,
                               enum qsv_image_set set, uint64_t n_images);

/* QSV_EINPUT: without this question there is nothing to begin with. */
enum qsv_status qsv_budget_refuse(const struct qsv_search *s, const char *step, uint32_t n,
                                  enum qsv_image_set set, uint64_t n_images);

#endif
