/* RUN/live: what the coordinator knows while it runs, for `qsvit status` on another machine. A few
 * lines of text that it writes anew every few seconds and takes away at the end. Nothing depends on
 * it: failing to write it is no failure.
 */
#ifndef QSV_LIVE_H
#define QSV_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/strbuf.h"
#include "runner/coordinator/coordinator.h"
#include "runner/base/pace.h"
#include "runner/status/progress.h"

struct qsv_live {
    double unix_s; /* when it was written */
    uint32_t attempt;
    uint32_t workers, alive;
    char step[64];
    uint32_t trials; /* of the call that goes on */
    uint64_t images; /* of each */
    /* Image forwards of the call: recorded before it began, done, in all. */
    uint64_t recorded, done, all;
    double passed_s;             /* since the call began */
    double worked_s, waited_s;   /* see struct qsv_tally */
    double best_bits, best_drop; /* of the best setting so far: bits a weight, points; 0: none */
};

void qsv_live_format(struct qsv_strbuf *out, const struct qsv_live *l);
/* False where text is none. */
bool qsv_live_parse(struct qsv_live *out, const char *text);
/* Of a run that goes on; false where there is none. */
bool qsv_live_read(struct qsv_live *out, const char *run_folder);

/* "step: 4 trials on 2048 images"; of parts of something else the step alone. */
void qsv_live_print_call(struct qsv_strbuf *out, const struct qsv_live *l);

/* Image forwards a second in the call; 0: not known yet. */
double qsv_live_rate(const struct qsv_live *l);

struct qsv_live_writer {
    char *path;
    const struct qsv_clock *clock;
    const struct qsv_coordinator *coordinator;
    const struct qsv_progress *progress;
    uint32_t attempt;
    double next_s; /* when it is due again */
};

/* Where memory is out nothing is ever written. */
void qsv_live_begin(struct qsv_live_writer *w, const char *run_folder);
/* Writes where it is time. */
void qsv_live_tick(struct qsv_live_writer *w);
void qsv_live_end(struct qsv_live_writer *w);

#endif
