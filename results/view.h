/* A ledger in the order in which it is written, listed and compared: trials by number (unnumbered
 * ones last, by id), evaluations by trial id and shard. Borrows the ledger, which must not change
 * meanwhile.
 */
#ifndef QSV_VIEW_H
#define QSV_VIEW_H

#include "results/ledger.h"

struct qsv_view_trial {
    const struct qsv_trial_row *row;
    struct qsv_evaluation *const *evaluations; /* [n], by shard */
    size_t n;
};

struct qsv_view {
    const struct qsv_ledger *ledger;
    struct qsv_view_trial *trials;       /* [ledger->n_trials] */
    struct qsv_evaluation **evaluations; /* [ledger->n_evaluations] */
};

enum qsv_status qsv_view_init(struct qsv_view *v, const struct qsv_ledger *l,
                              struct qsv_error *err);
void qsv_view_fini(struct qsv_view *v);

#endif
