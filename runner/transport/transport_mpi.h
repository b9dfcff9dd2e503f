/* Ranks of an MPI job. One transport a process: MPI is started with it and finalised with it. */
#ifndef QSV_TRANSPORT_MPI_H
#define QSV_TRANSPORT_MPI_H

#include <stdbool.h>

#include "runner/base/pace.h"
#include "runner/transport/transport.h"

/* MPI_Init, and the world's ranks. Threads are allowed, MPI only in the one that calls this. */
enum qsv_status qsv_mpi_begin(struct qsv_transport **out, struct qsv_error *err);

/* Waits until every message sent was taken and all ranks have come here, then MPI_Finalize. False,
 * and nothing is finalised, where that takes longer than longest_s: a rank hangs, and MPI_Finalize
 * would wait for it for ever. */
bool qsv_mpi_end(struct qsv_transport *t, const struct qsv_clock *clock, double longest_s);

/* Ends all ranks at once, without their consent: for when one hangs, or messages can no longer be
 * trusted. mpirun ends with this status, also where it is 0. */
void qsv_mpi_abort(int exit_status) __attribute__((noreturn));

/* "Open MPI v4.1.4, ...": what provenance says of it, up to the first comma. */
const char *qsv_mpi_library(void);

#endif
