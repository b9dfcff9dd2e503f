#include "runner/coordinator/crew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "runner/transport/hello.h"

double qsv_crew_now_s(const struct qsv_crew *c)
{
    return c->setup.clock->now_s(c->setup.clock->context);
}

enum qsv_status qsv_crew_init(struct qsv_crew *c, const struct qsv_coordinator_setup *setup,
                              struct qsv_error *err)
{
    uint32_t n = (uint32_t)setup->transport->size - 1;
    *c = (struct qsv_crew){.setup = *setup,
                           .sizes = {setup->shape, setup->partition->n_shards},
                           .n = n,
                           .members = qsv_alloc(n ? n : 1, sizeof *c->members)};
    if (!c->members)
        return qsv_fail_memory(err, "the workers");
    return qsv_watch_init(&c->watch, n, setup->worker_timeout_s, qsv_crew_now_s(c), err);
}

void qsv_crew_fini(struct qsv_crew *c)
{
    for (uint32_t w = 0; c->members && w < c->n; w++)
        for (uint32_t i = 0; i < QSV_CREW_MOST_GIVEN; i++)
            qsv_given_fini(&c->members[w].given[i]);
    free(c->members);
    qsv_watch_fini(&c->watch);
}

const char *qsv_crew_host(const struct qsv_crew_member *w)
{
    return w->here ? w->hello.host : "an unknown host";
}

/* Receives one message, if there is one: *from is its worker. */
enum qsv_status qsv_crew_receive(struct qsv_crew *c, bool *came, uint32_t *from,
                                 struct qsv_message *m, struct qsv_error *err)
{
    struct qsv_parcel p;
    *came = false;
    enum qsv_status st = c->setup.transport->poll(c->setup.transport, &p, err);
    if (st || !p.data)
        return st;
    *from = (uint32_t)p.from - 1;
    st = p.from < 1 || *from >= c->n
             ? qsv_fail(err, QSV_EFAILED, "a message from rank %d, which is no worker", p.from)
             : qsv_message_unpack(m, &c->sizes, p.data, p.bytes, err);
    if (st && p.from >= 1)
        qsv_fail_in(err, st, "rank %d", p.from);
    if (!st)
        qsv_watch_heard(&c->watch, *from, qsv_crew_now_s(c));
    free(p.data);
    *came = st == QSV_OK;
    return st;
}

enum qsv_status qsv_crew_fail_stopped(struct qsv_error *err)
{
    return qsv_fail(err, QSV_ESTOPPED, "stopped before the end; the same command goes on");
}

enum qsv_status qsv_crew_fail_of(const struct qsv_crew_member *w, uint32_t worker,
                                 const struct qsv_failed *f, struct qsv_error *err)
{
    if (f->error.code == QSV_ESTOPPED)
        return qsv_crew_fail_stopped(err);
    return qsv_fail(err, f->error.code, "rank %u on %s: %s", worker + 1, qsv_crew_host(w),
                    f->error.text);
}

enum qsv_status qsv_crew_fail_unexpected(const struct qsv_message *m, uint32_t from,
                                         struct qsv_error *err)
{
    return qsv_fail(err, QSV_EFAILED, "rank %u sent a message of type %d out of turn", from + 1,
                    (int)m->type);
}

void qsv_crew_say(struct qsv_crew *c, uint32_t worker, const char *what)
{
    char text[QSV_ERROR_TEXT];
    snprintf(text, sizeof text, "rank %u on %s %s", worker + 1, qsv_crew_host(&c->members[worker]),
             what);
    if (c->setup.say)
        c->setup.say(c->setup.say_context, text);
}

static enum qsv_status welcome(struct qsv_crew *c, uint32_t worker, struct qsv_error *err)
{
    const struct qsv_message m = {.type = QSV_MESSAGE_WELCOME, .u.welcome = c->own->identity};
    return qsv_message_send(c->setup.transport, (int)worker + 1, &m, &c->sizes, err);
}

enum qsv_status qsv_crew_greet_one(struct qsv_crew *c, uint32_t from, const struct qsv_message *m,
                                   struct qsv_error *err)
{
    struct qsv_crew_member *w = &c->members[from];
    if (m->type == QSV_MESSAGE_FAILED)
        return qsv_crew_fail_of(w, from, &m->u.failed, err);
    if (m->type != QSV_MESSAGE_HELLO || w->here)
        return qsv_crew_fail_unexpected(m, from, err);
    w->hello = m->u.hello;
    w->here = true;
    if (w->lost)
        qsv_crew_say(c, from, "is here after all");
    w->lost = false;
    enum qsv_status st = qsv_hello_check(&w->hello, (int)from + 1, c->own, err);
    return st ? st : welcome(c, from, err);
}

bool qsv_crew_is_stopped(const struct qsv_crew *c)
{
    return c->setup.stop && *c->setup.stop;
}

bool qsv_crew_is_any_left(const struct qsv_crew *c)
{
    for (uint32_t w = 0; w < c->n; w++)
        if (c->members[w].here && !c->members[w].lost)
            return true;
    return false;
}

enum qsv_status qsv_crew_fail_none_left(const struct qsv_crew *c, struct qsv_error *err)
{
    return qsv_fail(err, QSV_ESTOPPED,
                    "no worker is left: none was heard from for %g s; what is recorded stays",
                    c->setup.worker_timeout_s);
}

/* Those that have not said hello are given up; *n counts workers that are settled. */
static enum qsv_status give_up_absent(struct qsv_crew *c, uint32_t *n, struct qsv_error *err)
{
    for (uint32_t w = 0; w < c->n; w++) {
        if (c->members[w].here)
            continue;
        c->members[w].lost = true;
        qsv_crew_say(c, w, "has not begun; going on without it");
    }
    *n = c->n;
    return qsv_crew_is_any_left(c) ? QSV_OK : qsv_crew_fail_none_left(c, err);
}

static enum qsv_status greet_next(struct qsv_crew *c, uint32_t *n, bool *came,
                                  struct qsv_error *err)
{
    struct qsv_message m;
    uint32_t from;
    enum qsv_status st = qsv_crew_receive(c, came, &from, &m, err);
    if (st || !*came)
        return st;
    st = qsv_crew_greet_one(c, from, &m, err);
    qsv_message_fini(&m);
    (*n)++;
    return st;
}

enum qsv_status qsv_crew_greet(struct qsv_crew *c, const struct qsv_hello *own,
                               struct qsv_error *err)
{
    struct qsv_wait wait = {0};
    double heard_s = qsv_crew_now_s(c);
    enum qsv_status st = QSV_OK;
    c->own = own;
    for (uint32_t n = 0; n < c->n && !st;) {
        bool came = false;
        st = qsv_crew_is_stopped(c) ? qsv_crew_fail_stopped(err) : greet_next(c, &n, &came, err);
        if (came) {
            qsv_wait_reset(&wait);
            heard_s = qsv_crew_now_s(c);
        } else if (!st && c->setup.worker_timeout_s > 0 &&
                   qsv_crew_now_s(c) - heard_s > c->setup.worker_timeout_s) {
            st = give_up_absent(c, &n, err);
        } else if (!st) {
            qsv_wait_nap(&wait, c->setup.clock);
        }
    }
    return st;
}

/* Early, so that workers end what they do while the coordinator still has to close its files. */
enum qsv_status qsv_crew_tell_to_stop(struct qsv_crew *c, struct qsv_error *err)
{
    const struct qsv_message stop = {.type = QSV_MESSAGE_STOP};
    enum qsv_status st = QSV_OK;
    for (uint32_t w = 0; w < c->n && !st && !c->told_to_stop; w++)
        st = qsv_message_send(c->setup.transport, (int)w + 1, &stop, &c->sizes, err);
    c->told_to_stop = true;
    return st;
}

/* Whatever still comes from a worker that has not read the stop yet is of no use any more: what was
 * recorded lies in its segment. */
static void hear_last_words(struct qsv_crew *c, uint32_t from, const struct qsv_message *m,
                            uint32_t *n_gone, struct qsv_bye *work)
{
    if (m->type != QSV_MESSAGE_BYE || c->members[from].gone)
        return;
    c->members[from].gone = true;
    (*n_gone)++;
    work->layer_forwards_asked += m->u.bye.layer_forwards_asked;
    work->layer_forwards_done += m->u.bye.layer_forwards_done;
}

static enum qsv_status fail_silent(const struct qsv_crew *c, struct qsv_error *err)
{
    uint32_t w = 0;
    while (w + 1 < c->n && c->members[w].gone)
        w++;
    return qsv_fail(err, QSV_EFAILED, "rank %u on %s has not stopped", w + 1,
                    qsv_crew_host(&c->members[w]));
}

/* Whether only those are missing that were given up. */
static bool are_gone(const struct qsv_crew *c)
{
    for (uint32_t w = 0; w < c->n; w++)
        if (!c->members[w].gone && !c->members[w].lost)
            return false;
    return true;
}

enum qsv_status qsv_crew_stop(struct qsv_crew *c, double longest_s, struct qsv_bye *work,
                              struct qsv_error *err)
{
    struct qsv_bye sum = {0};
    struct qsv_wait wait = {0};
    uint32_t n_gone = 0;
    enum qsv_status st = qsv_crew_tell_to_stop(c, err);
    double until_s = qsv_crew_now_s(c) + longest_s;
    while (!st && n_gone < c->n) {
        struct qsv_message m;
        uint32_t from;
        bool came;
        st = qsv_crew_receive(c, &came, &from, &m, err);
        if (!st && came) {
            hear_last_words(c, from, &m, &n_gone, &sum);
            qsv_message_fini(&m);
            qsv_wait_reset(&wait);
        } else if (!st && (are_gone(c) || qsv_crew_now_s(c) > until_s)) {
            st = fail_silent(c, err);
        } else if (!st) {
            qsv_wait_nap(&wait, c->setup.clock);
        }
    }
    if (work)
        *work = sum;
    return st;
}
