/* Strategies: straight-line searches over an evaluator. One row of a table each.
 *
 * A strategy is deterministic: what it asks depends only on the spec, the model and the answers,
 * never on time, ranks or what was recorded before. docs/search.md explains them.
 */
#ifndef QSV_STRATEGY_H
#define QSV_STRATEGY_H

#include "core/model.h"
#include "jobs/evaluator.h"
#include "jobs/spec.h"

/* Settings that `random` draws where spec->search.max_evaluations is 0 and nobody set it to what
 * qsvit spent. */
enum { QSV_RANDOM_EVALUATIONS = 200 };

/* Groups of layers that get one format together. Pinned layers belong to no group. */
struct qsv_group {
    const char *name; /* the layer's, block's or stage's */
    uint32_t *layers; /* rising */
    uint32_t n_layers;
    uint64_t n_weights;
};

struct qsv_space {
    const struct qsv_model *model;
    enum qsv_format affine;   /* the quantizer's */
    struct qsv_group *groups; /* network order */
    uint32_t n_groups;        /* 0 where every layer is pinned */
    uint32_t n_layers;        /* of the model */
    uint8_t *pinned;          /* [n_layers]: format of a pinned layer; QSV_N_FORMATS: free */
    uint32_t *order;          /* the groups' layers, one after the other */
    uint8_t formats[QSV_N_FORMATS];
    uint32_t n_formats; /* by falling bits */
};

/* model and spec outlive the space. QSV_EINPUT for a pin that matches no layer. */
enum qsv_status qsv_space_create(struct qsv_space **out, const struct qsv_model *model,
                                 const struct qsv_spec *spec, struct qsv_error *err);
void qsv_space_destroy(struct qsv_space *s);
/* formats [n_layers] from one format a group (group_formats [n_groups]) and the pins. */
void qsv_space_expand(const struct qsv_space *s, const uint8_t *group_formats, uint8_t *formats);

struct qsv_sensitivity { /* step 1, one cell: group g alone at format f, all else f32, pins too */
    struct qsv_metrics metrics;
};

struct qsv_selection {
    uint8_t *formats; /* [n_layers] what was selected, or the nearest where nothing met the
                         constraint */
    bool meets;       /* the constraint, on all judging images */
    uint64_t trial_id;
    struct qsv_metrics judged;   /* on all judging images */
    struct qsv_metrics decided;  /* on the images that decided */
    struct qsv_metrics rest;     /* on the judging images that did not decide; n_images 0 where all
                                    of them did. Without wall_s, bytes and energy */
    struct qsv_metrics baseline; /* all judging images */
    struct qsv_metrics baseline_decided;

    uint8_t *base_formats; /* [n_layers] base settings of step 2; NULL: the strategy has none */
    struct qsv_metrics base_decided;
    double base_budget; /* nats: of the base settings */

    struct qsv_sensitivity *sensitivity; /* [n_groups][n_probes], NULL: none */
    uint8_t probes[QSV_N_FORMATS];       /* formats that groups were measured at, by falling bits */
    uint32_t n_probes;
    struct qsv_metrics sensitivity_baseline;

    uint64_t n_evaluations;       /* (trial, image set) questions asked, the baseline's included */
    uint64_t image_forwards;      /* images x trials asked, whole networks */
    uint64_t certifying_forwards; /* of these what certified the selected one
                                     (jobs/strategies/budget.h) */
    bool exhausted;               /* that budget has ended the search */
};

void qsv_selection_fini(struct qsv_selection *s);

struct qsv_strategy {
    const char *name, *summary;
    /* Fills *out (zeroed by the caller; finish with qsv_selection_fini, also on failure). QSV_OK
     * also where nothing meets the constraint (out->meets is false). */
    enum qsv_status (*search)(const struct qsv_space *space, const struct qsv_spec *spec,
                              struct qsv_evaluator *evaluator, struct qsv_selection *out,
                              struct qsv_error *err);
    bool any_format;   /* asks for formats beyond spec->search.formats and pins */
    bool keeps_budget; /* ends within spec->search.max_image_forwards */
};

/* NULL-terminated; find gives NULL where there is none of that name. */
extern const struct qsv_strategy *const qsv_strategies[];
const struct qsv_strategy *qsv_strategy_find(const char *name);
const char *qsv_strategy_names(void); /* "frontier, qsvit, greedy, beam, uniform, random, given" */

#endif
