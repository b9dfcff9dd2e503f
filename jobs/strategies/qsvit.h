/* The state of a search by `qsvit` and its four steps, each in a file of its own. */
#ifndef QSV_QSVIT_H
#define QSV_QSVIT_H

#include "jobs/strategies/outlook.h"
#include "jobs/strategies/search.h"

struct qsv_qsvit {
    struct qsv_search search;
    struct qsv_outlook outlook;
    struct qsv_pool decided, judged; /* settings measured on the deciding and the judging images */
    size_t best;                     /* in decided */
};

/* 1. What each format does in each group, alone; fills the outlook. */
enum qsv_status qsv_qsvit_sensitivity(struct qsv_qsvit *q);
/* 2. Base settings: the largest budget at which the setting that follows from it holds. */
enum qsv_status qsv_qsvit_base(struct qsv_qsvit *q);
/* 3. Guided from there: repair or lower. */
enum qsv_status qsv_qsvit_guided(struct qsv_qsvit *q);
/* 4. Measure on all judging images, repair there, select. */
enum qsv_status qsv_qsvit_select(struct qsv_qsvit *q);

/* Adds up to n settings that mend what m, measured of `formats`, violates: from half of what seems
 * needed to twice as much, times `strength`. */
enum qsv_status qsv_qsvit_propose_repairs(struct qsv_qsvit *q, struct qsv_pool *pool,
                                          const struct qsv_pool_entry *from, uint32_t n,
                                          double strength);

/* Adds a setting to a pool, described as the moves it is away from another. */
enum qsv_status qsv_qsvit_propose(struct qsv_qsvit *q, struct qsv_pool *pool,
                                  const struct qsv_pool_entry *from, const uint8_t *formats);

#endif
