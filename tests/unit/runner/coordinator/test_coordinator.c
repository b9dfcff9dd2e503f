/* The coordinator against workers that only pretend, on a clock that only naps move. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner/coordinator/coordinator.h"
#include "runner/transport/transport_loop.h"

enum {
    MAX_WORKERS = 8,
    N_LAYERS = 2,
    SHARD_IMAGES = 10,
    N_SHARDS = 12,
    MAX_TRIALS = 16,
    TIMEOUT_S = 60
};

static struct qsv_error err;
static const struct qsv_record_shape shape = {N_LAYERS, 1, 3};
static double now_s;

static double clock_now(void *context)
{
    (void)context;
    return now_s;
}

static void clock_nap(void *context, double seconds)
{
    (void)context;
    now_s += seconds;
}

static const struct qsv_clock test_clock = {NULL, clock_now, clock_now, clock_nap};

/* A worker that takes seconds_a_pair for each pair; knows a fault or two. */
struct pretender {
    struct qsv_transport *transport;
    const struct qsv_message_sizes *sizes;
    double seconds_a_pair;
    struct qsv_task task; /* in work; number 0: none */
    struct qsv_task next; /* queued */
    double done_at_s;
    int n_tasks, n_pairs, fail_task; /* fail_task: the how manieth fails; 0: none */
    int hang_task;                   /* the how manieth takes 1000 s longer */
    int n_queued;
    int deaf;                      /* does not answer a stop */
    double hangs_at_s, wakes_at_s; /* does nothing in between; 0: never */
    double beat_s, next_beat_s;    /* says that it is alive every beat_s; 0: never */
    void (*spoil)(struct qsv_message *m);
    struct qsv_identity welcome;
    char log[4096]; /* "first+n_shards*n_trials " a task */
};

struct stage {
    struct qsv_loop *loop;
    struct qsv_partition partition;
    struct qsv_message_sizes sizes;
    struct qsv_coordinator *c;
    struct qsv_hello hello;
    volatile sig_atomic_t stop;
    struct pretender workers[MAX_WORKERS];
    int taken[MAX_TRIALS][N_SHARDS], ahead[MAX_TRIALS][N_SHARDS];
    int n_taken, stop_after; /* asks to stop after that many records; 0: never */
    int pause_after;         /* after that many records 1,000 s pass at once; 0: never */
    char said[1024];
};

static void hear_say(void *context, const char *text)
{
    struct stage *s = context;
    size_t used = strlen(s->said);
    snprintf(s->said + used, sizeof s->said - used, "%s\n", text);
}

static void answer(struct pretender *p, struct qsv_message *m)
{
    if (p->spoil)
        p->spoil(m);
    assert_int_equal(qsv_message_send(p->transport, 0, m, p->sizes, &err), QSV_OK);
}

static void report(struct pretender *p)
{
    struct qsv_message m = {.type = QSV_MESSAGE_DONE};
    struct qsv_task *t = &p->task;
    struct qsv_done *d = &m.u.done;
    uint32_t n = t->n_trials * t->n_shards;
    *d = (struct qsv_done){.task = t->number,
                           .seconds = n * p->seconds_a_pair,
                           .waited_s = n * p->seconds_a_pair / 4,
                           .n_records = n,
                           .layer_forwards_asked = 3 * n,
                           .layer_forwards_done = 2 * n};
    strcpy(d->segment, "segment");
    d->records = calloc(n, sizeof *d->records);
    assert_non_null(d->records);
    for (uint32_t i = 0; i < n; i++) {
        struct qsv_record *r = &d->records[i];
        assert_int_equal(qsv_record_init(r, &shape, SHARD_IMAGES, 0, &err), QSV_OK);
        r->peak_mem_bytes = 1000 + i;
        r->trial_id = t->trials[i / t->n_shards].trial_id;
        r->shard = t->first_shard + i % t->n_shards;
    }
    answer(p, &m);
    qsv_message_fini(&m);
    qsv_task_fini(t);
}

static void begin_task(struct pretender *p)
{
    p->n_tasks++;
    uint32_t pairs = p->task.n_trials * p->task.n_shards;
    p->n_pairs += (int)pairs;
    size_t used = strlen(p->log);
    snprintf(p->log + used, sizeof p->log - used, "%u+%u*%u ", p->task.first_shard,
             p->task.n_shards, p->task.n_trials);
    p->done_at_s = now_s + pairs * p->seconds_a_pair;
    if (p->n_tasks == p->hang_task)
        p->done_at_s += 1000;
}

static void take_task(struct pretender *p, struct qsv_message *m)
{
    assert_int_equal(p->next.number, 0); /* two at most */
    m->type = QSV_MESSAGE_STOP;          /* the task was moved out */
    if (p->task.number) {
        p->next = m->u.task;
        p->n_queued++;
        return;
    }
    p->task = m->u.task;
    begin_task(p);
}

static void take_next(struct pretender *p)
{
    p->task = p->next;
    p->next = (struct qsv_task){0};
    if (p->task.number)
        begin_task(p);
}

static void fail_task(struct pretender *p)
{
    struct qsv_message m = {.type = QSV_MESSAGE_FAILED};
    m.u.failed.task = p->task.number;
    qsv_fail(&m.u.failed.error, QSV_EIO, "images.h5: cannot read");
    answer(p, &m);
    qsv_task_fini(&p->task);
}

static enum qsv_status pretend(void *context, struct qsv_error *e)
{
    struct pretender *p = context;
    struct qsv_parcel parcel;
    struct qsv_message m;
    if (p->hangs_at_s && now_s >= p->hangs_at_s && (!p->wakes_at_s || now_s < p->wakes_at_s))
        return QSV_OK;
    if (p->task.number && p->beat_s && now_s >= p->next_beat_s) {
        struct qsv_message alive = {.type = QSV_MESSAGE_ALIVE};
        p->next_beat_s = now_s + p->beat_s;
        answer(p, &alive);
    }
    if (p->task.number && now_s >= p->done_at_s) {
        if (p->n_tasks == p->fail_task)
            fail_task(p);
        else
            report(p);
        take_next(p);
    }
    assert_int_equal(p->transport->poll(p->transport, &parcel, e), QSV_OK);
    if (!parcel.data)
        return QSV_OK;
    assert_int_equal(qsv_message_unpack(&m, p->sizes, parcel.data, parcel.bytes, &err), QSV_OK);
    free(parcel.data);
    if (m.type == QSV_MESSAGE_TASK) {
        take_task(p, &m);
    } else if (m.type == QSV_MESSAGE_WELCOME) {
        p->welcome = m.u.welcome;
    } else if (m.type == QSV_MESSAGE_STOP && !p->deaf) {
        struct qsv_message bye = {.type = QSV_MESSAGE_BYE, .u.bye = {10, 7}};
        qsv_task_fini(&p->task);
        qsv_task_fini(&p->next);
        answer(p, &bye);
    }
    qsv_message_fini(&m);
    return QSV_OK;
}

static void say_hello(struct stage *s, int worker)
{
    struct qsv_message m = {.type = QSV_MESSAGE_HELLO, .u.hello = s->hello};
    snprintf(m.u.hello.host, sizeof m.u.hello.host, "node%d", worker);
    answer(&s->workers[worker], &m);
}

static struct stage *open_stage(int n_workers)
{
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    now_s = 100;
    assert_int_equal(
        qsv_partition_init(&s->partition, N_SHARDS * SHARD_IMAGES, 0, SHARD_IMAGES, 1, &err),
        QSV_OK);
    s->sizes = (struct qsv_message_sizes){shape, N_SHARDS};
    assert_int_equal(qsv_loop_create(&s->loop, n_workers + 1, &err), QSV_OK);
    s->hello = (struct qsv_hello){
        .version = "1", .commit = "c0ffee", .build = 7, .host = "node", .spec = 3};
    for (int w = 0; w < n_workers; w++) {
        s->workers[w].transport = qsv_loop_end(s->loop, w + 1);
        s->workers[w].sizes = &s->sizes;
        s->workers[w].seconds_a_pair = 0.5;
        qsv_loop_attach(s->loop, w + 1, pretend, &s->workers[w]);
    }
    struct qsv_coordinator_setup setup = {.transport = qsv_loop_end(s->loop, 0),
                                          .clock = &test_clock,
                                          .stop = &s->stop,
                                          .partition = &s->partition,
                                          .shape = shape,
                                          .task_seconds = 2,
                                          .worker_timeout_s = TIMEOUT_S,
                                          .say = hear_say,
                                          .say_context = s};
    assert_int_equal(qsv_coordinator_create(&s->c, &setup, &err), QSV_OK);
    return s;
}

static void close_stage(struct stage *s)
{
    qsv_coordinator_destroy(s->c);
    for (int w = 0; w < MAX_WORKERS; w++)
        qsv_task_fini(&s->workers[w].task), qsv_task_fini(&s->workers[w].next);
    qsv_loop_destroy(s->loop);
    qsv_partition_fini(&s->partition);
    free(s);
}

static void greet(struct stage *s, int n_workers)
{
    for (int w = 0; w < n_workers; w++)
        say_hello(s, w);
    assert_int_equal(qsv_coordinator_greet(s->c, &s->hello, &err), QSV_OK);
}

static enum qsv_status take(void *context, struct qsv_record *r, const char *segment,
                            struct qsv_error *e)
{
    (void)e;
    struct stage *s = context;
    assert_string_equal(segment, "segment");
    s->taken[r->trial_id - 1][r->shard]++;
    if (++s->n_taken == s->stop_after)
        s->stop = 1;
    if (s->n_taken == s->pause_after) {
        now_s += 1000;
        for (int w = 0; w < MAX_WORKERS; w++)
            s->workers[w].done_at_s += 1000;
    }
    return QSV_OK;
}

static enum qsv_status tick(void *context, struct qsv_error *e)
{
    (void)context;
    (void)e;
    return QSV_OK;
}

static uint8_t everything[MAX_TRIALS * N_SHARDS];

static enum qsv_status run(struct stage *s, uint32_t n_trials, const uint8_t *missing)
{
    static const uint8_t formats[MAX_TRIALS][N_LAYERS] = {{0}};
    static const double shared[MAX_TRIALS] = {0};
    struct qsv_trial_setting trials[MAX_TRIALS];
    memset(everything, 1, sizeof everything);
    for (uint32_t i = 0; i < n_trials; i++)
        trials[i] = (struct qsv_trial_setting){i + 1, formats[i]};
    struct qsv_job job = {.kind = QSV_TASK_EVALUATE,
                          .attempt = 1,
                          .trials = trials,
                          .n_trials = n_trials,
                          .shared = shared,
                          .first_shard = 0,
                          .n_shards = N_SHARDS,
                          .missing = missing ? missing : everything,
                          .context = s,
                          .take = take,
                          .tick = tick};
    return qsv_coordinator_run(s->c, &job, &err);
}

static void every_pair_is_taken_once(void **state)
{
    (void)state;
    for (int workers = 1; workers <= MAX_WORKERS; workers++) {
        struct stage *s = open_stage(workers);
        greet(s, workers);
        assert_int_equal(run(s, 5, NULL), QSV_OK);
        for (int t = 0; t < 5; t++)
            for (int i = 0; i < N_SHARDS; i++)
                assert_int_equal(s->taken[t][i], 1);
        struct qsv_tally tally = qsv_coordinator_tally(s->c);
        assert_int_equal(tally.layer_forwards_asked, 3 * 5 * N_SHARDS);
        assert_true(tally.worked_s > 0 && tally.waited_s == tally.worked_s / 4);
        assert_int_equal(tally.layer_forwards_done, 2 * 5 * N_SHARDS);
        assert_in_range(tally.peak_mem_bytes, 1000, 1000 + 5 * N_SHARDS);
        struct qsv_bye work;
        assert_int_equal(qsv_coordinator_stop(s->c, 10, &work, &err), QSV_OK);
        assert_int_equal(work.layer_forwards_asked, 10 * workers);
        assert_int_equal(work.layer_forwards_done, 7 * workers);
        close_stage(s);
    }
}

static void what_is_recorded_is_not_asked_again(void **state)
{
    (void)state;
    struct stage *s = open_stage(2);
    uint8_t missing[2 * N_SHARDS] = {0};
    greet(s, 2);
    assert_int_equal(run(s, 2, missing), QSV_OK);
    assert_int_equal(s->n_taken, 0);
    assert_int_equal(s->workers[0].n_tasks + s->workers[1].n_tasks, 0);
    missing[0 * N_SHARDS + 4] = missing[1 * N_SHARDS + 4] = missing[1 * N_SHARDS + 9] = 1;
    assert_int_equal(run(s, 2, missing), QSV_OK);
    assert_int_equal(s->n_taken, 3);
    assert_int_equal(s->taken[0][4] + s->taken[1][4] + s->taken[1][9], 3);
    close_stage(s);
}

static void shards_stay_where_they_are(void **state)
{
    (void)state;
    struct stage *s = open_stage(3);
    greet(s, 3);
    assert_int_equal(run(s, 1, NULL), QSV_OK);
    for (int w = 0; w < 3; w++)
        s->workers[w].log[0] = '\0';
    assert_int_equal(run(s, 1, NULL), QSV_OK);
    /* Dealt round robin with small first tasks: each got four shards, and gets the same again. */
    assert_string_equal(s->workers[0].log, "0+1*1 3+1*1 6+1*1 9+1*1 ");
    assert_string_equal(s->workers[1].log, "1+1*1 4+1*1 7+1*1 10+1*1 ");
    assert_string_equal(s->workers[2].log, "2+1*1 5+1*1 8+1*1 11+1*1 ");
    close_stage(s);
}

static void the_faster_one_does_more(void **state)
{
    (void)state;
    struct stage *s = open_stage(2);
    s->workers[1].seconds_a_pair = 0.05;
    greet(s, 2);
    double began_s = now_s;
    assert_int_equal(run(s, 12, NULL), QSV_OK);
    assert_true(s->workers[1].n_pairs > 8 * s->workers[0].n_pairs);
    /* 144 pairs at 22 a second, and nobody waits at the end for longer than a slow pair or two. */
    assert_true(now_s - began_s < 144 / 22.0 + 1);
    /* Tasks of about two seconds, once the speed is known. */
    assert_true(s->workers[1].n_tasks <= 16);
    close_stage(s);
}

/* While there is plenty a worker finds its next task waiting; at the end none is set aside for one
 * while another could do it. */
static void the_next_task_waits_at_the_worker(void **state)
{
    (void)state;
    struct stage *s = open_stage(2);
    s->workers[0].seconds_a_pair = s->workers[1].seconds_a_pair = 0.2;
    greet(s, 2);
    assert_int_equal(run(s, 12, NULL), QSV_OK);
    for (int w = 0; w < 2; w++) {
        assert_true(s->workers[w].n_queued > 0);
        assert_true(s->workers[w].n_queued < s->workers[w].n_tasks);
    }
    for (int t = 0; t < 12; t++)
        for (int i = 0; i < N_SHARDS; i++)
            assert_int_equal(s->taken[t][i], 1);
    close_stage(s);
}

/* The one that hangs is not waited for; what it reports in the end is taken in the next call. */
static void what_hangs_is_dealt_again(void **state)
{
    (void)state;
    struct stage *s = open_stage(3);
    s->workers[1].hang_task = 3;
    greet(s, 3);
    double began_s = now_s;
    assert_int_equal(run(s, 5, NULL), QSV_OK);
    assert_true(now_s - began_s < 60);
    assert_int_equal(s->n_taken, 60);
    assert_true(s->workers[1].task.number != 0);
    struct qsv_task *hung = &s->workers[1].task, *queued = &s->workers[1].next;
    int pairs = (int)(hung->n_trials * hung->n_shards + queued->n_trials * queued->n_shards);
    now_s += 1000;
    assert_int_equal(run(s, 5, NULL), QSV_OK);
    assert_int_equal(s->n_taken, 120 + pairs);
    close_stage(s);
}

static enum qsv_status take_ahead(void *context, struct qsv_record *r, struct qsv_error *e)
{
    (void)e;
    struct stage *s = context;
    s->ahead[r->trial_id - 1][r->shard]++;
    return QSV_OK;
}

/* One pair is left for two workers: the other begins with what may come next. What is under way
 * when it is asked for is waited for, and not done again. */
static void idle_workers_work_ahead(void **state)
{
    (void)state;
    static const uint8_t formats[N_LAYERS] = {0};
    static const double shared[2] = {0};
    const struct qsv_trial_setting trials[] = {{1, formats}, {2, formats}};
    struct stage *s = open_stage(2);
    uint8_t now[N_SHARDS] = {1}, later[N_SHARDS] = {0, 1, 1};
    struct qsv_job ahead = {.kind = QSV_TASK_AHEAD,
                            .attempt = 1,
                            .trials = trials + 1,
                            .n_trials = 1,
                            .shared = shared,
                            .n_shards = N_SHARDS,
                            .missing = later};
    struct qsv_job job = {.kind = QSV_TASK_EVALUATE,
                          .attempt = 1,
                          .trials = trials,
                          .n_trials = 1,
                          .shared = shared,
                          .n_shards = N_SHARDS,
                          .missing = now,
                          .context = s,
                          .take = take,
                          .tick = tick,
                          .ahead = &ahead,
                          .take_ahead = take_ahead};
    greet(s, 2);
    s->workers[0].seconds_a_pair = 0.7;
    assert_int_equal(qsv_coordinator_run(s->c, &job, &err), QSV_OK);
    assert_int_equal(s->n_taken, 1);
    assert_int_equal(s->ahead[1][1], 1);
    assert_int_equal(s->ahead[1][2], 0); /* worker 2 has begun with it */
    job.trials = trials + 1;
    job.missing = later;
    later[1] = 0; /* it is there */
    job.ahead = NULL;
    assert_int_equal(qsv_coordinator_run(s->c, &job, &err), QSV_OK);
    assert_int_equal(s->n_taken, 1);
    assert_int_equal(s->ahead[1][2], 1);
    close_stage(s);
}

static void one_worker_never_works_ahead(void **state)
{
    (void)state;
    static const uint8_t formats[N_LAYERS] = {0};
    static const double shared[1] = {0};
    const struct qsv_trial_setting trials[] = {{1, formats}, {2, formats}};
    struct stage *s = open_stage(1);
    memset(everything, 1, sizeof everything);
    struct qsv_job ahead = {.kind = QSV_TASK_AHEAD,
                            .attempt = 1,
                            .trials = trials + 1,
                            .n_trials = 1,
                            .shared = shared,
                            .n_shards = N_SHARDS,
                            .missing = everything};
    struct qsv_job job = {.kind = QSV_TASK_EVALUATE,
                          .attempt = 1,
                          .trials = trials,
                          .n_trials = 1,
                          .shared = shared,
                          .n_shards = N_SHARDS,
                          .missing = everything,
                          .context = s,
                          .take = take,
                          .tick = tick,
                          .ahead = &ahead,
                          .take_ahead = take_ahead};
    greet(s, 1);
    assert_int_equal(qsv_coordinator_run(s->c, &job, &err), QSV_OK);
    assert_int_equal(s->n_taken, N_SHARDS);
    assert_int_equal(s->workers[0].n_pairs, N_SHARDS);
    close_stage(s);
}

static void a_failed_task_ends_the_run(void **state)
{
    (void)state;
    struct stage *s = open_stage(2);
    s->workers[1].fail_task = 2;
    greet(s, 2);
    assert_int_equal(run(s, 5, NULL), QSV_EIO);
    assert_string_equal(err.text, "rank 2 on node1: images.h5: cannot read");
    assert_int_equal(qsv_coordinator_stop(s->c, 10, NULL, &err), QSV_OK);
    close_stage(s);
}

static void a_stop_is_heeded(void **state)
{
    (void)state;
    struct stage *s = open_stage(2);
    s->stop_after = 7;
    greet(s, 2);
    assert_int_equal(run(s, 5, NULL), QSV_ESTOPPED);
    assert_true(s->n_taken >= 7 && s->n_taken <= 16);
    assert_int_equal(qsv_coordinator_stop(s->c, 10, NULL, &err), QSV_OK);
    close_stage(s);
}

static void a_worker_that_never_stops_is_named(void **state)
{
    (void)state;
    struct stage *s = open_stage(3);
    greet(s, 3);
    s->workers[1].deaf = 1;
    double began_s = now_s;
    assert_int_equal(qsv_coordinator_stop(s->c, 10, NULL, &err), QSV_EFAILED);
    assert_string_equal(err.text, "rank 2 on node1 has not stopped");
    assert_true(now_s - began_s >= 10 && now_s - began_s < 10.1);
    close_stage(s);
}

static void another_version(struct qsv_message *m)
{
    strcpy(m->u.hello.version, "2");
}

static void another_commit(struct qsv_message *m)
{
    strcpy(m->u.hello.commit, "decade");
}

static void another_build(struct qsv_message *m)
{
    m->u.hello.build++;
}

static void another_spec(struct qsv_message *m)
{
    m->u.hello.spec++;
}

static void another_model(struct qsv_message *m)
{
    m->u.hello.identity.model ^= 1;
}

static void other_images(struct qsv_message *m)
{
    m->u.hello.sketches[QSV_DECIDE] ^= 1;
}

static void cannot_begin(struct qsv_message *m)
{
    *m = (struct qsv_message){.type = QSV_MESSAGE_FAILED};
    qsv_fail(&m->u.failed.error, QSV_EINPUT, "model.h5: cannot open");
}

static void all_ranks_must_agree(void **state)
{
    (void)state;
    static const struct {
        void (*spoil)(struct qsv_message *m);
        enum qsv_status status;
        const char *says;
    } rows[] = {
        {another_version, QSV_EIDENTITY,
         "rank 2 on node1 runs qsvit 2 (c0ffee), rank 0 on node runs 1 (c0ffee)"},
        {another_commit, QSV_EIDENTITY, "rank 2 on node1 runs qsvit 1 (decade), rank 0"},
        {another_build, QSV_EIDENTITY, "rank 2 on node1 runs another build of qsvit 1 (c0ffee)"},
        {another_spec, QSV_EIDENTITY, "rank 2 on node1 reads another spec"},
        {another_model, QSV_EIDENTITY, "rank 2 on node1 differs from rank 0 on node"},
        {other_images, QSV_EIDENTITY,
         "rank 2 on node1 differs from rank 0 on node: holds records of another identity: "
         "calibration (the deciding images)"},
        {cannot_begin, QSV_EINPUT, "rank 2 on an unknown host: model.h5: cannot open"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage *s = open_stage(2);
        s->workers[1].spoil = rows[i].spoil;
        say_hello(s, 0);
        say_hello(s, 1);
        assert_int_equal(qsv_coordinator_greet(s->c, &s->hello, &err), rows[i].status);
        assert_non_null(strstr(err.text, rows[i].says));
        s->workers[1].spoil = NULL;
        assert_int_equal(qsv_coordinator_stop(s->c, 10, NULL, &err), QSV_OK);
        close_stage(s);
    }
}

static void has_not_read_all(struct qsv_message *m)
{
    if (m->type == QSV_MESSAGE_HELLO)
        m->u.hello.identity.dataset = m->u.hello.identity.calibration = 0;
}

static void a_rank_learns_what_it_has_not_read(void **state)
{
    (void)state;
    struct stage *s = open_stage(2);
    s->hello.identity.dataset = 11;
    s->hello.identity.calibration = 12;
    s->workers[1].spoil = has_not_read_all;
    greet(s, 2);
    assert_int_equal(run(s, 2, NULL), QSV_OK);
    for (int w = 0; w < 2; w++)
        assert_int_equal(qsv_identity_hash(&s->workers[w].welcome),
                         qsv_identity_hash(&s->hello.identity));
    close_stage(s);
}

static void another_task(struct qsv_message *m)
{
    if (m->type == QSV_MESSAGE_DONE)
        m->u.done.task++;
}

static void another_shard(struct qsv_message *m)
{
    if (m->type == QSV_MESSAGE_DONE)
        m->u.done.records[0].shard += 5;
}

static void a_record_less(struct qsv_message *m)
{
    if (m->type == QSV_MESSAGE_DONE)
        qsv_record_fini(&m->u.done.records[--m->u.done.n_records]);
}

static void wrong_reports_are_refused(void **state)
{
    (void)state;
    static const struct {
        void (*spoil)(struct qsv_message *m);
        const char *says;
    } rows[] = {
        {another_task, "rank 1 on node0: reports task 2, was given 1"},
        {another_shard, "rank 1 on node0: reports trial 0000000000000001 on shard 5 unasked"},
        {a_record_less, "rank 1 on node0: reports 0 records for 1 pairs"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage *s = open_stage(1);
        greet(s, 1);
        s->workers[0].spoil = rows[i].spoil;
        assert_int_equal(run(s, 1, NULL), QSV_EFAILED);
        assert_string_equal(err.text, rows[i].says);
        close_stage(s);
    }
}

static void a_message_out_of_turn_is_refused(void **state)
{
    (void)state;
    struct stage *s = open_stage(2);
    greet(s, 2);
    say_hello(s, 0);
    assert_int_equal(run(s, 1, NULL), QSV_EFAILED);
    assert_string_equal(err.text, "rank 1 sent a message of type 1 out of turn");
    struct qsv_strbuf noise = {0};
    qsv_strbuf_puts(&noise, "noise");
    assert_int_equal(s->workers[1].transport->send(s->workers[1].transport, 0, &noise, &err),
                     QSV_OK);
    assert_int_equal(run(s, 1, NULL), QSV_EFAILED);
    assert_string_equal(err.text, "rank 2: a message is of another program or version");
    close_stage(s);
}

static void expect_each_pair_once(const struct stage *s, uint32_t n_trials)
{
    for (uint32_t t = 0; t < n_trials; t++)
        for (uint32_t i = 0; i < N_SHARDS; i++)
            assert_int_equal(s->taken[t][i], 1);
}

/* Long enough for a timeout to pass before all is dealt. */
static void take_their_time(struct stage *s, int n_workers)
{
    for (int w = 0; w < n_workers; w++) {
        s->workers[w].seconds_a_pair = 5;
        s->workers[w].beat_s = 4;
    }
}

static void the_work_of_a_hung_worker_is_done_by_others(void **state)
{
    (void)state;
    struct stage *s = open_stage(3);
    greet(s, 3);
    take_their_time(s, 3);
    s->workers[1].hangs_at_s = now_s + 12;
    assert_int_equal(run(s, 4, NULL), QSV_OK);
    expect_each_pair_once(s, 4);
    assert_string_equal(
        s->said, "rank 2 on node1 was not heard from for 60 s; its work is given to others\n");
    /* The other two were not kept waiting: 48 pairs of 5 s. */
    assert_true(now_s < 100 + 48 * 5 / 2 + 20);
    /* It is given nothing more, and not waited for. */
    s->said[0] = '\0';
    int n_tasks = s->workers[1].n_tasks;
    assert_int_equal(run(s, 1, NULL), QSV_OK);
    assert_int_equal(s->workers[1].n_tasks, n_tasks);
    double began_s = now_s;
    assert_int_equal(qsv_coordinator_stop(s->c, 10, NULL, &err), QSV_EFAILED);
    assert_string_equal(err.text, "rank 2 on node1 has not stopped");
    assert_true(now_s < began_s + 10);
    assert_string_equal(s->said, "");
    close_stage(s);
}

static void one_that_takes_long_but_is_heard_is_not_given_up(void **state)
{
    (void)state;
    struct stage *s = open_stage(2);
    greet(s, 2);
    s->workers[0].seconds_a_pair = 5 * TIMEOUT_S;
    s->workers[0].beat_s = TIMEOUT_S / 5.;
    assert_int_equal(run(s, 2, NULL), QSV_OK);
    expect_each_pair_once(s, 2);
    assert_string_equal(s->said, "");
    assert_true(s->workers[0].n_tasks > 0);
    close_stage(s);
}

static void one_that_comes_back_works_again(void **state)
{
    (void)state;
    struct stage *s = open_stage(2);
    greet(s, 2);
    s->workers[0].hangs_at_s = now_s + 1.2;
    s->workers[0].wakes_at_s = now_s + 2 * TIMEOUT_S;
    s->workers[1].seconds_a_pair = 10; /* is still at it when the other one is back */
    s->workers[1].beat_s = 5;
    assert_int_equal(run(s, 4, NULL), QSV_OK);
    for (int t = 0; t < 4; t++)
        for (int i = 0; i < N_SHARDS; i++)
            assert_in_range(s->taken[t][i], 1, 2);
    assert_non_null(strstr(s->said, "rank 1 on node0 is back\n"));
    assert_true(s->workers[0].n_tasks > 4);
    assert_int_equal(qsv_coordinator_stop(s->c, 100, NULL, &err), QSV_OK);
    close_stage(s);
}

/* It still has a task of an earlier job. */
static void one_that_comes_back_in_a_later_job_works_again(void **state)
{
    (void)state;
    struct stage *s = open_stage(2);
    greet(s, 2);
    take_their_time(s, 2);
    s->workers[0].hangs_at_s = now_s + 12;
    assert_int_equal(run(s, 4, NULL), QSV_OK);
    expect_each_pair_once(s, 4);
    assert_non_null(strstr(s->said, "rank 1 on node0 was not heard from"));
    assert_null(strstr(s->said, "is back"));
    memset(s->taken, 0, sizeof s->taken);
    int n_tasks = s->workers[0].n_tasks;
    s->workers[0].wakes_at_s = now_s;
    assert_int_equal(run(s, 5, NULL), QSV_OK);
    for (int t = 0; t < 5; t++)
        for (int i = 0; i < N_SHARDS; i++)
            assert_in_range(s->taken[t][i], 1, 2);
    assert_non_null(strstr(s->said, "rank 1 on node0 is back"));
    assert_true(s->workers[0].n_tasks > n_tasks);
    close_stage(s);
}

static void without_a_worker_it_stops(void **state)
{
    (void)state;
    struct stage *s = open_stage(2);
    greet(s, 2);
    s->workers[0].hangs_at_s = s->workers[1].hangs_at_s = now_s + 3;
    assert_int_equal(run(s, 4, NULL), QSV_ESTOPPED);
    assert_string_equal(err.text,
                        "no worker is left: none was heard from for 60 s; what is recorded "
                        "stays");
    assert_true(s->n_taken > 0);
    close_stage(s);
}

/* As when somebody stops the whole job and lets it go on: every process was away as long. */
static void a_pause_of_all_is_held_against_nobody(void **state)
{
    (void)state;
    struct stage *s = open_stage(2);
    greet(s, 2);
    s->workers[0].seconds_a_pair = s->workers[1].seconds_a_pair = 40;
    s->pause_after = 3;
    assert_int_equal(run(s, 2, NULL), QSV_OK);
    expect_each_pair_once(s, 2);
    assert_true(now_s > 100 + 1000);
    assert_string_equal(s->said, "");
    close_stage(s);
}

static void it_begins_without_those_that_do_not_come(void **state)
{
    (void)state;
    struct stage *s = open_stage(3);
    say_hello(s, 0);
    say_hello(s, 2);
    assert_int_equal(qsv_coordinator_greet(s->c, &s->hello, &err), QSV_OK);
    assert_string_equal(s->said, "rank 2 on an unknown host has not begun; going on without it\n");
    assert_true(now_s > 100 + TIMEOUT_S && now_s < 100 + TIMEOUT_S + 1);
    assert_int_equal(run(s, 2, NULL), QSV_OK);
    assert_int_equal(s->workers[1].n_tasks, 0);
    say_hello(s, 1); /* late, and welcome */
    assert_int_equal(run(s, 3, NULL), QSV_OK);
    assert_true(s->workers[1].n_tasks > 0);
    assert_int_equal(qsv_coordinator_stop(s->c, 10, NULL, &err), QSV_OK);
    close_stage(s);
}

static void nobody_comes(void **state)
{
    (void)state;
    struct stage *s = open_stage(2);
    assert_int_equal(qsv_coordinator_greet(s->c, &s->hello, &err), QSV_ESTOPPED);
    assert_non_null(strstr(err.text, "no worker is left"));
    close_stage(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_is_taken_once),
        cmocka_unit_test(what_is_recorded_is_not_asked_again),
        cmocka_unit_test(shards_stay_where_they_are),
        cmocka_unit_test(the_faster_one_does_more),
        cmocka_unit_test(the_next_task_waits_at_the_worker),
        cmocka_unit_test(what_hangs_is_dealt_again),
        cmocka_unit_test(idle_workers_work_ahead),
        cmocka_unit_test(one_worker_never_works_ahead),
        cmocka_unit_test(a_failed_task_ends_the_run),
        cmocka_unit_test(a_stop_is_heeded),
        cmocka_unit_test(a_worker_that_never_stops_is_named),
        cmocka_unit_test(all_ranks_must_agree),
        cmocka_unit_test(a_rank_learns_what_it_has_not_read),
        cmocka_unit_test(wrong_reports_are_refused),
        cmocka_unit_test(a_message_out_of_turn_is_refused),
        cmocka_unit_test(the_work_of_a_hung_worker_is_done_by_others),
        cmocka_unit_test(one_that_takes_long_but_is_heard_is_not_given_up),
        cmocka_unit_test(one_that_comes_back_works_again),
        cmocka_unit_test(one_that_comes_back_in_a_later_job_works_again),
        cmocka_unit_test(without_a_worker_it_stops),
        cmocka_unit_test(a_pause_of_all_is_held_against_nobody),
        cmocka_unit_test(it_begins_without_those_that_do_not_come),
        cmocka_unit_test(nobody_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
