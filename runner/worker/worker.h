/* A worker: does the tasks that the coordinator sends, records what came of them, then reports.
 */
#ifndef QSV_WORKER_H
#define QSV_WORKER_H

#include "runner/inputs/codes.h"
#include "runner/inputs/inputs.h"
#include "runner/worker/workbench.h"
#include "runner/transport/message.h"
#include "runner/base/pace.h"

struct qsv_worker;

struct qsv_worker_setup { /* the pointers outlive the worker */
    struct qsv_transport *transport;
    const struct qsv_clock *clock;
    const volatile sig_atomic_t *stop; /* set by a signal */
    double worker_timeout_s;           /* see coordinator.h */
    double flush_interval_s;           /* results may wait so long to be recorded with others */
    const char *run_folder;            /* where segments go */
    const char *exported;              /* the file that tasks of kind verify read */
    const struct qsv_run *run;
    struct qsv_inputs *inputs;        /* they learn what rank 0 has found out; NULL: know it */
    const struct qsv_codes *codes;    /* NULL: the bank computes its own */
    struct qsv_workbench_setup bench; /* its stop is the worker's own business */
    const struct qsv_hello *hello;    /* isa is filled in by the worker */
};

/* Says hello. Where the worker cannot be made, a failure is sent in its place. */
enum qsv_status qsv_worker_create(struct qsv_worker **out, const struct qsv_worker_setup *setup,
                                  struct qsv_error *err);
void qsv_worker_destroy(struct qsv_worker *w);

/* Takes one message, if there is one, and does what it says; *idle: there was none. A task that
 * fails is reported and no failure of the worker. */
enum qsv_status qsv_worker_step(struct qsv_worker *w, bool *idle, struct qsv_error *err);
/* It was told to stop, and has said bye. */
bool qsv_worker_is_done(const struct qsv_worker *w);

/* Steps until it is done; naps while idle. */
enum qsv_status qsv_worker_run(struct qsv_worker *w, struct qsv_error *err);

/* For a rank that has nothing to work with: sends why, and waits to be told to stop. */
enum qsv_status qsv_worker_excuse(struct qsv_transport *transport, const struct qsv_clock *clock,
                                  const struct qsv_error *why, struct qsv_error *err);

#endif
