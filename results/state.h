/* In what state a run is, live or stopped: what its records and its lock tell. */
#ifndef QSV_STATE_H
#define QSV_STATE_H

#include "results/ledger.h"
#include "results/lock.h"
#include "results/reader.h"

struct qsv_state {
    const struct qsv_reader *reader; /* the caller's; whatever is pointed to below is its */
    const struct qsv_ledger *ledger;
    struct qsv_lock_holder holder;
    const struct qsv_attempt_row *attempt;    /* the last one; NULL: none */
    const struct qsv_recorded_search *search; /* the last one; NULL: none */
    const struct qsv_reader_trial *selected;  /* by the last search; NULL: nothing yet */
    uint64_t images;                          /* trials x images recorded, all attempts */
    uint64_t attempt_images;                  /* in the last attempt */
    uint64_t peak_mem_bytes;                  /* of the rank that took most, in the last attempt */
    double attempt_s;                         /* how long that has taken so far; NaN: unknown */
};

/* path: what the reader was opened with; of a folder the lock is looked at, too. */
void qsv_state_look(struct qsv_state *s, const struct qsv_reader *r, const char *path);

/* Somebody holds the run, and is not known to be gone. */
bool qsv_state_goes_on(const struct qsv_state *s);
/* "running", "held" (by another host), "complete", "ended" (attempt->why says how), "killed". */
const char *qsv_state_word(const struct qsv_state *s);
/* What the last search has asked for last; "": nothing yet. */
const char *qsv_state_step(const struct qsv_state *s);
/* Image forwards a second in the last attempt; NaN: unknown. */
double qsv_state_rate(const struct qsv_state *s);

#endif
