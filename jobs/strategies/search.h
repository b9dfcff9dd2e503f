/* What strategies share: asking, noting, and the pool of settings measured on one set of images.
 *
 * A pool keeps every setting once, in the order it was proposed; measuring asks for those that have
 * no answer yet, all at once.
 */
#ifndef QSV_SEARCH_H
#define QSV_SEARCH_H

#include "jobs/strategy.h"

struct qsv_search { /* a search in progress; all pointers are the caller's */
    const struct qsv_space *space;
    const struct qsv_spec *spec;
    struct qsv_evaluator *evaluator;
    struct qsv_selection *out;
    struct qsv_error *err;
};

/* Asks the evaluator and keeps count in the selection. answers [n]: zeroed, or of the same trials
 * on fewer images, which then count once. QSV_EINPUT where the budget does not allow it: for
 * questions that a search can't do without. */
enum qsv_status qsv_search_ask(struct qsv_search *s, const char *step,
                               const struct qsv_trial *trials, uint32_t n, enum qsv_image_set set,
                               uint64_t n_images, struct qsv_metrics *answers);

/* How many images the first n_images (0: all) of a set are; 0 where the evaluator can't say. */
uint64_t qsv_search_count_images(const struct qsv_search *s, enum qsv_image_set set,
                                 uint64_t n_images);

/* Does anybody listen? */
bool qsv_search_is_suggesting(const struct qsv_search *s);
/* Says which settings of groups [n][n_groups] the question after the next one may be about. */
void qsv_search_suggest(struct qsv_search *s, const uint8_t *group_formats, uint32_t n,
                        enum qsv_image_set set, uint64_t n_images);

/* Notes a decision; `format` and what follows say why, in one line. */
enum qsv_status qsv_search_note(struct qsv_search *s, const char *step, uint64_t trial_id,
                                const char *decision, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* "245120 bytes, 2.91 bits, top-1 drop 1.42 points, KL 0.0123", for notes. */
void qsv_search_print_metrics(struct qsv_strbuf *out, const struct qsv_metrics *m);

/* The id of a setting of groups. */
enum qsv_status qsv_search_id(struct qsv_search *s, const uint8_t *group_formats, uint64_t *id);

enum { QSV_WHAT = 96 };

struct qsv_pool_entry {
    uint8_t *formats; /* [n_groups] */
    char what[QSV_WHAT];
    uint64_t parent; /* trial id */
    struct qsv_metrics metrics;
};

struct qsv_pool {
    enum qsv_image_set set;
    uint64_t n_images;          /* 0: all */
    struct qsv_caution caution; /* of its metrics */
    bool races; /* what surely exceeds the drop is not measured to the end (race.c) */
    struct qsv_pool_entry *entries;
    size_t n, capacity;
    size_t n_measured; /* entries from here on have no metrics yet */
};

void qsv_pool_fini(struct qsv_pool *p);

/* Adds a copy of formats unless it is there; *index (may be NULL) becomes its place either way. */
enum qsv_status qsv_pool_add(struct qsv_pool *p, struct qsv_search *s, const uint8_t *formats,
                             uint64_t parent, const char *what, size_t *index);

/* Measures what has no metrics yet, with the baseline in the same question where `baseline` isn't
 * NULL. Where the budget does not allow it the search is exhausted, and what has no metrics is in
 * the pool no more; the first question of a pool can't be left out, and of one on the judging
 * images it certifies. */
enum qsv_status qsv_pool_measure(struct qsv_pool *p, struct qsv_search *s, const char *step,
                                 struct qsv_metrics *baseline);
/* Part of that: asks about entries [first, end) that are `wanted` (by place from first; NULL: all)
 * on the first n_images; what was asked of them before is counted once. */
struct qsv_pool_part {
    size_t first, end;
    const bool *wanted;
    uint64_t n_images;
    bool certifying; /* the budget has no say */
};
enum qsv_status qsv_pool_ask(struct qsv_pool *p, struct qsv_search *s, const char *step,
                             const struct qsv_pool_part *part, struct qsv_metrics *baseline);
/* What has no metrics yet on a part of the pool's images, and on the rest of them unless it surely
 * exceeds the drop. */
enum qsv_status qsv_pool_race(struct qsv_pool *p, struct qsv_search *s, const char *step,
                              struct qsv_metrics *baseline);
/* An entry on all of the pool's images, where a race has left it before. It certifies. */
enum qsv_status qsv_pool_finish(struct qsv_pool *p, struct qsv_search *s, const char *step,
                                size_t entry);
/* As qsv_pool_measure, for what is selected: in any case, and not counted against the budget. */
enum qsv_status qsv_pool_certify(struct qsv_pool *p, struct qsv_search *s, const char *step,
                                 struct qsv_metrics *baseline);

/* The best measured entry; the earlier one where nothing tells two apart. */
size_t qsv_pool_best(const struct qsv_pool *p, const struct qsv_spec *spec);

/* Notes a measured setting: "hold" or "fail", with its figures. */
enum qsv_status qsv_search_note_entry(struct qsv_search *s, const char *step,
                                      const struct qsv_pool_entry *e);

/* Fills the selection's result from a setting measured on all judging images and, by `decided`, on
 * those that decided (`among_judging`: they are judging images too), and notes it. */
enum qsv_status qsv_search_select(struct qsv_search *s, const struct qsv_pool_entry *judged,
                                  const struct qsv_metrics *decided, bool among_judging);

/* Measures on all judging images what a setting is that was decided on others, and selects it. */
enum qsv_status qsv_search_judge(struct qsv_search *s, const struct qsv_pool_entry *decided);

#endif
