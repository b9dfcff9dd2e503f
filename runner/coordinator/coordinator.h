/* The coordinator: hands a job's tasks to workers and takes in what they report. It knows a
 * transport and a clock, never MPI or the wall clock, and naps while nothing comes.
 *
 * Rank r of the transport is worker r - 1; rank 0 is the coordinator's own.
 */
#ifndef QSV_COORDINATOR_H
#define QSV_COORDINATOR_H

#include <signal.h>

#include "jobs/partition.h"
#include "runner/transport/message.h"
#include "runner/base/pace.h"

struct qsv_coordinator;

struct qsv_coordinator_setup { /* the pointers outlive the coordinator */
    struct qsv_transport *transport;
    const struct qsv_clock *clock;
    const volatile sig_atomic_t *stop; /* nonzero: stop */
    const struct qsv_partition *partition;
    struct qsv_record_shape shape;
    double task_seconds;
    double worker_timeout_s; /* a worker not heard from for so long is given up; 0: none */
    double flush_interval_s; /* how long results may wait at a worker to be recorded together */
    void (*say)(void *context, const char *text); /* of a worker that is lost or back; NULL: not */
    void *say_context;
};

enum qsv_status qsv_coordinator_create(struct qsv_coordinator **out,
                                       const struct qsv_coordinator_setup *setup,
                                       struct qsv_error *err);
void qsv_coordinator_destroy(struct qsv_coordinator *c);

/* Waits until every worker has said hello, and checks that it is the same program with the same
 * spec, model and data: QSV_EIDENTITY names rank, host and what differs. Where no hello came for
 * worker_timeout_s it goes on with those that are here, QSV_ESTOPPED where none is; one that comes
 * later is welcome. own outlives the coordinator. */
enum qsv_status qsv_coordinator_greet(struct qsv_coordinator *c, const struct qsv_hello *own,
                                      struct qsv_error *err);

uint32_t qsv_coordinator_workers(const struct qsv_coordinator *c);
uint32_t qsv_coordinator_alive(const struct qsv_coordinator *c); /* here, and not given up */
/* What it said; zeros before the greeting. */
const struct qsv_hello *qsv_coordinator_hello(const struct qsv_coordinator *c, uint32_t worker);

/* What workers have reported so far. */
struct qsv_tally {
    uint64_t layer_forwards_asked, layer_forwards_done; /* see core/engine.h */
    uint64_t peak_mem_bytes;                            /* of the rank that took most */
    double worked_s, waited_s; /* in tasks that evaluate; of these, for images */
};
struct qsv_tally qsv_coordinator_tally(const struct qsv_coordinator *c);

struct qsv_job {
    enum qsv_task_kind kind;
    uint32_t attempt;
    const struct qsv_trial_setting *trials; /* [n_trials], see qsv_deal_call for their order */
    uint32_t n_trials;
    const double *shared; /* [n_trials] */
    uint32_t first_shard, n_shards;
    const uint8_t *missing; /* [n_trials][n_shards] 1: to be done */
    void *context;
    /* A record came; segment is "" for kinds that are not recorded. It may be moved out of *r. The
     * same pair may come twice: from a worker that was given up and came back, and from the one
     * that did its work meanwhile. */
    enum qsv_status (*take)(void *context, struct qsv_record *r, const char *segment,
                            struct qsv_error *err);
    /* Called each time round. */
    enum qsv_status (*tick)(void *context, struct qsv_error *err);
    /* What workers do that would have nothing to do before the call is over, a pair at a time; of
     * kind ahead; nobody waits for it. NULL: nothing. Its own callbacks are not used. */
    const struct qsv_job *ahead;
    /* A record of a task of that kind came, of this call or one before it; where the call asks for
     * it, it is not done again, and must be kept. It may be moved out of *r. NULL: not wanted. */
    enum qsv_status (*take_ahead)(void *context, struct qsv_record *r, struct qsv_error *err);
};

/* Blocks until all that is missing was taken. QSV_ESTOPPED when asked to stop; a worker's failure
 * comes back as its error, with rank and host before it. After any failure only stop may follow;
 * the workers are told already.
 *
 * A worker that falls silent over a task is given up and its task dealt to others. Where none is
 * left: QSV_ESTOPPED, because the same command may have more luck, on other nodes. */
enum qsv_status qsv_coordinator_run(struct qsv_coordinator *c, const struct qsv_job *job,
                                    struct qsv_error *err);

/* Tells all workers to stop and waits for their byes, at most so long, for those that are given up
 * not at all; *work (may be NULL) gets the sum of what they did. QSV_EFAILED names a worker that
 * did not answer: MPI would wait for it for ever. */
enum qsv_status qsv_coordinator_stop(struct qsv_coordinator *c, double longest_s,
                                     struct qsv_bye *work, struct qsv_error *err);

#endif
