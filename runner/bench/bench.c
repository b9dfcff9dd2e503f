#include "runner/bench/bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/base/alloc.h"
#include "runner/coordinator/coordinator.h"
#include "runner/coordinator/idler.h"
#include "runner/transport/transport_loop.h"

/* Of SDTv2 with 55M weights. */
static const struct qsv_record_shape shape = {.n_layers = 138, .n_lifs = 93, .n_sites = 146};
static const double task_seconds = 2, stop_seconds = 60;
enum { SHARD_IMAGES = 5, TRIALS = 100 };

/* Everything that both sides agree on. */
struct stage {
    struct qsv_partition partition;
    struct qsv_message_sizes sizes;
    struct qsv_hello hello;
};

static enum qsv_status stage_init(struct stage *s, uint64_t n_tasks, struct qsv_error *err)
{
    uint64_t shards = n_tasks / TRIALS + 1;
    *s = (struct stage){.hello = {.version = "bench", .host = "here"}};
    enum qsv_status st =
        qsv_partition_init(&s->partition, shards * SHARD_IMAGES, 0, SHARD_IMAGES, 1, err);
    s->sizes = (struct qsv_message_sizes){shape, s->partition.n_shards};
    return st;
}

static struct qsv_idler idler_of(const struct stage *s, struct qsv_transport *t)
{
    return (struct qsv_idler){t, &s->sizes, SHARD_IMAGES, task_seconds, false};
}

struct job { /* what the callbacks see */
    uint64_t n_taken;
};

static enum qsv_status take(void *context, struct qsv_record *r, const char *segment,
                            struct qsv_error *err)
{
    struct job *j = context;
    (void)r;
    (void)segment;
    (void)err;
    j->n_taken++;
    return QSV_OK;
}

static enum qsv_status tick(void *context, struct qsv_error *err)
{
    (void)context;
    (void)err;
    return QSV_OK;
}

static uint64_t largest_size(void)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}

static enum qsv_status hand_out(struct qsv_bench *out, struct qsv_coordinator *c,
                                const struct stage *s, struct qsv_error *err)
{
    const struct qsv_clock *clock = &qsv_clock_system;
    uint32_t n_shards = s->partition.n_shards;
    struct qsv_trial_setting trials[TRIALS];
    double shared[TRIALS] = {0};
    struct job j = {0};
    uint8_t *formats = qsv_alloc(shape.n_layers, 1), *missing = qsv_alloc(TRIALS, n_shards);
    enum qsv_status st = formats && missing ? QSV_OK : qsv_fail_memory(err, "tasks");
    for (uint64_t i = 0; i < TRIALS; i++)
        trials[i] = (struct qsv_trial_setting){i + 1, formats};
    struct qsv_job job = {.kind = QSV_TASK_EVALUATE,
                          .attempt = 1,
                          .trials = trials,
                          .n_trials = TRIALS,
                          .shared = shared,
                          .n_shards = n_shards,
                          .missing = missing,
                          .context = &j,
                          .take = take,
                          .tick = tick};
    for (int half = 0; half < 2 && !st; half++) {
        uint64_t before = largest_size();
        double began_s = clock->now_s(NULL);
        memset(missing, 1, (size_t)TRIALS * n_shards);
        st = qsv_coordinator_run(c, &job, err);
        out->seconds += clock->now_s(NULL) - began_s;
        out->grown_bytes = largest_size() - before;
    }
    out->n_tasks = j.n_taken;
    free(formats);
    free(missing);
    return st;
}

static enum qsv_status coordinate(struct qsv_bench *out, struct qsv_transport *t,
                                  const struct stage *s, struct qsv_error *err)
{
    struct qsv_coordinator *c;
    const struct qsv_coordinator_setup setup = {.transport = t,
                                                .clock = &qsv_clock_system,
                                                .partition = &s->partition,
                                                .shape = shape,
                                                .task_seconds = task_seconds};
    *out = (struct qsv_bench){.ranks = t->size};
    enum qsv_status st = qsv_coordinator_create(&c, &setup, err);
    if (st)
        return st;
    st = qsv_coordinator_greet(c, &s->hello, err);
    if (!st)
        st = hand_out(out, c, s, err);
    if (!st)
        st = qsv_coordinator_stop(c, stop_seconds, NULL, err);
    qsv_coordinator_destroy(c);
    return st;
}

static enum qsv_status step(void *context, struct qsv_error *err)
{
    bool idle;
    return qsv_idler_step(context, &idle, err);
}

static enum qsv_status run_loop(struct qsv_bench *out, struct qsv_loop *loop,
                                struct qsv_idler *idlers, uint32_t n, const struct stage *s,
                                struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (uint32_t i = 0; i < n && !st; i++) {
        idlers[i] = idler_of(s, qsv_loop_end(loop, (int)i + 1));
        qsv_loop_attach(loop, (int)i + 1, step, &idlers[i]);
        st = qsv_idler_hello(&idlers[i], &s->hello, err);
    }
    return st ? st : coordinate(out, qsv_loop_end(loop, 0), s, err);
}

enum qsv_status qsv_bench_loop(struct qsv_bench *out, uint32_t n_workers, uint64_t n_tasks,
                               struct qsv_error *err)
{
    struct stage s;
    struct qsv_loop *loop = NULL;
    struct qsv_idler *idlers = NULL;
    enum qsv_status st = stage_init(&s, n_tasks / 2, err);
    if (!st)
        st = qsv_loop_create(&loop, (int)n_workers + 1, err);
    if (!st && !(idlers = qsv_alloc(n_workers, sizeof *idlers)))
        st = qsv_fail_memory(err, "workers");
    if (!st)
        st = run_loop(out, loop, idlers, n_workers, &s, err);
    qsv_loop_destroy(loop);
    free(idlers);
    qsv_partition_fini(&s.partition);
    return st;
}

enum qsv_status qsv_bench_rank(struct qsv_bench *out, struct qsv_transport *t, uint64_t n_tasks,
                               struct qsv_error *err)
{
    struct stage s;
    enum qsv_status st = stage_init(&s, n_tasks / 2, err);
    if (!st && t->rank == 0) {
        st = coordinate(out, t, &s, err);
    } else if (!st) {
        struct qsv_idler idler = idler_of(&s, t);
        st = qsv_idler_hello(&idler, &s.hello, err);
        if (!st)
            st = qsv_idler_run(&idler, &qsv_clock_system, err);
    }
    qsv_partition_fini(&s.partition);
    return st;
}
