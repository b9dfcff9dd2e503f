/* Simulated workers: a transport to them, and the clock that they and the coordinator share. The
 * coordinator that is given both can't tell them from real ones: it sends and receives the same
 * bytes. Nothing here takes the time it says it takes.
 *
 * A task takes a worker as long as its images need at the worker's speed: a trial costs the part of
 * the network that it does not share with the one before it, a shard that the worker has not had
 * costs the baseline too. A layer's part of the network is that of its multiply-accumulates. Where
 * times were measured, integer weights have a speed of their own. Everything drawn at random is
 * drawn from the seed.
 */
#ifndef QSV_TROOP_H
#define QSV_TROOP_H

#include "core/model.h"
#include "runner/transport/message.h"
#include "runner/base/pace.h"

struct qsv_troop;

struct qsv_troop_work { /* images of a whole network, by the weights of the layers that are run */
    double real;        /* f32 and f16 */
    double integer;
};

/* What tasks took on real workers. One is drawn for each simulated task, likelier the longer it
 * was: so the tasks that were measured take, all together, as long as they took. */
struct qsv_troop_times {
    double real_s, integer_s; /* that an image of a whole network takes */
    double *factors;          /* [n] what a task took, times what follows from these two */
    double *upto;             /* [n] weights of tasks 0 .. i added up */
    size_t n;
};

struct qsv_troop_setup { /* the pointers outlive the troop */
    uint32_t n_workers;
    const struct qsv_model *model;
    const struct qsv_partition *partition;
    struct qsv_message_sizes sizes;
    const struct qsv_hello *hello;
    uint64_t seed;
    double images_per_s; /* whole networks, a worker's at the median */
    double rank_spread;  /* standard deviation of the logarithm of speeds: between workers */
    double task_spread;  /* and between tasks of one worker */
    const struct qsv_troop_times *times; /* instead of the three; NULL: none */
    double failures_per_hour;            /* of a worker: what it has in hand is begun anew */
    double restart_s;                    /* how long that takes */
    double record_s;                     /* to write a task's segment */
    double latency_s;                    /* of a message */
    double message_s; /* that the coordinator is busy with a message, sent or received */
};

enum qsv_status qsv_troop_create(struct qsv_troop **out, const struct qsv_troop_setup *setup,
                                 struct qsv_error *err);
void qsv_troop_destroy(struct qsv_troop *t);

struct qsv_transport *qsv_troop_transport(struct qsv_troop *t);
const struct qsv_clock *qsv_troop_clock(const struct qsv_troop *t);

struct qsv_troop_figures {
    uint64_t n_tasks, n_messages, n_failures;
    double worked_s; /* over all workers, in tasks that were reported */
    double cpu_s;    /* real: what the simulation of workers took */
};
struct qsv_troop_figures qsv_troop_figures(const struct qsv_troop *t);

/* What one image costs a task: prefix [n_layers + 1] multiply-accumulates before each layer; knows:
 * the baseline is there. */
struct qsv_troop_work qsv_troop_work(const struct qsv_task *t, uint32_t n_layers,
                                     const double *prefix, bool knows);

#endif
