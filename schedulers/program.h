/* Other programs: running one and collecting what it writes; and this one's own path.
 */
#ifndef QSV_PROGRAM_H
#define QSV_PROGRAM_H

#include "core/base/error.h"
#include "core/base/strbuf.h"

struct qsv_output {
    struct qsv_strbuf out, err; /* what it wrote, each at most 1 MiB: more is dropped */
    int status;                 /* its exit status; 128 + number of the signal that ended it */
};

/* Runs argv (NULL-terminated, looked up on the PATH) without a shell, with an empty input, and
 * waits. QSV_EFAILED where it can't be started, or has not ended after limit_s: it is killed then.
 * Whatever else becomes of it is in *o, to be finished in any case. */
enum qsv_status qsv_program_run(struct qsv_output *o, char *const *argv, double limit_s,
                                struct qsv_error *err);
void qsv_output_fini(struct qsv_output *o);

/* What it wrote on standard error, else on standard output, as one line: why it failed, in its own
 * words. Nothing where it wrote nothing. */
void qsv_output_words(const struct qsv_output *o, struct qsv_strbuf *line);

/* Of this program's file; the caller frees. */
enum qsv_status qsv_program_path(char **out, struct qsv_error *err);

#endif
