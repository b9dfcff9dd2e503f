#include "runner/base/watch.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/alloc.h"

/* Of the timeout. Five beats may be lost or late before a worker counts as hung. */
static const double look_part = 0.1, beat_part = 0.2;
/* A gap between two looks of more than so many of them, and more than a loaded machine or a slow
 * disk makes: the coordinator did not run. */
static const double longest_gap = 3, longest_gap_s = 2;
static const double longest_beat_s = 30;

enum qsv_status qsv_watch_init(struct qsv_watch *w, uint32_t n, double timeout_s, double now_s,
                               struct qsv_error *err)
{
    *w = (struct qsv_watch){timeout_s, now_s, n, qsv_alloc(n ? n : 1, sizeof(double))};
    if (!w->heard_s)
        return qsv_fail_memory(err, "watching workers");
    for (uint32_t i = 0; i < n; i++)
        w->heard_s[i] = now_s;
    return QSV_OK;
}

void qsv_watch_fini(struct qsv_watch *w)
{
    free(w->heard_s);
    *w = (struct qsv_watch){0};
}

void qsv_watch_heard(struct qsv_watch *w, uint32_t worker, double now_s)
{
    assert(worker < w->n);
    w->heard_s[worker] = now_s;
}

bool qsv_watch_is_due(struct qsv_watch *w, double now_s)
{
    if (w->timeout_s <= 0)
        return false;
    double period_s = look_part * w->timeout_s, gap_s = now_s - w->looked_s;
    if (gap_s < period_s)
        return false;
    if (gap_s > longest_gap * period_s && gap_s > longest_gap_s)
        for (uint32_t i = 0; i < w->n; i++)
            w->heard_s[i] += gap_s;
    w->looked_s = now_s;
    return true;
}

bool qsv_watch_is_silent(const struct qsv_watch *w, uint32_t worker, double now_s)
{
    assert(worker < w->n);
    return now_s - w->heard_s[worker] > w->timeout_s;
}

double qsv_watch_beat_s(double timeout_s)
{
    double beat_s = beat_part * timeout_s;
    return beat_s > 0 && beat_s < longest_beat_s ? beat_s : longest_beat_s;
}
