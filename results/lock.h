/* One writer a run: RUN/lock, a line of text that names its holder. A lock whose holder is a dead
 * process of this host is taken over, and one that an earlier start of this Slurm job has left,
 * because Slurm starts a job again only when it is over. One of another host can't be looked at
 * from here.
 */
#ifndef QSV_LOCK_H
#define QSV_LOCK_H

#include <stdbool.h>

#include "core/base/error.h"

struct qsv_lock;

/* QSV_EIDENTITY naming the holder where there is one. */
enum qsv_status qsv_lock_take(struct qsv_lock **out, const char *run_folder, struct qsv_error *err);
/* Removes the lock if it is still this one's, and frees. */
void qsv_lock_release(struct qsv_lock *lock);

enum qsv_lock_state {
    QSV_LOCK_FREE,  /* there is none */
    QSV_LOCK_ALIVE, /* its process runs on this host */
    QSV_LOCK_DEAD,  /* its process was of this host and is gone */
    QSV_LOCK_REMOTE /* another host's, or unreadable: not known */
};

struct qsv_lock_holder {
    enum qsv_lock_state state;
    char host[65];
    long pid;
    char job[24]; /* number of its Slurm job; "": none */
    double since_unix_s;
};

void qsv_lock_look(const char *run_folder, struct qsv_lock_holder *out);

/* Removes the lock of a holder that somebody else knows to be gone, unless another one has it by
 * now. */
void qsv_lock_break(const char *run_folder, const struct qsv_lock_holder *holder);

#endif
