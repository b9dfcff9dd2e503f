/* Ranks of an MPI job. One transport a process: MPI is started with it and finalised with it. */
#ifndef QSV_TRANSPORT_MPI_H
#define QSV_TRANSPORT_MPI_H

#include "runner/pace.h"
#include "runner/transport.h"

/* MPI_Init, and the world's ranks. */
enum qsv_status qsv_mpi_begin(struct qsv_transport **out, struct qsv_error *err);

/* Waits until every message sent was taken, then MPI_Finalize, in which all ranks meet. */
void qsv_mpi_end(struct qsv_transport *t, const struct qsv_clock *clock);

/* Ends all ranks at once, without their consent: for when messages can no longer be trusted. */
void qsv_mpi_abort(int exit_status) __attribute__((noreturn));

/* "Open MPI v4.1.4, ...": what provenance says of it, up to the first comma. */
const char *qsv_mpi_library(void);

#endif
