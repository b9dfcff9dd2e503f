/* Attempts: each time a run is started.
 */
#ifndef QSV_ATTEMPT_H
#define QSV_ATTEMPT_H

#include "results/ledger.h"

/* Marks attempts that never ended as killed, and begins another one; its number is the last row's.
 */
enum qsv_status qsv_attempt_begin(struct qsv_ledger *l, const struct qsv_provenance *p,
                                  struct qsv_error *err);
/* Ends the last one. */
enum qsv_status qsv_attempt_end(struct qsv_ledger *l, const char *why, struct qsv_error *err);

#endif
