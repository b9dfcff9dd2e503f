/* A recorded search, to be played again without evaluating anything: its spec as it was recorded,
 * the model and the bank of its run, and an evaluator that answers from records. A question of
 * which a record is missing fails with QSV_ESTOPPED: the search was interrupted there.
 */
#ifndef QSV_REPLAY_H
#define QSV_REPLAY_H

#include "core/bank.h"
#include "jobs/strategy.h"
#include "results/ledger.h"
#include "results/reader.h"

struct qsv_replay {
    const struct qsv_ledger *ledger; /* the reader's */
    struct qsv_spec *spec;
    struct qsv_model *model;
    struct qsv_bank *bank; /* NULL: codes that no losses are known of */
    struct qsv_space *space;
    uint8_t *baseline; /* [n_layers] */
    struct qsv_evaluator evaluator;
};

/* The run's last search of a strategy. run: its folder or results, as the user named it; model:
 * where its source model is now, NULL: where it was. The reader outlives the replay, which stays
 * where it is. QSV_EINPUT where there is no such search, or model or bank can't be read;
 * QSV_EIDENTITY for another model. On failure nothing is left to finish. */
enum qsv_status qsv_replay_init(struct qsv_replay *r, const struct qsv_reader *reader,
                                const char *run, const char *strategy, const char *model,
                                struct qsv_error *err);
void qsv_replay_fini(struct qsv_replay *r);

#endif
