/* How far a run is, live or stopped. */
#ifndef QSV_STATUS_H
#define QSV_STATUS_H

#include "core/base/error.h"
#include "core/base/strbuf.h"

/* Appends a few lines, or with `json` one object, on the run at path (a folder or a results.h5):
 * who holds it and whether that process lives, the search and its step, trials, records, images
 * evaluated and their rate in the last attempt, what is selected. */
enum qsv_status qsv_status_report(const char *path, int json, struct qsv_strbuf *out,
                                  struct qsv_strbuf *warnings, struct qsv_error *err);

#endif
