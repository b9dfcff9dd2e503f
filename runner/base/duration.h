/* Durations as people read them: "0:07", "12:30", "3:02:59". */
#ifndef QSV_DURATION_H
#define QSV_DURATION_H

#include "core/base/strbuf.h"

/* Rounded to seconds; what is below 0 is 0. */
void qsv_duration_print(struct qsv_strbuf *out, double seconds);

#endif
