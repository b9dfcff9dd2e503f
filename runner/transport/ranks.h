/* A command as an MPI program: what `run` and `pack` have in common from when a launcher has
 * started the ranks, or nobody has, to their common end. Signals ask it to stop.
 */
#ifndef QSV_RANKS_H
#define QSV_RANKS_H

#include <signal.h>
#include <stdbool.h>

#include "runner/base/pace.h"
#include "runner/transport/transport.h"
#include "schedulers/launcher.h"

struct qsv_ranks {
    bool mpi;                        /* MPI has begun */
    struct qsv_transport *transport; /* NULL: this process is the only one */
    const struct qsv_clock *clock;
    const volatile sig_atomic_t *stop; /* the number of the signal that came; 0: none */
    bool stuck; /* work sets it: nobody can be waited for; all ranks are ended, with its status */
};

/* What each rank does. */
typedef enum qsv_status qsv_ranks_work(struct qsv_ranks *r, void *context, struct qsv_error *err);

/* Calls work as one of the ranks that info tells of, or alone. A stop that takes longer than some
 * seconds ends the process with the status of QSV_ESTOPPED. QSV_EUSAGE where launcher and MPI do
 * not find each other. */
enum qsv_status qsv_ranks_run(const struct qsv_rank_info *info, qsv_ranks_work *work, void *context,
                              struct qsv_error *err);

#endif
