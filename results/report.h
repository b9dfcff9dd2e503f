/* A run as one JSON value: what `qsvit report` draws, and others may read (docs/report.md has every
 * field). Trials and sensitivity are the very answers of results/query.h.
 */
#ifndef QSV_REPORT_H
#define QSV_REPORT_H

#include <jansson.h>

#include "results/reader.h"

/* A new reference. The reader was opened with arrays (firing rates come from them). QSV_ENOMEM. */
enum qsv_status qsv_report_run(json_t **out, const struct qsv_reader *r, struct qsv_error *err);

/* What every column of a trial means: {name: {unit, help}}. NULL: out of memory. */
json_t *qsv_report_columns(void);

/* A part of the above: the run's searches with their constraints, steps, and what each step asked
 * for first. NULL: out of memory. */
json_t *qsv_report_searches(const struct qsv_reader *r);

#endif
