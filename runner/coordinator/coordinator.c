#include "runner/coordinator/coordinator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "runner/coordinator/crew.h"

/* Times what was expected that a task may take before it is dealt to idle workers too, and how
 * often that is looked at. */
static const double overdue = 2, look_s = 0.25;

struct qsv_coordinator {
    struct qsv_crew crew;
    uint64_t n_tasks, n_calls; /* dealt, begun so far */
    double looked_s;           /* when stragglers were last looked for */
    struct qsv_tally tally;
    struct qsv_deal *deal, *ahead;
};

enum qsv_status qsv_coordinator_create(struct qsv_coordinator **out,
                                       const struct qsv_coordinator_setup *setup,
                                       struct qsv_error *err)
{
    struct qsv_coordinator *c = qsv_alloc(1, sizeof *c);
    *out = NULL;
    if (!c)
        return qsv_fail_memory(err, "the coordinator");
    enum qsv_status st = qsv_crew_init(&c->crew, setup, err);
    if (!st)
        st = qsv_deal_create(&c->deal, c->crew.n, setup->partition->n_shards, setup->task_seconds,
                             err);
    if (!st) /* tasks as short as can be: what is asked for comes first */
        st = qsv_deal_create(&c->ahead, c->crew.n, setup->partition->n_shards, 0, err);
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
    qsv_crew_fini(&c->crew);
    qsv_deal_destroy(c->deal);
    qsv_deal_destroy(c->ahead);
    free(c);
}

enum qsv_status qsv_coordinator_greet(struct qsv_coordinator *c, const struct qsv_hello *own,
                                      struct qsv_error *err)
{
    return qsv_crew_greet(&c->crew, own, err);
}

enum qsv_status qsv_coordinator_stop(struct qsv_coordinator *c, double longest_s,
                                     struct qsv_bye *work, struct qsv_error *err)
{
    return qsv_crew_stop(&c->crew, longest_s, work, err);
}

uint32_t qsv_coordinator_workers(const struct qsv_coordinator *c)
{
    return c->crew.n;
}

uint32_t qsv_coordinator_alive(const struct qsv_coordinator *c)
{
    uint32_t n = 0;
    for (uint32_t w = 0; w < c->crew.n; w++) {
        const struct qsv_crew_member *m = &c->crew.members[w];
        n += m->here && !m->lost && !m->gone;
    }
    return n;
}

const struct qsv_hello *qsv_coordinator_hello(const struct qsv_coordinator *c, uint32_t worker)
{
    return &c->crew.members[worker].hello;
}

static enum qsv_status make_task(struct qsv_coordinator *c, const struct qsv_job *job,
                                 const struct qsv_hand *hand, struct qsv_task *t,
                                 struct qsv_error *err)
{
    uint32_t n_layers = c->crew.sizes.shape.n_layers;
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

static enum qsv_status give(struct qsv_coordinator *c, const struct qsv_job *job, uint32_t worker,
                            const struct qsv_hand *hand, struct qsv_error *err)
{
    struct qsv_crew_member *w = &c->crew.members[worker];
    struct qsv_message m = {.type = QSV_MESSAGE_TASK};
    enum qsv_status st = make_task(c, job, hand, &m.u.task, err);
    if (st)
        return st;
    uint64_t call = job->kind == QSV_TASK_AHEAD ? 0 : c->n_calls;
    st = qsv_given_init(&w->given[w->n_given], &m.u.task, hand, call, err);
    if (!st) {
        if (w->n_given++ == 0) {
            w->since_s = qsv_crew_now_s(&c->crew);
            qsv_watch_heard(&c->crew.watch, worker, w->since_s);
        }
        st = qsv_message_send(c->crew.setup.transport, (int)worker + 1, &m, &c->crew.sizes, err);
    }
    qsv_message_fini(&m);
    return st;
}

/* One in work and one queued; as many as may wait to be recorded together. */
static uint32_t most_given(const struct qsv_coordinator *c)
{
    return c->crew.setup.flush_interval_s > 0 ? QSV_CREW_MOST_GIVEN : 2;
}

/* A task to an idle worker, and more while there is plenty; where nothing is left, one that may be
 * asked for later. */
static enum qsv_status deal_to(struct qsv_coordinator *c, const struct qsv_job *job,
                               uint32_t worker, struct qsv_error *err)
{
    struct qsv_crew_member *w = &c->crew.members[worker];
    struct qsv_hand hand;
    enum qsv_status st = QSV_OK;
    while (!st && w->here && !w->lost && w->n_given < most_given(c) &&
           (w->n_given == 0 || qsv_deal_plenty(c->deal, worker)) &&
           qsv_deal_next(c->deal, worker, &hand))
        st = give(c, job, worker, &hand, err);
    bool idle = !st && w->here && !w->lost && w->n_given == 0;
    if (idle && job->ahead && qsv_deal_undone(c->deal) > 0 &&
        qsv_deal_next(c->ahead, worker, &hand))
        st = give(c, job->ahead, worker, &hand, err);
    return st;
}

static enum qsv_status check_done(const struct qsv_crew_member *w, const struct qsv_done *d,
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

static enum qsv_status take_ahead(struct qsv_coordinator *c, const struct qsv_job *job,
                                  const struct qsv_given *g, struct qsv_done *d,
                                  struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (uint32_t i = 0; i < d->n_records && !st && job->take_ahead; i++)
        st = job->take_ahead(job->context, &d->records[i], err);
    if (!st && g->call == c->n_calls)
        qsv_deal_taken(c->deal, g->trials[0], g->first_shard);
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

static void add_to_tally(struct qsv_tally *t, enum qsv_task_kind kind, const struct qsv_done *d)
{
    if (kind != QSV_TASK_CODES) {
        t->worked_s += d->seconds;
        t->waited_s += d->waited_s;
    }
    t->layer_forwards_asked += d->layer_forwards_asked;
    t->layer_forwards_done += d->layer_forwards_done;
    for (uint32_t i = 0; i < d->n_records; i++)
        if (d->records[i].peak_mem_bytes > t->peak_mem_bytes)
            t->peak_mem_bytes = d->records[i].peak_mem_bytes;
}

struct qsv_tally qsv_coordinator_tally(const struct qsv_coordinator *c)
{
    return c->tally;
}

static enum qsv_status take_done(struct qsv_coordinator *c, const struct qsv_job *job,
                                 uint32_t from, struct qsv_done *d, struct qsv_error *err)
{
    struct qsv_crew_member *w = &c->crew.members[from];
    enum qsv_status st = check_done(w, d, err);
    if (st)
        return qsv_fail_in(err, st, "rank %u on %s", from + 1, qsv_crew_host(w));
    struct qsv_given g = w->given[0];
    add_to_tally(&c->tally, g.kind, d);
    w->n_given--;
    memmove(w->given, w->given + 1, w->n_given * sizeof *w->given);
    w->given[w->n_given] = (struct qsv_given){0};
    w->since_s = qsv_crew_now_s(&c->crew);
    if (w->lost)
        qsv_crew_say(&c->crew, from, "is back");
    else
        qsv_deal_done(c->deal, from, g.work, d->seconds);
    w->lost = false;
    st = g.kind == QSV_TASK_AHEAD ? take_ahead(c, job, &g, d, err)
                                  : take_records(c, job, &g, d, err);
    qsv_given_fini(&g);
    return st;
}

/* One that was given up and now fails is no loss any more. */
static enum qsv_status take_failed(struct qsv_coordinator *c, uint32_t from,
                                   const struct qsv_failed *f, struct qsv_error *err)
{
    const struct qsv_crew_member *w = &c->crew.members[from];
    if (!w->lost || f->error.code == QSV_ESTOPPED)
        return qsv_crew_fail_of(w, from, f, err);
    qsv_crew_say(&c->crew, from, f->error.text);
    return QSV_OK;
}

static enum qsv_status handle(struct qsv_coordinator *c, const struct qsv_job *job, uint32_t from,
                              struct qsv_message *m, struct qsv_error *err)
{
    switch (m->type) {
    case QSV_MESSAGE_DONE:
        return take_done(c, job, from, &m->u.done, err);
    case QSV_MESSAGE_FAILED:
        return take_failed(c, from, &m->u.failed, err);
    case QSV_MESSAGE_HELLO:
        return qsv_crew_greet_one(&c->crew, from, m, err);
    case QSV_MESSAGE_ALIVE:
        return QSV_OK;
    default:
        return qsv_crew_fail_unexpected(m, from, err);
    }
}

static enum qsv_status deal_to_all(struct qsv_coordinator *c, const struct qsv_job *job,
                                   struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (uint32_t w = 0; w < c->crew.n && !st; w++)
        st = deal_to(c, job, w, err);
    return st;
}

static bool is_overdue(const struct qsv_coordinator *c, uint32_t worker)
{
    const struct qsv_crew_member *w = &c->crew.members[worker];
    double speed = qsv_deal_likely_speed(c->deal, worker);
    double extra_s = look_s + c->crew.setup.flush_interval_s;
    return w->n_given > 0 && speed > 0 &&
           qsv_crew_now_s(&c->crew) - w->since_s > overdue * w->given[0].work / speed + extra_s;
}

/* What a worker has in hand, and behind that, may be dealt to others. */
static uint32_t open_again(struct qsv_coordinator *c, struct qsv_crew_member *w)
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

/* At the end of a call, when there is nothing left to deal: what takes much longer than it should
 * is dealt once more, and what comes first counts. */
static enum qsv_status help_stragglers(struct qsv_coordinator *c, const struct qsv_job *job,
                                       struct qsv_error *err)
{
    uint32_t n = 0;
    if (!qsv_deal_is_empty(c->deal) || qsv_crew_now_s(&c->crew) < c->looked_s + look_s)
        return QSV_OK;
    c->looked_s = qsv_crew_now_s(&c->crew);
    for (uint32_t w = 0; w < c->crew.n; w++)
        if (is_overdue(c, w))
            n += open_again(c, &c->crew.members[w]);
    return n ? deal_to_all(c, job, err) : QSV_OK;
}

/* What it was given is dealt to others. It keeps it, too, in case it is only slow. */
static void give_up(struct qsv_coordinator *c, uint32_t worker)
{
    struct qsv_crew_member *w = &c->crew.members[worker];
    char text[128];
    snprintf(text, sizeof text, "was not heard from for %g s; its work is given to others",
             c->crew.setup.worker_timeout_s);
    qsv_crew_say(&c->crew, worker, text);
    w->lost = true;
    open_again(c, w);
}

static enum qsv_status look_for_lost(struct qsv_coordinator *c, const struct qsv_job *job,
                                     struct qsv_error *err)
{
    double now_s = qsv_crew_now_s(&c->crew);
    uint32_t n = 0;
    if (!qsv_watch_is_due(&c->crew.watch, now_s))
        return QSV_OK;
    for (uint32_t i = 0; i < c->crew.n; i++) {
        const struct qsv_crew_member *w = &c->crew.members[i];
        if (w->n_given == 0 || w->lost || !qsv_watch_is_silent(&c->crew.watch, i, now_s))
            continue;
        give_up(c, i);
        n++;
    }
    if (n == 0)
        return QSV_OK;
    return qsv_crew_is_any_left(&c->crew) ? deal_to_all(c, job, err)
                                          : qsv_crew_fail_none_left(&c->crew, err);
}

/* Takes what came, deals to whoever is free; *idle: nothing came. */
static enum qsv_status turn(struct qsv_coordinator *c, const struct qsv_job *job, bool *idle,
                            struct qsv_error *err)
{
    struct qsv_message m;
    uint32_t from;
    bool came;
    enum qsv_status st = qsv_crew_receive(&c->crew, &came, &from, &m, err);
    *idle = !came;
    if (!st && came) {
        st = handle(c, job, from, &m, err);
        qsv_message_fini(&m);
        if (!st)
            st = deal_to(c, job, from, err);
    } else if (!st) {
        st = help_stragglers(c, job, err);
    }
    if (!st)
        st = look_for_lost(c, job, err);
    return st ? st : job->tick(job->context, err);
}

static enum qsv_status begin(struct qsv_coordinator *c, struct qsv_deal *deal,
                             const struct qsv_job *job, struct qsv_error *err)
{
    uint32_t *images = qsv_alloc(job->n_shards + 1, sizeof *images);
    if (!images)
        return qsv_fail_memory(err, "a job");
    for (uint32_t s = 0; s < job->n_shards; s++)
        images[s] = qsv_partition_shard(c->crew.setup.partition, job->first_shard + s).n_images;
    struct qsv_deal_call call = {job->n_trials, job->first_shard, job->n_shards,
                                 job->shared,   images,           job->missing};
    enum qsv_status st = qsv_deal_begin(deal, &call, err);
    free(images);
    return st;
}

/* What is under way since it might be asked for, and is asked for now: waits for it. */
static void claim(struct qsv_coordinator *c, const struct qsv_job *job, struct qsv_given *g)
{
    uint32_t t = 0, shard = g->first_shard - job->first_shard;
    if (g->kind != QSV_TASK_AHEAD || g->n_trials != 1 || g->n_shards != 1)
        return;
    g->call = 0;
    while (t < job->n_trials && job->trials[t].trial_id != g->ids[0])
        t++;
    if (t == job->n_trials || shard >= job->n_shards ||
        !qsv_deal_reserve(c->deal, t, g->first_shard))
        return;
    g->trials[0] = t;
    g->call = c->n_calls;
}

static void claim_all(struct qsv_coordinator *c, const struct qsv_job *job)
{
    for (uint32_t w = 0; w < c->crew.n && job->take_ahead && job->kind == QSV_TASK_EVALUATE; w++)
        for (uint32_t i = 0; i < c->crew.members[w].n_given; i++)
            claim(c, job, &c->crew.members[w].given[i]);
}

enum qsv_status qsv_coordinator_run(struct qsv_coordinator *c, const struct qsv_job *job,
                                    struct qsv_error *err)
{
    struct qsv_wait wait = {0};
    enum qsv_status st = begin(c, c->deal, job, err);
    c->n_calls++;
    if (!st)
        claim_all(c, job);
    if (!st && job->ahead) {
        qsv_deal_follow(c->ahead, c->deal);
        st = begin(c, c->ahead, job->ahead, err);
    }
    if (!st)
        st = deal_to_all(c, job, err);
    while (!st && qsv_deal_undone(c->deal) > 0) {
        bool idle = false;
        st = qsv_crew_is_stopped(&c->crew) ? qsv_crew_fail_stopped(err) : turn(c, job, &idle, err);
        if (!st && idle)
            qsv_wait_nap(&wait, c->crew.setup.clock);
        else
            qsv_wait_reset(&wait);
    }
    if (st)
        qsv_crew_tell_to_stop(&c->crew, NULL);
    return st;
}
