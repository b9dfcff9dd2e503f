#include "runner/coordinator.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "runner/deal.h"
#include "runner/given.h"

enum { MOST_GIVEN = 2 };
/* Times what was expected that a task may take before it is dealt to idle workers too, and how
 * often that is looked at. */
static const double overdue = 2, look_s = 0.25;

struct worker {
    bool here, gone; /* said hello; said bye */
    struct qsv_hello hello;
    struct qsv_given given[MOST_GIVEN]; /* in hand, and queued */
    uint32_t n_given;
    double since_s; /* when it began with what it has in hand */
};

struct qsv_coordinator {
    struct qsv_coordinator_setup setup;
    struct qsv_message_sizes sizes;
    uint32_t n_workers;
    struct worker *workers;
    uint32_t n_busy;
    uint64_t n_tasks, n_calls; /* dealt, begun so far */
    double looked_s;           /* when stragglers were last looked for */
    struct qsv_deal *deal;
};

enum qsv_status qsv_coordinator_create(struct qsv_coordinator **out,
                                       const struct qsv_coordinator_setup *setup,
                                       struct qsv_error *err)
{
    struct qsv_coordinator *c = qsv_alloc(1, sizeof *c);
    uint32_t n = (uint32_t)setup->transport->size - 1;
    *out = NULL;
    if (!c || !(c->workers = qsv_alloc(n ? n : 1, sizeof *c->workers))) {
        free(c);
        return qsv_fail_memory(err, "the coordinator");
    }
    c->setup = *setup;
    c->n_workers = n;
    c->sizes = (struct qsv_message_sizes){setup->shape, setup->partition->n_shards};
    enum qsv_status st =
        qsv_deal_create(&c->deal, n, setup->partition->n_shards, setup->task_seconds, err);
    if (st) {
        qsv_coordinator_destroy(c);
        return st;
    }
    *out = c;
    return QSV_OK;
}

void qsv_coordinator_destroy(struct qsv_coordinator *c)
{
    if (!c)
        return;
    for (uint32_t w = 0; w < c->n_workers; w++)
        for (uint32_t i = 0; i < MOST_GIVEN; i++)
            qsv_given_fini(&c->workers[w].given[i]);
    free(c->workers);
    qsv_deal_destroy(c->deal);
    free(c);
}

uint32_t qsv_coordinator_workers(const struct qsv_coordinator *c)
{
    return c->n_workers;
}

const struct qsv_hello *qsv_coordinator_hello(const struct qsv_coordinator *c, uint32_t worker)
{
    return &c->workers[worker].hello;
}

static const char *host_of(const struct worker *w)
{
    return w->here ? w->hello.host : "an unknown host";
}

/* Receives one message, if there is one: *from is its worker. */
static enum qsv_status receive(struct qsv_coordinator *c, bool *came, uint32_t *from,
                               struct qsv_message *m, struct qsv_error *err)
{
    struct qsv_parcel p;
    *came = false;
    enum qsv_status st = c->setup.transport->poll(c->setup.transport, &p, err);
    if (st || !p.data)
        return st;
    *from = (uint32_t)p.from - 1;
    st = p.from < 1 || *from >= c->n_workers
             ? qsv_fail(err, QSV_EFAILED, "a message from rank %d, which is no worker", p.from)
             : qsv_message_unpack(m, &c->sizes, p.data, p.bytes, err);
    if (st && p.from >= 1)
        qsv_fail_in(err, st, "rank %d", p.from);
    free(p.data);
    *came = st == QSV_OK;
    return st;
}

static enum qsv_status check_hello(const struct worker *w, int rank, const struct qsv_hello *own,
                                   struct qsv_error *err)
{
    if (strcmp(w->hello.version, own->version) != 0)
        return qsv_fail(err, QSV_EIDENTITY, "rank %d on %s runs qsvit %s, rank 0 on %s runs %s",
                        rank, w->hello.host, w->hello.version, own->host, own->version);
    if (w->hello.spec != own->spec)
        return qsv_fail(err, QSV_EIDENTITY,
                        "rank %d on %s reads another spec than rank 0 on %s: is the file the same "
                        "on both hosts?",
                        rank, w->hello.host, own->host);
    enum qsv_status st = qsv_identity_compare(&w->hello.identity, &own->identity, NULL, err);
    return st ? qsv_fail_in(err, st, "rank %d on %s differs from rank 0 on %s", rank, w->hello.host,
                            own->host)
              : QSV_OK;
}

static enum qsv_status fail_stopped(struct qsv_error *err)
{
    return qsv_fail(err, QSV_ESTOPPED, "stopped before the end; the same command goes on");
}

static enum qsv_status fail_of_worker(const struct worker *w, uint32_t worker,
                                      const struct qsv_failed *f, struct qsv_error *err)
{
    if (f->error.code == QSV_ESTOPPED)
        return fail_stopped(err);
    return qsv_fail(err, f->error.code, "rank %u on %s: %s", worker + 1, host_of(w), f->error.text);
}

static enum qsv_status fail_unexpected(const struct qsv_message *m, uint32_t from,
                                       struct qsv_error *err)
{
    return qsv_fail(err, QSV_EFAILED, "rank %u sent a message of type %d out of turn", from + 1,
                    (int)m->type);
}

static enum qsv_status greet_one(struct qsv_coordinator *c, uint32_t from,
                                 const struct qsv_message *m, const struct qsv_hello *own,
                                 struct qsv_error *err)
{
    struct worker *w = &c->workers[from];
    if (m->type == QSV_MESSAGE_FAILED)
        return fail_of_worker(w, from, &m->u.failed, err);
    if (m->type != QSV_MESSAGE_HELLO || w->here)
        return fail_unexpected(m, from, err);
    w->hello = m->u.hello;
    w->here = true;
    return check_hello(w, (int)from + 1, own, err);
}

static bool is_stopped(const struct qsv_coordinator *c)
{
    return c->setup.stop && *c->setup.stop;
}

enum qsv_status qsv_coordinator_greet(struct qsv_coordinator *c, const struct qsv_hello *own,
                                      struct qsv_error *err)
{
    struct qsv_wait wait = {0};
    for (uint32_t n = 0; n < c->n_workers;) {
        struct qsv_message m;
        uint32_t from;
        bool came;
        if (is_stopped(c))
            return fail_stopped(err);
        enum qsv_status st = receive(c, &came, &from, &m, err);
        if (st)
            return st;
        if (!came) {
            qsv_wait_nap(&wait, c->setup.clock);
            continue;
        }
        qsv_wait_reset(&wait);
        st = greet_one(c, from, &m, own, err);
        qsv_message_fini(&m);
        if (st)
            return st;
        n++;
    }
    return QSV_OK;
}

static enum qsv_status make_task(struct qsv_coordinator *c, const struct qsv_job *job,
                                 const struct qsv_hand *hand, struct qsv_task *t,
                                 struct qsv_error *err)
{
    uint32_t n_layers = c->sizes.shape.n_layers;
    enum qsv_status st = qsv_task_init(t, hand->n_trials, n_layers, err);
    if (st)
        return st;
    t->number = ++c->n_tasks;
    t->kind = job->kind;
    t->attempt = job->attempt;
    t->first_shard = hand->first_shard;
    t->n_shards = hand->n_shards;
    for (uint32_t i = 0; i < hand->n_trials; i++) {
        const struct qsv_trial_setting *trial = &job->trials[hand->trials[i]];
        t->trials[i].trial_id = trial->trial_id;
        memcpy(t->formats + (size_t)i * n_layers, trial->formats, n_layers);
    }
    return QSV_OK;
}

static double now_s(const struct qsv_coordinator *c)
{
    return c->setup.clock->now_s(c->setup.clock->context);
}

static enum qsv_status give(struct qsv_coordinator *c, const struct qsv_job *job, uint32_t worker,
                            const struct qsv_hand *hand, struct qsv_error *err)
{
    struct worker *w = &c->workers[worker];
    struct qsv_message m = {.type = QSV_MESSAGE_TASK};
    enum qsv_status st = make_task(c, job, hand, &m.u.task, err);
    if (st)
        return st;
    st = qsv_given_init(&w->given[w->n_given], &m.u.task, hand, c->n_calls, err);
    if (!st) {
        if (w->n_given++ == 0) {
            w->since_s = now_s(c);
            c->n_busy++;
        }
        st = qsv_message_send(c->setup.transport, (int)worker + 1, &m, &c->sizes, err);
    }
    qsv_message_fini(&m);
    return st;
}

/* A task to an idle worker, and a second one while there is plenty. */
static enum qsv_status deal_to(struct qsv_coordinator *c, const struct qsv_job *job,
                               uint32_t worker, struct qsv_error *err)
{
    struct worker *w = &c->workers[worker];
    struct qsv_hand hand;
    enum qsv_status st = QSV_OK;
    while (!st && w->n_given < MOST_GIVEN &&
           (w->n_given == 0 || qsv_deal_plenty(c->deal, worker)) &&
           qsv_deal_next(c->deal, worker, &hand))
        st = give(c, job, worker, &hand, err);
    return st;
}

static enum qsv_status check_done(const struct worker *w, const struct qsv_done *d,
                                  struct qsv_error *err)
{
    const struct qsv_given *g = &w->given[0];
    size_t pairs = (size_t)g->n_trials * g->n_shards;
    uint32_t trial;
    if (d->task == 0 || d->task != g->number)
        return qsv_fail(err, QSV_EFAILED, "reports task %llu, was given %llu",
                        (unsigned long long)d->task, (unsigned long long)g->number);
    if (d->n_records != pairs)
        return qsv_fail(err, QSV_EFAILED, "reports %u records for %zu pairs", d->n_records, pairs);
    enum qsv_status st = QSV_OK;
    for (uint32_t i = 0; i < d->n_records && !st; i++)
        st = qsv_given_find(g, i, &d->records[i], &trial, err);
    return st;
}

/* All of a task's records go on, also those that came before from somewhere else: who keeps them
 * needs to know all of a segment. A task left over from an earlier call may be of another kind, and
 * then is of no use. */
static enum qsv_status take_records(struct qsv_coordinator *c, const struct qsv_job *job,
                                    const struct qsv_given *g, struct qsv_done *d,
                                    struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    uint32_t trial = 0;
    for (uint32_t i = 0; i < d->n_records && !st && g->kind == job->kind; i++) {
        uint32_t shard = d->records[i].shard;
        st = qsv_given_find(g, i, &d->records[i], &trial, err);
        if (!st)
            st = job->take(job->context, &d->records[i], d->segment, err);
        if (!st && g->call == c->n_calls)
            qsv_deal_taken(c->deal, trial, shard);
    }
    return st;
}

static enum qsv_status take_done(struct qsv_coordinator *c, const struct qsv_job *job,
                                 uint32_t from, struct qsv_done *d, struct qsv_error *err)
{
    struct worker *w = &c->workers[from];
    enum qsv_status st = check_done(w, d, err);
    if (st)
        return qsv_fail_in(err, st, "rank %u on %s", from + 1, host_of(w));
    struct qsv_given g = w->given[0];
    w->given[0] = w->given[1];
    w->given[1] = (struct qsv_given){0};
    w->n_given--;
    w->since_s = now_s(c);
    c->n_busy -= w->n_given == 0;
    qsv_deal_done(c->deal, from, g.work, d->seconds);
    st = take_records(c, job, &g, d, err);
    qsv_given_fini(&g);
    return st;
}

static enum qsv_status handle(struct qsv_coordinator *c, const struct qsv_job *job, uint32_t from,
                              struct qsv_message *m, struct qsv_error *err)
{
    switch (m->type) {
    case QSV_MESSAGE_DONE:
        return take_done(c, job, from, &m->u.done, err);
    case QSV_MESSAGE_FAILED:
        return fail_of_worker(&c->workers[from], from, &m->u.failed, err);
    default:
        return fail_unexpected(m, from, err);
    }
}

static enum qsv_status deal_to_all(struct qsv_coordinator *c, const struct qsv_job *job,
                                   struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (uint32_t w = 0; w < c->n_workers && !st; w++)
        st = deal_to(c, job, w, err);
    return st;
}

static bool is_overdue(const struct qsv_coordinator *c, uint32_t worker)
{
    const struct worker *w = &c->workers[worker];
    double speed = qsv_deal_likely_speed(c->deal, worker);
    return w->n_given > 0 && speed > 0 &&
           now_s(c) - w->since_s > overdue * w->given[0].work / speed + look_s;
}

/* What a worker has in hand, and behind that, may be dealt to others. */
static uint32_t open_again(struct qsv_coordinator *c, struct worker *w)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->n_given; i++) {
        struct qsv_given *g = &w->given[i];
        if (!g->again && g->call == c->n_calls)
            n += qsv_deal_again(c->deal, g->trials, g->n_trials, g->first_shard, g->n_shards);
        g->again = true;
    }
    return n;
}

/* At the end of a call, when there is nothing left to deal and somebody is idle: what takes much
 * longer than it should is dealt once more, and what comes first counts. */
static enum qsv_status help_stragglers(struct qsv_coordinator *c, const struct qsv_job *job,
                                       struct qsv_error *err)
{
    uint32_t n = 0;
    if (c->n_busy == c->n_workers || !qsv_deal_is_empty(c->deal) || now_s(c) < c->looked_s + look_s)
        return QSV_OK;
    c->looked_s = now_s(c);
    for (uint32_t w = 0; w < c->n_workers; w++)
        if (is_overdue(c, w))
            n += open_again(c, &c->workers[w]);
    return n ? deal_to_all(c, job, err) : QSV_OK;
}

/* Takes what came, deals to whoever is free; *idle: nothing came. */
static enum qsv_status turn(struct qsv_coordinator *c, const struct qsv_job *job, bool *idle,
                            struct qsv_error *err)
{
    struct qsv_message m;
    uint32_t from;
    bool came;
    enum qsv_status st = receive(c, &came, &from, &m, err);
    *idle = !came;
    if (!st && came) {
        st = handle(c, job, from, &m, err);
        qsv_message_fini(&m);
        if (!st)
            st = deal_to(c, job, from, err);
    } else if (!st) {
        st = help_stragglers(c, job, err);
    }
    return st ? st : job->tick(job->context, err);
}

static enum qsv_status begin(struct qsv_coordinator *c, const struct qsv_job *job,
                             struct qsv_error *err)
{
    uint32_t *images = qsv_alloc(job->n_shards + 1, sizeof *images);
    if (!images)
        return qsv_fail_memory(err, "a job");
    for (uint32_t s = 0; s < job->n_shards; s++)
        images[s] = qsv_partition_shard(c->setup.partition, job->first_shard + s).n_images;
    struct qsv_deal_call call = {job->n_trials, job->first_shard, job->n_shards,
                                 job->shared,   images,           job->missing};
    enum qsv_status st = qsv_deal_begin(c->deal, &call, err);
    free(images);
    return st;
}

enum qsv_status qsv_coordinator_run(struct qsv_coordinator *c, const struct qsv_job *job,
                                    struct qsv_error *err)
{
    struct qsv_wait wait = {0};
    enum qsv_status st = begin(c, job, err);
    c->n_calls++;
    if (!st)
        st = deal_to_all(c, job, err);
    while (!st && qsv_deal_undone(c->deal) > 0) {
        bool idle;
        st = is_stopped(c) ? fail_stopped(err) : turn(c, job, &idle, err);
        if (!st && idle)
            qsv_wait_nap(&wait, c->setup.clock);
        else
            qsv_wait_reset(&wait);
    }
    return st;
}

/* Whatever still comes from a worker that has not read the stop yet is of no use any more: what was
 * recorded lies in its segment. */
static void hear_last_words(struct qsv_coordinator *c, uint32_t from, const struct qsv_message *m,
                            uint32_t *n_gone, struct qsv_bye *work)
{
    if (m->type != QSV_MESSAGE_BYE || c->workers[from].gone)
        return;
    c->workers[from].gone = true;
    (*n_gone)++;
    work->layer_forwards_asked += m->u.bye.layer_forwards_asked;
    work->layer_forwards_done += m->u.bye.layer_forwards_done;
}

static enum qsv_status fail_silent(const struct qsv_coordinator *c, double longest_s,
                                   struct qsv_error *err)
{
    uint32_t w = 0;
    while (w + 1 < c->n_workers && c->workers[w].gone)
        w++;
    return qsv_fail(err, QSV_EFAILED, "rank %u on %s has not stopped within %g s", w + 1,
                    host_of(&c->workers[w]), longest_s);
}

enum qsv_status qsv_coordinator_stop(struct qsv_coordinator *c, double longest_s,
                                     struct qsv_bye *work, struct qsv_error *err)
{
    const struct qsv_clock *clock = c->setup.clock;
    struct qsv_message stop = {.type = QSV_MESSAGE_STOP};
    struct qsv_bye sum = {0};
    struct qsv_wait wait = {0};
    uint32_t n_gone = 0;
    enum qsv_status st = QSV_OK;
    for (uint32_t w = 0; w < c->n_workers && !st; w++)
        st = qsv_message_send(c->setup.transport, (int)w + 1, &stop, &c->sizes, err);
    double until_s = clock->now_s(clock->context) + longest_s;
    while (!st && n_gone < c->n_workers) {
        struct qsv_message m;
        uint32_t from;
        bool came;
        st = receive(c, &came, &from, &m, err);
        if (!st && came) {
            hear_last_words(c, from, &m, &n_gone, &sum);
            qsv_message_fini(&m);
            qsv_wait_reset(&wait);
        } else if (!st && clock->now_s(clock->context) > until_s) {
            st = fail_silent(c, longest_s, err);
        } else if (!st) {
            qsv_wait_nap(&wait, clock);
        }
    }
    if (work)
        *work = sum;
    return st;
}
