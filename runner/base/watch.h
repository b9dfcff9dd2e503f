/* Which workers have fallen silent. Pure arithmetic over times that the caller reads from its
 * clock.
 *
 * A worker that computes is heard from every few seconds, between layers. One that is not heard
 * from for timeout_s hangs: its process is stopped, or waits for a disk or node that is gone. Time
 * in which the coordinator itself did not run (the whole job was suspended) is held against nobody.
 */
#ifndef QSV_WATCH_H
#define QSV_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"

struct qsv_watch {
    double timeout_s; /* 0: nobody is ever silent */
    double looked_s;  /* when is_due last said yes */
    uint32_t n;
    double *heard_s; /* [n] */
};

enum qsv_status qsv_watch_init(struct qsv_watch *w, uint32_t n, double timeout_s, double now_s,
                               struct qsv_error *err);
void qsv_watch_fini(struct qsv_watch *w);

void qsv_watch_heard(struct qsv_watch *w, uint32_t worker, double now_s);

/* Whether it is time to look at all workers: often enough for the timeout, seldom enough to cost
 * nothing. To be called each time round. */
bool qsv_watch_is_due(struct qsv_watch *w, double now_s);
bool qsv_watch_is_silent(const struct qsv_watch *w, uint32_t worker, double now_s);

/* How often a worker that computes lets itself be heard. */
double qsv_watch_beat_s(double timeout_s);

#endif
