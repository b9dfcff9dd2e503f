#include "runner/coordinator/troop.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/real.h"
#include "core/base/rng.h"

enum { MOST_QUEUED = 2 };
static const double longest_jump_s = 0.25; /* so that what the coordinator does by time happens */

struct worker {
    struct qsv_task tasks[MOST_QUEUED];
    uint32_t n_tasks;
    double speed;   /* times the median */
    double fails_s; /* when it will next */
    double took_s;  /* the task in hand */
    struct qsv_rng rng;
    bool stopped;
};

enum cause { HELLO, DONE, BYE };

struct event { /* a message that will arrive at the coordinator */
    double at_s;
    uint64_t number; /* earlier ones first where the time is the same */
    uint32_t worker;
    enum cause cause;
};

struct qsv_troop {
    struct qsv_troop_setup setup;
    struct qsv_transport transport;
    struct qsv_clock clock;
    double now_s;
    struct worker *workers;
    struct event *heap;
    size_t n_events, cap_events;
    uint64_t n_numbers;
    double *prefix; /* [n_layers + 1] */
    uint8_t *knows; /* [n_workers][(n_shards + 7) / 8] baselines */
    struct qsv_troop_figures figures;
};

static bool before(const struct event *a, const struct event *b)
{
    return a->at_s != b->at_s ? a->at_s < b->at_s : a->number < b->number;
}

static enum qsv_status push(struct qsv_troop *t, double at_s, uint32_t worker, enum cause cause,
                            struct qsv_error *err)
{
    if (!qsv_grow(&t->heap, &t->cap_events, t->n_events + 1, sizeof *t->heap))
        return qsv_fail_memory(err, "simulated events");
    struct event e = {at_s, t->n_numbers++, worker, cause};
    size_t at = t->n_events++;
    while (at > 0 && before(&e, &t->heap[(at - 1) / 2])) {
        t->heap[at] = t->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    t->heap[at] = e;
    return QSV_OK;
}

static struct event pop(struct qsv_troop *t)
{
    struct event first = t->heap[0], last = t->heap[--t->n_events];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < t->n_events) {
        if (child + 1 < t->n_events && before(&t->heap[child + 1], &t->heap[child]))
            child++;
        if (!before(&t->heap[child], &last))
            break;
        t->heap[at] = t->heap[child];
        at = child;
    }
    if (t->n_events)
        t->heap[at] = last;
    return first;
}

static double normal(struct qsv_rng *r)
{
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += qsv_rng_unit(r);
    return sum - 6;
}

/* Layers from the first one on in which two settings agree; b NULL: the baseline. */
static uint32_t agree(const uint8_t *a, const uint8_t *b, uint32_t n_layers)
{
    uint32_t l = 0;
    while (l < n_layers && a[l] == (b ? b[l] : QSV_F32))
        l++;
    return l;
}

/* Layers from `from` to the end. */
static void add_layers(struct qsv_troop_work *work, const uint8_t *formats, uint32_t from,
                       uint32_t n_layers, const double *prefix)
{
    double integer = 0;
    for (uint32_t l = from; l < n_layers; l++)
        integer += qsv_format_info(formats[l])->integer ? prefix[l + 1] - prefix[l] : 0;
    work->real += (prefix[n_layers] - prefix[from] - integer) / prefix[n_layers];
    work->integer += integer / prefix[n_layers];
}

/* The worker runs the baseline first where it needs it, so that the first trial shares with it; and
 * it never runs it twice. */
struct qsv_troop_work qsv_troop_work(const struct qsv_task *t, uint32_t n_layers,
                                     const double *prefix, bool knows)
{
    struct qsv_troop_work work = {.real = knows ? 0 : 1};
    const uint8_t *last = NULL;
    for (uint32_t i = 0; i < t->n_trials; i++) {
        const uint8_t *formats = t->trials[i].formats;
        if (agree(formats, NULL, n_layers) == n_layers)
            continue;
        bool alone = knows && !last;
        add_layers(&work, formats, alone ? 0 : agree(formats, last, n_layers), n_layers, prefix);
        last = formats;
    }
    return work;
}

/* Of all its images; notes which baselines the worker has from now on. */
static struct qsv_troop_work task_work(struct qsv_troop *t, uint32_t worker,
                                       const struct qsv_task *task)
{
    const struct qsv_partition *p = t->setup.partition;
    uint32_t n_layers = t->setup.sizes.shape.n_layers;
    uint8_t *knows = t->knows + (size_t)worker * ((p->n_shards + 7) / 8);
    struct qsv_troop_work costs[2],
        sum = {0}; /* of an image: the baseline is not known, is known */
    bool have[2] = {false, false};
    for (uint32_t s = task->first_shard; s < task->first_shard + task->n_shards; s++) {
        bool known = knows[s / 8] >> s % 8 & 1;
        if (!have[known])
            costs[known] = qsv_troop_work(task, n_layers, t->prefix, known);
        have[known] = true;
        sum.real += costs[known].real * qsv_partition_shard(p, s).n_images;
        sum.integer += costs[known].integer * qsv_partition_shard(p, s).n_images;
        knows[s / 8] |= (uint8_t)(1 << s % 8);
    }
    return sum;
}

static double draw_factor(const struct qsv_troop_times *times, struct qsv_rng *rng)
{
    double at = qsv_rng_unit(rng) * times->upto[times->n - 1];
    size_t low = 0, high = times->n - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (times->upto[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return times->factors[low];
}

static double task_seconds(struct qsv_troop *t, uint32_t worker, const struct qsv_task *task)
{
    const struct qsv_troop_setup *setup = &t->setup;
    const struct qsv_troop_times *times = setup->times;
    struct worker *w = &t->workers[worker];
    struct qsv_troop_work work = task_work(t, worker, task);
    if (times)
        return (work.real * times->real_s + work.integer * times->integer_s) *
               draw_factor(times, &w->rng);
    double jitter = qsv_exp(setup->task_spread * normal(&w->rng));
    return (work.real + work.integer) / (setup->images_per_s * w->speed) * jitter;
}

static double until_failure_s(struct qsv_troop *t, struct worker *w)
{
    if (!(t->setup.failures_per_hour > 0))
        return INFINITY;
    return -qsv_log(1 - qsv_rng_unit(&w->rng)) * 3600 / t->setup.failures_per_hour;
}

/* The first task in the queue, at a time. */
static enum qsv_status start(struct qsv_troop *t, uint32_t worker, double at_s,
                             struct qsv_error *err)
{
    struct worker *w = &t->workers[worker];
    w->took_s = task_seconds(t, worker, &w->tasks[0]);
    while (w->fails_s < at_s + w->took_s) {
        at_s = fmax(at_s, w->fails_s) + t->setup.restart_s;
        w->fails_s = at_s + until_failure_s(t, w);
        t->figures.n_failures++;
    }
    double end_s = at_s + w->took_s + t->setup.record_s;
    return push(t, end_s + t->setup.latency_s, worker, DONE, err);
}

static enum qsv_status fill_records(const struct qsv_troop *t, uint32_t worker,
                                    const struct qsv_task *task, struct qsv_done *d,
                                    struct qsv_error *err)
{
    size_t pairs = (size_t)task->n_trials * task->n_shards;
    d->records = qsv_alloc(pairs, sizeof *d->records);
    enum qsv_status st = d->records ? QSV_OK : qsv_fail_memory(err, "simulated records");
    while (!st && d->n_records < pairs) {
        struct qsv_record *r = &d->records[d->n_records];
        uint32_t shard = task->first_shard + d->n_records / task->n_trials;
        uint32_t n_images = qsv_partition_shard(t->setup.partition, shard).n_images;
        st = qsv_record_init(r, &t->setup.sizes.shape, n_images, 0, err);
        if (st)
            break;
        r->trial_id = task->trials[d->n_records % task->n_trials].trial_id;
        r->shard = shard;
        r->n_images = n_images;
        r->rank = worker + 1;
        r->wall_s = d->seconds / (double)pairs;
        d->n_records++;
    }
    return st;
}

/* The report of the task in hand; the next one begins when the report was sent. */
static enum qsv_status report(struct qsv_troop *t, const struct event *e, struct qsv_message *m,
                              struct qsv_error *err)
{
    struct worker *w = &t->workers[e->worker];
    *m = (struct qsv_message){.type = QSV_MESSAGE_DONE,
                              .u.done = {.task = w->tasks[0].number, .seconds = w->took_s}};
    enum qsv_status st = fill_records(t, e->worker, &w->tasks[0], &m->u.done, err);
    t->figures.n_tasks++;
    t->figures.worked_s += w->took_s;
    qsv_task_fini(&w->tasks[0]);
    w->tasks[0] = w->tasks[1];
    w->tasks[1] = (struct qsv_task){0};
    w->n_tasks--;
    return st || !w->n_tasks ? st : start(t, e->worker, e->at_s - t->setup.latency_s, err);
}

static enum qsv_status make_message(struct qsv_troop *t, const struct event *e,
                                    struct qsv_message *m, struct qsv_error *err)
{
    *m = (struct qsv_message){.type = e->cause == HELLO ? QSV_MESSAGE_HELLO : QSV_MESSAGE_BYE};
    if (e->cause == HELLO)
        m->u.hello = *t->setup.hello;
    return e->cause == DONE ? report(t, e, m, err) : QSV_OK;
}

static enum qsv_status deliver(struct qsv_troop *t, struct qsv_parcel *out, struct qsv_error *err)
{
    struct event e = pop(t);
    struct qsv_message m;
    struct qsv_strbuf bytes = {0};
    if (e.cause == DONE && t->workers[e.worker].stopped) /* it has dropped its task */
        return QSV_OK;
    enum qsv_status st = make_message(t, &e, &m, err);
    if (!st)
        qsv_message_pack(&m, &t->setup.sizes, &bytes);
    qsv_message_fini(&m);
    if (!st && bytes.failed)
        st = qsv_fail_memory(err, "a simulated message");
    if (st) {
        qsv_strbuf_fini(&bytes);
        return st;
    }
    *out = (struct qsv_parcel){(int)e.worker + 1, (uint8_t *)bytes.text, bytes.len};
    t->now_s += t->setup.message_s;
    t->figures.n_messages++;
    return QSV_OK;
}

static enum qsv_status troop_poll(struct qsv_transport *transport, struct qsv_parcel *out,
                                  struct qsv_error *err)
{
    struct qsv_troop *t = transport->context;
    *out = (struct qsv_parcel){-1, NULL, 0};
    if (!t->n_events || t->heap[0].at_s > t->now_s)
        return QSV_OK;
    double began_s = qsv_clock_thread_s();
    enum qsv_status st = deliver(t, out, err);
    t->figures.cpu_s += qsv_clock_thread_s() - began_s;
    return st;
}

static enum qsv_status take(struct qsv_troop *t, uint32_t worker, struct qsv_message *m,
                            struct qsv_error *err)
{
    struct worker *w = &t->workers[worker];
    if (m->type == QSV_MESSAGE_STOP) {
        w->stopped = true;
        return push(t, t->now_s + 2 * t->setup.latency_s, worker, BYE, err);
    }
    if (m->type != QSV_MESSAGE_TASK)
        return QSV_OK;
    if (w->n_tasks == MOST_QUEUED)
        return qsv_fail(err, QSV_EFAILED, "simulated rank %u was given a third task", worker + 1);
    w->tasks[w->n_tasks++] = m->u.task;
    *m = (struct qsv_message){0}; /* the task was moved out */
    return w->n_tasks > 1 ? QSV_OK : start(t, worker, t->now_s + t->setup.latency_s, err);
}

static enum qsv_status troop_send(struct qsv_transport *transport, int to, struct qsv_strbuf *bytes,
                                  struct qsv_error *err)
{
    struct qsv_troop *t = transport->context;
    double began_s = qsv_clock_thread_s();
    struct qsv_message m;
    assert(to > 0 && to < transport->size);
    enum qsv_status st =
        bytes->failed ? qsv_fail_memory(err, "a message")
                      : qsv_message_unpack(&m, &t->setup.sizes, bytes->text, bytes->len, err);
    qsv_strbuf_fini(bytes);
    if (!st) {
        t->now_s += t->setup.message_s;
        t->figures.n_messages++;
        st = take(t, (uint32_t)to - 1, &m, err);
        qsv_message_fini(&m);
    }
    t->figures.cpu_s += qsv_clock_thread_s() - began_s;
    return st;
}

static double troop_now_s(void *context)
{
    return ((struct qsv_troop *)context)->now_s;
}

/* Straight to the next message, as far as that is not too far off. */
static void troop_nap(void *context, double seconds)
{
    struct qsv_troop *t = context;
    double next_s = t->n_events ? t->heap[0].at_s : INFINITY;
    t->now_s = fmax(t->now_s + seconds, fmin(next_s, t->now_s + longest_jump_s));
}

static enum qsv_status enlist(struct qsv_troop *t, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (uint32_t i = 0; i < t->setup.n_workers && !st; i++) {
        struct worker *w = &t->workers[i];
        qsv_rng_seed(&w->rng, t->setup.seed * 1000003 + i);
        w->speed = qsv_exp(t->setup.rank_spread * normal(&w->rng));
        w->fails_s = until_failure_s(t, w);
        st = push(t, 0, i, HELLO, err);
    }
    return st;
}

enum qsv_status qsv_troop_create(struct qsv_troop **out, const struct qsv_troop_setup *setup,
                                 struct qsv_error *err)
{
    const struct qsv_graph *g = &setup->model->graph;
    size_t row = (setup->partition->n_shards + 7) / 8;
    struct qsv_troop *t = *out = qsv_alloc(1, sizeof *t);
    if (t) {
        t->workers = qsv_alloc(setup->n_workers, sizeof *t->workers);
        t->knows = qsv_alloc(setup->n_workers, row);
        t->prefix = qsv_alloc(g->n_layers + 1, sizeof *t->prefix);
    }
    if (!t || !t->workers || !t->knows || !t->prefix) {
        qsv_troop_destroy(t);
        *out = NULL;
        return qsv_fail_memory(err, "simulated workers");
    }
    t->setup = *setup;
    t->transport = (struct qsv_transport){0, (int)setup->n_workers + 1, t, troop_send, troop_poll};
    t->clock = (struct qsv_clock){t, troop_now_s, troop_now_s, troop_nap};
    for (size_t l = 0; l < g->n_layers; l++)
        t->prefix[l + 1] = t->prefix[l] + (double)g->layers[l].macs;
    enum qsv_status st = enlist(t, err);
    if (st) {
        qsv_troop_destroy(t);
        *out = NULL;
    }
    return st;
}

void qsv_troop_destroy(struct qsv_troop *t)
{
    if (!t)
        return;
    for (uint32_t i = 0; t->workers && i < t->setup.n_workers; i++)
        for (int k = 0; k < MOST_QUEUED; k++)
            qsv_task_fini(&t->workers[i].tasks[k]);
    free(t->workers);
    free(t->knows);
    free(t->prefix);
    free(t->heap);
    free(t);
}

struct qsv_transport *qsv_troop_transport(struct qsv_troop *t)
{
    return &t->transport;
}

const struct qsv_clock *qsv_troop_clock(const struct qsv_troop *t)
{
    return &t->clock;
}

struct qsv_troop_figures qsv_troop_figures(const struct qsv_troop *t)
{
    return t->figures;
}
