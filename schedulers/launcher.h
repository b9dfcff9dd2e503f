/* Launchers: how the ranks of a run come into being when nobody has started them yet. One row of a
 * table each. The spec's `scheduler.launcher` names one. A new one is a file here that defines its
 * row, and a line in launchers.inc; docs/extending.md says more.
 */
#ifndef QSV_LAUNCHER_H
#define QSV_LAUNCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "jobs/spec.h"
#include "schedulers/words.h"

/* By what ranks of one job find each other. */
enum qsv_way {
    QSV_WAY_NONE, /* the launcher offers nothing: every process will be alone */
    QSV_WAY_PMI,  /* Slurm's older interface, which an MPI has or has not */
    QSV_WAY_MPI   /* PMIx, or MPI's own launcher */
};

/* What the environment says about this process. */
struct qsv_rank_info {
    bool launched; /* an MPI launcher has started it: mpirun, srun, ... */
    enum qsv_way way;
    uint32_t rank;  /* 0 where not launched */
    uint32_t ranks; /* that the launcher says there are; 0: it does not say. MPI must find as many:
                       otherwise the launcher and this program's MPI do not know each other, and
                       every process believes to be alone. */
};

/* Looks at the environment only; may be called before MPI_Init. */
struct qsv_rank_info qsv_rank_info_read(void);

struct qsv_launch {
    uint32_t ranks; /* 0: as many as there is room for; on this machine as many as have cores of
                       those that this process may use, and one that coordinates */
    uint32_t cores; /* of a rank; 0: one */
    char **argv;    /* this program's own command line, NULL-terminated: every rank gets the same */
    const struct qsv_spec_scheduler *how; /* local needs none */
};

struct qsv_launcher {
    const char *name, *summary;
    /* Starts the ranks and waits until all have ended, or becomes the program that does. Signals
     * that ask to stop (INT, TERM, HUP, USR1) reach the ranks, from local as USR1; a second one
     * ends them at once. Their exit status becomes the status here, QSV_EINPUT for 2 and so on,
     * with an empty text: they have said what there is to say. */
    enum qsv_status (*run)(const struct qsv_launch *launch, struct qsv_error *err);
    /* The command that a batch script puts before this program's, options behind it. NULL: none,
     * because this program starts its ranks itself, on one machine. */
    void (*words)(struct qsv_words *out, const struct qsv_launch *launch);
};

/* For a launcher's run: this process becomes the command of its words, with this program and its
 * arguments behind them, so that whoever signals this process signals that. Comes back where that
 * fails. */
enum qsv_status qsv_launcher_become(const struct qsv_launcher *l, const struct qsv_launch *launch,
                                    struct qsv_error *err);

#define LAUNCHER(name) extern const struct qsv_launcher qsv_launcher_##name;
#include "schedulers/launchers.inc"
#undef LAUNCHER

/* NULL-terminated. find gives NULL where there is none of that name. */
extern const struct qsv_launcher *const qsv_launchers[];
const struct qsv_launcher *qsv_launcher_find(const char *name);
const char *qsv_launcher_names(void); /* "local, srun, mpirun" */

/* To be called first in a rank, before anything is printed: where a launcher here has started it,
 * rank 0 gets the terminal or file that `qsvit run` was started with as its standard output and
 * error, in place of the launcher's pipes. Progress then sees a terminal for what it is, and a full
 * disk is an error. Does nothing elsewhere. */
void qsv_launcher_take_output(void);

#endif
