/* The local launcher: this machine's cores, by Open MPI's mpirun.
 *
 * It works where mpirun by itself asks for switches: as root in a container, with more ranks than
 * cores, without a network or ssh, with a small /dev/shm or temporary folder, inside a batch
 * system's allocation (of which it uses this machine only).
 */
#ifndef QSV_LOCAL_H
#define QSV_LOCAL_H

#include "schedulers/launcher.h"
#include "schedulers/words.h"

/* Ranks for a machine of so many cores: those that compute have theirs, the one that coordinates
 * needs none. */
uint32_t qsv_local_ranks(uint32_t machine_cores, uint32_t cores_of_rank);

/* What mpirun is called with. */
struct qsv_local_plan {
    struct qsv_words argv;
    struct qsv_words environment; /* "NAME=value"; what the user has set there stays */
};

/* What the plan depends on, beside the launch. */
struct qsv_local_machine {
    const char *mpirun;  /* command or path */
    const char *program; /* path of this program */
    const char *output;  /* name of the socket to fetch output from (handover.h); "": none */
    uint32_t cores;
    bool root;
};

enum qsv_status qsv_local_plan_create(struct qsv_local_plan *out, const struct qsv_launch *launch,
                                      const struct qsv_local_machine *machine,
                                      struct qsv_error *err);
void qsv_local_plan_fini(struct qsv_local_plan *p);

#endif
