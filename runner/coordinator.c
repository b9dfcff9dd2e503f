#include "runner/coordinator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "runner/crew.h"
#include "runner/deal.h"

struct qsv_coordinator {
    struct qsv_crew crew;
    uint64_t n_tasks; /* dealt so far */
    struct qsv_deal *deal;

    uint64_t n_jobs; /* the number of the one in hand */
    uint8_t *open;   /* [n_trials][n_shards] of the job: not taken yet */
    size_t n_open;
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
    free(c->open);
    qsv_deal_destroy(c->deal);
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

const struct qsv_hello *qsv_coordinator_hello(const struct qsv_coordinator *c, uint32_t worker)
{
    return &c->crew.members[worker].hello;
}

static enum qsv_status make_task(struct qsv_coordinator *c, const struct qsv_job *job,
                                 const struct qsv_hand *hand, struct qsv_task *t,
                                 uint32_t **indices, struct qsv_error *err)
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
    *indices = qsv_alloc(hand->n_trials, sizeof **indices);
    if (!*indices)
        return qsv_fail_memory(err, "a task");
    memcpy(*indices, hand->trials, hand->n_trials * sizeof **indices);
    for (uint32_t i = 0; i < hand->n_trials; i++) {
        const struct qsv_trial_setting *trial = &job->trials[hand->trials[i]];
        t->trials[i].trial_id = trial->trial_id;
        memcpy(t->formats + (size_t)i * n_layers, trial->formats, n_layers);
    }
    return QSV_OK;
}

static enum qsv_status deal_to(struct qsv_coordinator *c, const struct qsv_job *job,
                               uint32_t worker, struct qsv_error *err)
{
    struct qsv_crew_member *w = &c->crew.members[worker];
    struct qsv_hand hand;
    if (!w->here || w->lost || w->task.number || !qsv_deal_next(c->deal, worker, &hand))
        return QSV_OK;
    enum qsv_status st = make_task(c, job, &hand, &w->task, &w->hand, err);
    if (st)
        return st;
    w->job = c->n_jobs;
    w->work = hand.work;
    qsv_watch_heard(&c->crew.watch, worker, qsv_crew_now_s(&c->crew));
    /* The message borrows the task. */
    struct qsv_message m = {.type = QSV_MESSAGE_TASK, .u.task = w->task};
    return qsv_message_send(c->crew.setup.transport, (int)worker + 1, &m, &c->crew.sizes, err);
}

static enum qsv_status check_done(const struct qsv_crew_member *w, const struct qsv_done *d,
                                  struct qsv_error *err)
{
    if (d->task == 0 || d->task != w->task.number)
        return qsv_fail(err, QSV_EFAILED, "reports task %llu, was given %llu",
                        (unsigned long long)d->task, (unsigned long long)w->task.number);
    size_t pairs = (size_t)w->task.n_trials * w->task.n_shards;
    if (d->n_records != pairs)
        return qsv_fail(err, QSV_EFAILED, "reports %u records for %zu pairs", d->n_records, pairs);
    for (uint32_t i = 0; i < d->n_records; i++)
        if (!qsv_task_holds(&w->task, d->records[i].trial_id, d->records[i].shard))
            return qsv_fail(err, QSV_EFAILED, "reports trial %016llx on shard %u unasked",
                            (unsigned long long)d->records[i].trial_id, d->records[i].shard);
    return QSV_OK;
}

/* Notes that a record's pair is done, wherever it came from. */
static void close_pair(struct qsv_coordinator *c, const struct qsv_job *job,
                       const struct qsv_crew_member *w, const struct qsv_record *r)
{
    uint32_t i = 0;
    while (w->task.trials[i].trial_id != r->trial_id)
        i++;
    size_t at = (size_t)w->hand[i] * job->n_shards + (r->shard - job->first_shard);
    if (!c->open[at])
        return;
    c->open[at] = 0;
    c->n_open--;
    qsv_deal_drop(c->deal, w->hand[i], r->shard);
}

static enum qsv_status take_records(struct qsv_coordinator *c, const struct qsv_job *job,
                                    const struct qsv_crew_member *w, struct qsv_done *d,
                                    struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (uint32_t i = 0; i < d->n_records && !st; i++) {
        close_pair(c, job, w, &d->records[i]);
        st = job->take(job->context, &d->records[i], d->segment, err);
    }
    return st;
}

static enum qsv_status take_done(struct qsv_coordinator *c, const struct qsv_job *job,
                                 uint32_t from, struct qsv_done *d, struct qsv_error *err)
{
    struct qsv_crew_member *w = &c->crew.members[from];
    enum qsv_status st = check_done(w, d, err);
    if (st)
        return qsv_fail_in(err, st, "rank %u on %s", from + 1, qsv_crew_host(w));
    if (w->lost)
        qsv_crew_say(&c->crew, from, "is back");
    else
        qsv_deal_done(c->deal, from, w->work, d->seconds);
    w->lost = false;
    /* Of an earlier job: it has been done by another worker since. */
    if (w->job == c->n_jobs)
        st = take_records(c, job, w, d, err);
    qsv_crew_end_task(w);
    return st;
}

/* One that was given up and now fails is no loss any more. */
static enum qsv_status take_failed(struct qsv_coordinator *c, uint32_t from,
                                   const struct qsv_failed *f, struct qsv_error *err)
{
    if (!c->crew.members[from].lost || f->error.code == QSV_ESTOPPED)
        return qsv_crew_fail_of(&c->crew.members[from], from, f, err);
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

/* The worker keeps its task, in case it is only slow. */
static void give_up(struct qsv_coordinator *c, const struct qsv_job *job, uint32_t worker)
{
    struct qsv_crew_member *w = &c->crew.members[worker];
    char text[128];
    snprintf(text, sizeof text, "was not heard from for %g s; its work is given to others",
             c->crew.setup.worker_timeout_s);
    qsv_crew_say(&c->crew, worker, text);
    w->lost = true;
    if (w->job != c->n_jobs)
        return;
    for (uint32_t i = 0; i < w->task.n_trials; i++)
        for (uint32_t s = 0; s < w->task.n_shards; s++) {
            uint32_t shard = w->task.first_shard + s;
            if (c->open[(size_t)w->hand[i] * job->n_shards + (shard - job->first_shard)])
                qsv_deal_return(c->deal, w->hand[i], shard);
        }
}

static enum qsv_status look_for_lost(struct qsv_coordinator *c, const struct qsv_job *job,
                                     struct qsv_error *err)
{
    double now = qsv_crew_now_s(&c->crew);
    uint32_t n = 0;
    if (!qsv_watch_is_due(&c->crew.watch, now))
        return QSV_OK;
    for (uint32_t w = 0; w < c->crew.n; w++)
        if (c->crew.members[w].task.number && !c->crew.members[w].lost &&
            qsv_watch_is_silent(&c->crew.watch, w, now)) {
            give_up(c, job, w);
            n++;
        }
    if (!n)
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
    }
    if (!st)
        st = look_for_lost(c, job, err);
    return st ? st : job->tick(job->context, err);
}

static enum qsv_status begin_deal(struct qsv_coordinator *c, const struct qsv_job *job,
                                  struct qsv_error *err)
{
    uint32_t *images = qsv_alloc(job->n_shards + 1, sizeof *images);
    if (!images)
        return qsv_fail_memory(err, "a job");
    for (uint32_t s = 0; s < job->n_shards; s++)
        images[s] = qsv_partition_shard(c->crew.setup.partition, job->first_shard + s).n_images;
    struct qsv_deal_call call = {job->n_trials, job->first_shard, job->n_shards,
                                 job->shared,   images,           job->missing};
    enum qsv_status st = qsv_deal_begin(c->deal, &call, err);
    free(images);
    return st;
}

static enum qsv_status begin(struct qsv_coordinator *c, const struct qsv_job *job,
                             struct qsv_error *err)
{
    size_t pairs;
    c->n_jobs++;
    c->n_open = 0;
    free(c->open);
    c->open = qsv_mul_size(job->n_trials, job->n_shards, &pairs) ? qsv_alloc(pairs + 1, 1) : NULL;
    if (!c->open)
        return qsv_fail_memory(err, "a job");
    for (size_t i = 0; i < pairs; i++)
        c->n_open += c->open[i] = job->missing[i] != 0;
    return begin_deal(c, job, err);
}

enum qsv_status qsv_coordinator_run(struct qsv_coordinator *c, const struct qsv_job *job,
                                    struct qsv_error *err)
{
    struct qsv_wait wait = {0};
    enum qsv_status st = begin(c, job, err);
    if (!st)
        st = deal_to_all(c, job, err);
    while (!st && c->n_open > 0) {
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
