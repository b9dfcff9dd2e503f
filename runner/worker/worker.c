#include "runner/worker/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/base/alloc.h"
#include "runner/transport/batch.h"
#include "runner/base/watch.h"

static const double look_period_s = 0.02;

struct qsv_worker {
    struct qsv_worker_setup setup;
    struct qsv_message_sizes sizes;
    struct qsv_workbench *bench;
    struct qsv_stop stop;
    bool told_to_stop, done, has_codes;
    struct qsv_message *next; /* [n_next] came while a task was in work, in their order */
    size_t n_next, cap_next;
    struct qsv_batch batch; /* done, not recorded yet */
    uint32_t n_segments;    /* written so far: the sequence in their names */
    double look_s;          /* when to look for a stop next */
    double beat_s;          /* when to let itself be heard next */
};

/* One row a kind of task: how a shard's records of it come about. */
struct kind {
    enum qsv_task_kind kind;
    bool recorded;
    bool reads; /* the images of its shards */
    enum qsv_status (*perform)(struct qsv_worker *w, const struct qsv_task *t, uint32_t shard,
                               struct qsv_record *records, struct qsv_error *err);
};

/* The bank of a run is there before trials are asked for. */
static enum qsv_status need_codes(struct qsv_worker *w, struct qsv_error *err)
{
    const struct qsv_codes *c = w->setup.codes;
    if (!c || w->has_codes)
        return QSV_OK;
    enum qsv_status st = qsv_codes_are_complete(c) ? QSV_OK : qsv_codes_load(c, err);
    if (!st && !qsv_codes_are_complete(c))
        st = qsv_fail(err, QSV_EFAILED, "%s/bank.h5: lacks codes that are needed",
                      w->setup.run_folder);
    w->has_codes = !st;
    return st;
}

static enum qsv_status make_codes(struct qsv_worker *w, const struct qsv_task *t, uint32_t part,
                                  struct qsv_record *records, struct qsv_error *err)
{
    if (!w->setup.codes || t->n_trials != 1)
        return qsv_fail(err, QSV_EFAILED, "asked for codes that nobody needs");
    enum qsv_status st = qsv_codes_make_part(w->setup.codes, part, &w->stop, err);
    if (!st)
        st = qsv_record_init(records, &w->setup.run->shape, 1, 0, err);
    if (st)
        return st;
    records->trial_id = t->trials[0].trial_id;
    records->shard = part;
    return QSV_OK;
}

static enum qsv_status evaluate(struct qsv_worker *w, const struct qsv_task *t, uint32_t shard,
                                struct qsv_record *records, struct qsv_error *err)
{
    enum qsv_status st = need_codes(w, err);
    return st ? st : qsv_workbench_evaluate(w->bench, t->trials, t->n_trials, shard, records, err);
}

static enum qsv_status verify(struct qsv_worker *w, const struct qsv_task *t, uint32_t shard,
                              struct qsv_record *records, struct qsv_error *err)
{
    if (t->n_trials != 1)
        return qsv_fail(err, QSV_EFAILED, "asked to verify %u trials at once", t->n_trials);
    return qsv_workbench_evaluate_exported(w->bench, w->setup.exported, t->trials[0].trial_id,
                                           shard, records, err);
}

static const struct kind kinds[] = {
    {QSV_TASK_EVALUATE, true, true, evaluate},
    {QSV_TASK_VERIFY, false, true, verify},
    {QSV_TASK_AHEAD, false, true, evaluate},
    {QSV_TASK_CODES, false, false, make_codes},
};

static const struct kind *find_kind(enum qsv_task_kind kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == kind)
            return &kinds[i];
    return NULL;
}

/* Their images are read while the engine has something else to do. */
static void expect_images(struct qsv_worker *w, const struct qsv_task *t)
{
    for (uint32_t s = 0; s < t->n_shards && find_kind(t->kind)->reads; s++)
        qsv_workbench_expect(w->bench, t->first_shard + s);
}

static enum qsv_status send_to_coordinator(struct qsv_worker *w, const struct qsv_message *m,
                                           struct qsv_error *err)
{
    return qsv_message_send(w->setup.transport, 0, m, &w->sizes, err);
}

static void let_be_heard(struct qsv_worker *w, double now_s)
{
    const struct qsv_message alive = {.type = QSV_MESSAGE_ALIVE};
    if (now_s < w->beat_s)
        return;
    w->beat_s = now_s + qsv_watch_beat_s(w->setup.worker_timeout_s);
    /* Where it can't be sent, the report can't either: it is told then. */
    send_to_coordinator(w, &alive, NULL);
}

/* Has a stop come? Else only the next tasks can; they wait for their turn. */
static bool take_stop(struct qsv_worker *w)
{
    struct qsv_parcel p;
    struct qsv_message m;
    if (w->setup.transport->poll(w->setup.transport, &p, NULL) || !p.data)
        return false;
    if (!qsv_message_unpack(&m, &w->sizes, p.data, p.bytes, NULL)) {
        w->told_to_stop = m.type == QSV_MESSAGE_STOP;
        if (m.type == QSV_MESSAGE_TASK &&
            qsv_grow(&w->next, &w->cap_next, w->n_next + 1, sizeof *w->next)) {
            w->next[w->n_next++] = m;
            expect_images(w, &m.u.task);
        } else {
            qsv_message_fini(&m);
        }
    }
    free(p.data);
    return w->told_to_stop;
}

/* Between layers, which may take microseconds: most times it only looks at the clock. */
static bool look_for_stop(void *context)
{
    struct qsv_worker *w = context;
    const struct qsv_clock *clock = w->setup.clock;
    double now_s = clock->now_s(clock->context);
    if (w->told_to_stop)
        return true;
    if (now_s < w->look_s)
        return false;
    w->look_s = now_s + look_period_s;
    let_be_heard(w, now_s);
    return take_stop(w);
}

static enum qsv_status say_hello(struct qsv_worker *w, struct qsv_error *err)
{
    struct qsv_message m = {.type = QSV_MESSAGE_HELLO, .u.hello = *w->setup.hello};
    snprintf(m.u.hello.isa, sizeof m.u.hello.isa, "%s", qsv_workbench_isa(w->bench));
    return send_to_coordinator(w, &m, err);
}

enum qsv_status qsv_worker_create(struct qsv_worker **out, const struct qsv_worker_setup *setup,
                                  struct qsv_error *err)
{
    struct qsv_worker *w = *out = qsv_alloc(1, sizeof *w);
    if (!w)
        return qsv_fail_memory(err, "the worker");
    w->setup = *setup;
    w->sizes = (struct qsv_message_sizes){setup->run->shape, setup->run->partition->n_shards};
    w->stop = (struct qsv_stop){setup->stop, look_for_stop, w};
    w->setup.bench.stop = &w->stop;
    w->beat_s =
        setup->clock->now_s(setup->clock->context) + qsv_watch_beat_s(setup->worker_timeout_s);
    enum qsv_status st = qsv_workbench_create(&w->bench, &w->setup.bench, err);
    if (!st)
        st = say_hello(w, err);
    if (st) {
        qsv_worker_destroy(w);
        *out = NULL;
    }
    return st;
}

void qsv_worker_destroy(struct qsv_worker *w)
{
    if (!w)
        return;
    qsv_workbench_destroy(w->bench);
    for (size_t i = 0; i < w->n_next; i++)
        qsv_message_fini(&w->next[i]);
    free(w->next);
    qsv_batch_fini(&w->batch);
    free(w);
}

static void free_records(struct qsv_record *records, uint32_t n)
{
    for (uint32_t i = 0; records && i < n; i++)
        qsv_record_fini(&records[i]);
    free(records);
}

/* All pairs of a task, shard by shard. */
static enum qsv_status perform(struct qsv_worker *w, const struct kind *kind,
                               const struct qsv_task *t, struct qsv_done *d, struct qsv_error *err)
{
    size_t pairs = (size_t)t->n_trials * t->n_shards;
    d->records = qsv_alloc(pairs, sizeof *d->records);
    if (!d->records || pairs > UINT32_MAX)
        return qsv_fail_memory(err, "records");
    enum qsv_status st = QSV_OK;
    expect_images(w, t);
    for (uint32_t s = 0; s < t->n_shards && !st; s++) {
        st = kind->perform(w, t, t->first_shard + s, d->records + d->n_records, err);
        d->n_records += st ? 0 : t->n_trials;
    }
    return st;
}

static void stamp(struct qsv_worker *w, const struct qsv_task *t, struct qsv_done *d)
{
    const struct qsv_clock *clock = w->setup.clock;
    struct rusage usage = {0};
    double end_s = clock->unix_s(clock->context); /* one for all: it tells tasks apart */
    getrusage(RUSAGE_SELF, &usage);
    for (uint32_t i = 0; i < d->n_records; i++) {
        struct qsv_record *r = &d->records[i];
        r->attempt = t->attempt;
        r->rank = (uint32_t)w->setup.transport->rank;
        r->peak_mem_bytes = (uint64_t)usage.ru_maxrss * 1024;
        r->wall_s = d->seconds / d->n_records;
        r->t_end_unix_s = end_s;
    }
}

/* Seconds count from the task's arrival to before it is recorded: what the coordinator plans by. */
static enum qsv_status do_task(struct qsv_worker *w, const struct qsv_task *t, struct qsv_done *d,
                               struct qsv_error *err)
{
    const struct qsv_clock *clock = w->setup.clock;
    const struct kind *kind = find_kind(t->kind);
    const struct qsv_engine_work before = qsv_workbench_work(w->bench);
    const double before_s = qsv_workbench_waited_s(w->bench);
    double began_s = clock->now_s(clock->context);
    w->look_s = began_s;
    enum qsv_status st = perform(w, kind, t, d, err);
    const struct qsv_engine_work after = qsv_workbench_work(w->bench);
    d->layer_forwards_asked = after.layer_forwards_asked - before.layer_forwards_asked;
    d->layer_forwards_done = after.layer_forwards_done - before.layer_forwards_done;
    d->seconds = clock->now_s(clock->context) - began_s;
    d->waited_s = qsv_workbench_waited_s(w->bench) - before_s;
    if (st)
        return st;
    stamp(w, t, d);
    return QSV_OK;
}

static enum qsv_status send_failure(struct qsv_worker *w, uint64_t task,
                                    const struct qsv_error *why, struct qsv_error *err)
{
    struct qsv_message failed = {.type = QSV_MESSAGE_FAILED,
                                 .u.failed = {.task = task, .error = *why}};
    return send_to_coordinator(w, &failed, err);
}

static enum qsv_status send_reports(struct qsv_worker *w, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (size_t i = 0; i < w->batch.n && !st; i++) {
        struct qsv_message done = {.type = QSV_MESSAGE_DONE, .u.done = w->batch.entries[i].done};
        st = send_to_coordinator(w, &done, err);
    }
    return st;
}

/* Records what is done, then reports it. Nobody waits for reports of a worker that is told to stop,
 * but what lies in its segment is found when the run goes on. */
static enum qsv_status flush(struct qsv_worker *w, struct qsv_error *err)
{
    struct qsv_error why;
    char name[QSV_MESSAGE_NAME];
    enum qsv_status st = QSV_OK;
    if (!w->batch.n)
        return QSV_OK;
    const struct qsv_task *first = &w->batch.entries[0].task;
    snprintf(name, sizeof name, "%u-%d-%u", first->attempt, w->setup.transport->rank,
             ++w->n_segments);
    bool recorded = !qsv_batch_record(&w->batch, w->setup.run_folder, name, w->setup.run, &why);
    if (!w->told_to_stop)
        st = recorded ? send_reports(w, err) : send_failure(w, first->number, &why, err);
    qsv_batch_fini(&w->batch);
    return st;
}

/* Whether there is more to do: then results may wait. */
static bool is_next_here(struct qsv_worker *w)
{
    if (!w->n_next)
        take_stop(w);
    return w->n_next && !w->told_to_stop;
}

static enum qsv_status keep(struct qsv_worker *w, struct qsv_task *t, struct qsv_done *d,
                            struct qsv_error *err)
{
    const struct qsv_clock *clock = w->setup.clock;
    uint64_t number = t->number;
    struct qsv_error why;
    double now_s = clock->now_s(clock->context);
    if (qsv_batch_add(&w->batch, t, d, now_s, &why))
        return send_failure(w, number, &why, err);
    double until_s = w->batch.since_s + w->setup.flush_interval_s;
    return now_s < until_s && is_next_here(w) ? QSV_OK : flush(w, err);
}

/* Reports come in the order of the tasks. */
static enum qsv_status take_task(struct qsv_worker *w, struct qsv_task *t, struct qsv_error *err)
{
    struct qsv_message done = {.type = QSV_MESSAGE_DONE, .u.done.task = t->number};
    struct qsv_error why;
    bool recorded = find_kind(t->kind)->recorded;
    enum qsv_status failed = do_task(w, t, &done.u.done, &why), st = QSV_OK;
    if (!failed && recorded)
        st = keep(w, t, &done.u.done, err);
    else
        st = flush(w, err);
    if (!st && !w->told_to_stop && failed)
        st = send_failure(w, t->number, &why, err);
    else if (!st && !w->told_to_stop && !recorded)
        st = send_to_coordinator(w, &done, err);
    free_records(done.u.done.records, done.u.done.n_records);
    return st;
}

static enum qsv_status say_bye(struct qsv_worker *w, struct qsv_error *err)
{
    struct qsv_engine_work work = qsv_workbench_work(w->bench);
    struct qsv_message m = {.type = QSV_MESSAGE_BYE,
                            .u.bye = {work.layer_forwards_asked, work.layer_forwards_done}};
    w->done = true;
    return send_to_coordinator(w, &m, err);
}

static enum qsv_status take_message(struct qsv_worker *w, struct qsv_message *m,
                                    struct qsv_error *err)
{
    switch (m->type) {
    case QSV_MESSAGE_TASK:
        return take_task(w, &m->u.task, err);
    case QSV_MESSAGE_WELCOME:
        if (w->setup.inputs)
            qsv_inputs_learn(w->setup.inputs, &m->u.welcome);
        return QSV_OK;
    case QSV_MESSAGE_STOP:
        w->told_to_stop = true;
        return QSV_OK;
    default:
        return qsv_fail(err, QSV_EFAILED, "rank 0 sent a message of type %d", (int)m->type);
    }
}

/* The next message: the task that came before its turn, else what is there now. */
static enum qsv_status receive(struct qsv_worker *w, struct qsv_message *m, bool *came,
                               struct qsv_error *err)
{
    struct qsv_parcel p;
    *came = w->n_next > 0;
    if (*came) {
        *m = w->next[0];
        memmove(w->next, w->next + 1, --w->n_next * sizeof *w->next);
        return QSV_OK;
    }
    enum qsv_status st = w->setup.transport->poll(w->setup.transport, &p, err);
    if (st || !p.data)
        return st;
    *came = true;
    st = qsv_message_unpack(m, &w->sizes, p.data, p.bytes, err);
    free(p.data);
    return st;
}

enum qsv_status qsv_worker_step(struct qsv_worker *w, bool *idle, struct qsv_error *err)
{
    struct qsv_message m;
    bool came = false;
    *idle = true;
    if (w->done)
        return QSV_OK;
    enum qsv_status st = receive(w, &m, &came, err);
    *idle = !came;
    if (st || !came)
        return st;
    st = take_message(w, &m, err);
    qsv_message_fini(&m);
    if (!st && w->told_to_stop)
        st = flush(w, err);
    return !st && w->told_to_stop ? say_bye(w, err) : st;
}

bool qsv_worker_is_done(const struct qsv_worker *w)
{
    return w->done;
}

enum qsv_status qsv_worker_run(struct qsv_worker *w, struct qsv_error *err)
{
    struct qsv_wait wait = {0};
    enum qsv_status st = QSV_OK;
    while (!st && !w->done) {
        bool idle;
        st = qsv_worker_step(w, &idle, err);
        if (idle)
            qsv_wait_nap(&wait, w->setup.clock);
        else
            qsv_wait_reset(&wait);
    }
    return st;
}

enum qsv_status qsv_worker_excuse(struct qsv_transport *transport, const struct qsv_clock *clock,
                                  const struct qsv_error *why, struct qsv_error *err)
{
    const struct qsv_message_sizes none = {0};
    struct qsv_message m = {.type = QSV_MESSAGE_FAILED, .u.failed.error = *why};
    struct qsv_message bye = {.type = QSV_MESSAGE_BYE};
    struct qsv_wait wait = {0};
    enum qsv_status st = qsv_message_send(transport, 0, &m, &none, err);
    while (!st) {
        struct qsv_parcel p;
        st = transport->poll(transport, &p, err);
        if (!st && p.data) { /* nothing but a stop can come */
            free(p.data);
            return qsv_message_send(transport, 0, &bye, &none, err);
        }
        qsv_wait_nap(&wait, clock);
    }
    return st;
}
