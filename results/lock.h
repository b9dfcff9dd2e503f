/* One writer a run: RUN/lock, a line of text that names its holder: host, process, batch job.
 *
 * A lock is taken over where its holder is known to be gone: a process of this host that is not
 * there any more, or an earlier start of this very batch job. A process of another host can't be
 * looked at; but it touches the lock every 15 s, so that one not touched for QSV_LOCK_STALE_S
 * counts as left behind. That age is the difference of two times of the file system (the lock's,
 * and that of a file just written), so that no two hosts' clocks are compared. A holder that sleeps
 * for longer and wakes up finds out before it writes, and stops.
 */
#ifndef QSV_LOCK_H
#define QSV_LOCK_H

#include <stdbool.h>

#include "core/base/error.h"

enum { QSV_LOCK_STALE_S = 300 };

struct qsv_lock;

/* QSV_EIDENTITY naming the holder where there is one. */
enum qsv_status qsv_lock_take(struct qsv_lock **out, const char *run_folder, struct qsv_error *err);
/* QSV_EIDENTITY where somebody else has taken it over. refresh also touches it, when it is time to;
 * to be called often. */
enum qsv_status qsv_lock_check(struct qsv_lock *lock, struct qsv_error *err);
enum qsv_status qsv_lock_refresh(struct qsv_lock *lock, struct qsv_error *err);
/* Removes the lock if it is still this one's, and frees. */
void qsv_lock_release(struct qsv_lock *lock);

enum qsv_lock_state {
    QSV_LOCK_FREE,   /* there is none */
    QSV_LOCK_ALIVE,  /* its process runs on this host */
    QSV_LOCK_DEAD,   /* its process is gone */
    QSV_LOCK_REMOTE, /* another host's, or unreadable: not known */
    QSV_LOCK_STALE   /* the same, but not touched for QSV_LOCK_STALE_S */
};

struct qsv_lock_holder {
    enum qsv_lock_state state;
    char host[65];
    long pid;
    char job[33]; /* batch job; "": none */
    double since_unix_s;
    double age_s; /* since it was touched, by this host's clock */
};

void qsv_lock_look(const char *run_folder, struct qsv_lock_holder *out);

/* Removes the lock of a holder that somebody else knows to be gone, unless another one has it by
 * now. */
void qsv_lock_break(const char *run_folder, const struct qsv_lock_holder *holder);

#endif
