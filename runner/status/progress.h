/* What a run shows while it goes on: one moving line on a terminal; in a log plain lines, at most
 * every few seconds and at each step's end.
 */
#ifndef QSV_PROGRESS_H
#define QSV_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "runner/base/pace.h"

struct qsv_progress;

/* NULL when memory is out; all functions take NULL for a run that shows nothing. */
struct qsv_progress *qsv_progress_create(FILE *out, bool terminal, const struct qsv_clock *clock);
void qsv_progress_destroy(struct qsv_progress *p);

/* A call of the evaluator: n_trials on n_images each; n_done of their image forwards (images x
 * trials) are recorded already, out of n_forwards. n_trials 0: parts of something else are counted.
 */
void qsv_progress_begin(struct qsv_progress *p, const char *step, uint32_t n_trials,
                        uint64_t n_images, uint64_t n_done, uint64_t n_forwards);
void qsv_progress_add(struct qsv_progress *p, uint64_t n_forwards);
/* Redraws where it is time. */
void qsv_progress_tick(struct qsv_progress *p);
void qsv_progress_end(struct qsv_progress *p);

/* What the search decided, a line of its own. */
void qsv_progress_say(struct qsv_progress *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The best setting so far: shown from now on; avg_bits 0: none. */
void qsv_progress_best(struct qsv_progress *p, double avg_bits, double top1_drop);

/* The call that goes on, or the last one. */
struct qsv_progress_view {
    const char *step; /* valid until the next call begins */
    uint32_t n_trials;
    uint64_t n_images, n_recorded, n_done, n_forwards; /* as above; recorded before it began */
    double passed_s;
    double best_bits, best_drop; /* as given to qsv_progress_best */
};
void qsv_progress_look(const struct qsv_progress *p, struct qsv_progress_view *out);

/* Erases the moving line: before something else is printed, and before the end. */
void qsv_progress_clear(struct qsv_progress *p);

#endif
