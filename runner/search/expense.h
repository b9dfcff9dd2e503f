/* What a search's questions cost, whoever had them answered: the same whether its records were
 * there already, because another search of the run had asked for them, or were made for it. A
 * setting on an image counts once, however often the search asks about it.
 */
#ifndef QSV_EXPENSE_H
#define QSV_EXPENSE_H

#include "results/index.h"
#include "results/ledger.h"
#include "results/store.h"
#include "runner/coordinator/question.h"

struct qsv_expense { /* zeroed: nothing asked yet */
    struct qsv_search_cost sum;
    struct qsv_index seen; /* (trial, shard) that are in the sum */
};

/* Adds a question of n_asked trials that is answered: all its records are in the store, its images
 * are counted (qsv_question_look_up). */
enum qsv_status qsv_expense_add(struct qsv_expense *e, const struct qsv_question *q,
                                uint32_t n_asked, const struct qsv_store *store,
                                struct qsv_error *err);
void qsv_expense_fini(struct qsv_expense *e);

#endif
