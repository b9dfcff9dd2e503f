/* The listing of differences: how many of each kind, and the first few of them in words.
 */
#ifndef QSV_DIFF_REPORT_H
#define QSV_DIFF_REPORT_H

#include "results/diff.h"
#include "results/ledger.h"

enum qsv_diff_kind {
    QSV_DIFF_IDENTITY,
    QSV_DIFF_SPEC,
    QSV_DIFF_SELECTION,
    QSV_DIFF_TRIALS,
    QSV_DIFF_STEPS,
    QSV_DIFF_RECORDS,
    QSV_N_DIFF_KINDS
};

struct qsv_diff_report {
    struct qsv_strbuf *text; /* may be NULL */
    uint64_t count[QSV_N_DIFF_KINDS];
};

/* Counts a difference, and lists it unless there were many of its kind. */
void qsv_diff_note(struct qsv_diff_report *d, enum qsv_diff_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Says how many were not listed, of each kind. */
void qsv_diff_end(struct qsv_diff_report *d);

/* Parts of a comparison. Records only where identities are equal. */
void qsv_diff_identity(struct qsv_diff_report *d, const struct qsv_ledger *a,
                       const struct qsv_ledger *b);
void qsv_diff_searches(struct qsv_diff_report *d, const struct qsv_ledger *a,
                       const struct qsv_ledger *b);
void qsv_diff_spec(struct qsv_diff_report *d, const char *a, const char *b);
void qsv_diff_trials(struct qsv_diff_report *d, const struct qsv_ledger *a,
                     const struct qsv_ledger *b);
void qsv_diff_records(struct qsv_diff_report *d, const struct qsv_ledger *a,
                      const struct qsv_ledger *b);

#endif
