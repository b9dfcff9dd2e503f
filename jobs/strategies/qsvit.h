/* The state of a search by `qsvit` or `frontier`, and their four steps, each in a file of its own.
 */
#ifndef QSV_QSVIT_H
#define QSV_QSVIT_H

#include "jobs/strategies/line.h"
#include "jobs/strategies/outlook.h"
#include "jobs/strategies/search.h"

struct qsv_qsvit {
    struct qsv_search search;
    struct qsv_outlook outlook;
    struct qsv_pool decided; /* settings measured in steps 2 and 3 */
    struct qsv_pool final;   /* measured on what the selection is decided by, in step 4 */
    size_t best;             /* in decided */
    bool frontier; /* one format a group is measured (and none), the others foretold from output
                      losses; base settings lie on the frontier of divergence against bytes */
};

/* The state before step 1 (finish with fini, also on failure), and the four steps. After a failure
 * it holds what was measured before. */
enum qsv_status qsv_qsvit_init(struct qsv_qsvit *q, const struct qsv_space *space,
                               const struct qsv_spec *spec, struct qsv_evaluator *evaluator,
                               struct qsv_selection *out, bool frontier, struct qsv_error *err);
enum qsv_status qsv_qsvit_steps(struct qsv_qsvit *q);
void qsv_qsvit_fini(struct qsv_qsvit *q);

enum qsv_status qsv_qsvit_search(const struct qsv_space *space, const struct qsv_spec *spec,
                                 struct qsv_evaluator *evaluator, struct qsv_selection *out,
                                 bool frontier, struct qsv_error *err);

/* 1. What each format does in each group, alone; fills the outlook. */
enum qsv_status qsv_qsvit_sensitivity(struct qsv_qsvit *q);
/* Asks for step 1's answers [n], the baseline's first and then n_cells of groups, on as many of its
 * images as it takes to tell groups apart. */
enum qsv_status qsv_frontier_grow(struct qsv_qsvit *q, const struct qsv_trial *trials, uint32_t n,
                                  uint32_t n_cells, struct qsv_metrics *answers);
/* The format that `frontier` foretells others from. */
uint8_t qsv_frontier_probe(const struct qsv_space *space);
/* What it measures: that, and none where it is offered; how many. probes [2] */
uint32_t qsv_frontier_probes(const struct qsv_space *space, uint8_t *probes);
/* Fills the outlook from that. cells [n_groups][n_probes]; together: all groups at the first probe,
 * where none is a probe, else NULL */
void qsv_frontier_foretell(struct qsv_qsvit *q, const struct qsv_metrics *cells,
                           const struct qsv_metrics *together);
/* The smallest setting on the frontier whose foretold divergence is at most kl. */
enum qsv_status qsv_frontier_at(struct qsv_qsvit *q, double kl, uint8_t *formats);
/* All settings on the frontier, by falling size, the first f32 throughout: *formats
 * [*n][n_groups], the caller's to free. */
enum qsv_status qsv_frontier_settings(struct qsv_qsvit *q, uint8_t **formats, size_t *n);
/* The same as qsv_frontier_at, made smaller where groups fit between two points of the frontier. */
enum qsv_status qsv_frontier_within(struct qsv_qsvit *q, double kl, uint8_t *formats);
/* 2. Base settings: the largest budget at which the setting that follows from it holds. */
enum qsv_status qsv_qsvit_base(struct qsv_qsvit *q);
/* 3. Guided from there: repair or lower. */
enum qsv_status qsv_qsvit_guided(struct qsv_qsvit *q);
/* 4. Measure on all images that decide the selection, close in or repair there, and judge what is
 * selected. */
enum qsv_status qsv_qsvit_select(struct qsv_qsvit *q);
/* `frontier`, where the drop is bounded: adds to q->final what lies on the frontier where it
 * reaches its bound, by what is measured so far. *found: false where nothing is worth trying. */
enum qsv_status qsv_frontier_approach(struct qsv_qsvit *q, bool *found);

/* What of a measured setting is laid a line through, by its foretold divergence. */
typedef double qsv_frontier_drop(const struct qsv_qsvit *q, const struct qsv_metrics *m);
/* What would be compared with the bound if a setting had its drop on the final images. */
qsv_frontier_drop qsv_frontier_bound_of;
/* Up to which drop, in points, settings tell where a spec's bound is reached; INFINITY without a
 * bound. */
double qsv_frontier_reach(const struct qsv_spec *spec);
/* The line through all settings measured in pools whose drop is at most `most`. */
struct qsv_line qsv_frontier_line(const struct qsv_qsvit *q, qsv_frontier_drop *drop, double most);
/* The largest foretold divergence at which the spec's bound on the drop should be kept, by that
 * line and short of what has failed; NaN where nothing says so. */
double qsv_frontier_kl_within(const struct qsv_qsvit *q, double most);

/* What a setting costs beyond being fetched from DRAM. */
double qsv_qsvit_energy_inside(const struct qsv_metrics *m);
/* A format's squared rounding error, relative to others'. */
double qsv_qsvit_rounding_error(uint8_t format);

/* The best setting so far is the likeliest to be measured in step 4. */
void qsv_qsvit_suggest_final(struct qsv_qsvit *q);

/* Proposals add settings made from entry `from` of a pool to it, unless they are in it. */

/* n settings that mend what that entry violates, from `low` (exclusive) to `high` times what seems
 * needed. */
enum qsv_status qsv_qsvit_propose_repairs(struct qsv_qsvit *q, struct qsv_pool *pool, size_t from,
                                          uint32_t n, double low, double high);
/* n settings of a foretold KL between that of entry `from`, which fails, and `to`, which holds. */
enum qsv_status qsv_qsvit_propose_between(struct qsv_qsvit *q, struct qsv_pool *pool, size_t from,
                                          size_t to, uint32_t n);
/* For a decided entry that holds: up to n smaller settings, or without a bound on the drop up to n
 * that should diverge less. */
enum qsv_status qsv_qsvit_propose_better(struct qsv_qsvit *q, size_t from, uint32_t n);

#endif
