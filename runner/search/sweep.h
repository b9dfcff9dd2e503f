/* A sweep: what each rank of `qsvit run` does. Rank 0 coordinates, the others work; one rank alone
 * does both.
 */
#ifndef QSV_SWEEP_H
#define QSV_SWEEP_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "jobs/spec.h"
#include "runner/base/pace.h"
#include "runner/transport/transport.h"

struct qsv_sweep {
    struct qsv_spec *spec; /* its run folder is where everything goes */
    bool fresh;            /* what is in the run's folder is moved aside, to <run>.old-<n> */
    struct qsv_transport *transport; /* not used by one rank alone */
    const struct qsv_clock *clock;
    const volatile sig_atomic_t *stop;
    FILE *out;                            /* the summary */
    FILE *log;                            /* progress */
    bool terminal;                        /* what log is */
    const char *command_line, *libraries; /* for provenance */
};

/* QSV_EUNMET where no setting meets the constraint; QSV_ESTOPPED where it was asked to stop.
 * *stuck: a worker did not end, so that the job can only be aborted. */
enum qsv_status qsv_sweep_coordinate(const struct qsv_sweep *s, bool *stuck, struct qsv_error *err);
/* Failures are the coordinator's to tell: what is returned is a failure of the transport. */
enum qsv_status qsv_sweep_work(const struct qsv_sweep *s, struct qsv_error *err);
enum qsv_status qsv_sweep_alone(const struct qsv_sweep *s, struct qsv_error *err);

#endif
