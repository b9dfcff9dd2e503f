/* Man page source: text that must come out as it is. */
#ifndef QSV_ROFF_H
#define QSV_ROFF_H

#include "core/base/strbuf.h"

/* Within a line: backslashes, hyphens and quotes stand for themselves. */
void qsv_roff_text(struct qsv_strbuf *out, const char *s);

/* Whole lines, as they are: none is taken for a request. */
void qsv_roff_lines(struct qsv_strbuf *out, const char *s);

#endif
