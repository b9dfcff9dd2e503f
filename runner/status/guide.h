/* What to do next: of a spec by what its run is at, and of a folder by the specs that lie in it.
 */
#ifndef QSV_GUIDE_H
#define QSV_GUIDE_H

#include "core/base/strbuf.h"

/* program: as it was called, argv[0]. */

/* A few lines on the folder the program was started in. Whatever can't be read is said as such:
 * there is no failure but memory (out->failed). */
void qsv_guide_folder(struct qsv_strbuf *out, const char *program);

/* The same for one spec. */
void qsv_guide_spec(struct qsv_strbuf *out, const char *program, const char *path);

#endif
