#include "runner/coordinator/idler.h"

#include <stdlib.h>

#include "core/base/alloc.h"

enum qsv_status qsv_idler_hello(struct qsv_idler *i, const struct qsv_hello *hello,
                                struct qsv_error *err)
{
    struct qsv_message m = {.type = QSV_MESSAGE_HELLO, .u.hello = *hello};
    return qsv_message_send(i->transport, 0, &m, i->sizes, err);
}

static enum qsv_status fill_records(const struct qsv_idler *i, const struct qsv_task *t,
                                    struct qsv_done *d, struct qsv_error *err)
{
    size_t pairs = (size_t)t->n_trials * t->n_shards;
    d->records = qsv_alloc(pairs, sizeof *d->records);
    enum qsv_status st = d->records ? QSV_OK : qsv_fail_memory(err, "records");
    while (!st && d->n_records < pairs) {
        struct qsv_record *r = &d->records[d->n_records];
        st = qsv_record_init(r, &i->sizes->shape, i->shard_images, 0, err);
        if (st)
            break;
        r->trial_id = t->trials[d->n_records % t->n_trials].trial_id;
        r->shard = t->first_shard + d->n_records / t->n_trials;
        d->n_records++;
    }
    return st;
}

static enum qsv_status answer_task(const struct qsv_idler *i, const struct qsv_task *t,
                                   struct qsv_error *err)
{
    struct qsv_message m = {.type = QSV_MESSAGE_DONE, .u.done.task = t->number};
    enum qsv_status st = fill_records(i, t, &m.u.done, err);
    m.u.done.seconds = m.u.done.n_records * i->pair_seconds;
    if (!st)
        st = qsv_message_send(i->transport, 0, &m, i->sizes, err);
    qsv_message_fini(&m);
    return st;
}

static enum qsv_status answer(struct qsv_idler *i, const struct qsv_message *m,
                              struct qsv_error *err)
{
    struct qsv_message bye = {.type = QSV_MESSAGE_BYE};
    if (m->type == QSV_MESSAGE_TASK)
        return answer_task(i, &m->u.task, err);
    if (m->type != QSV_MESSAGE_STOP)
        return QSV_OK;
    i->done = true;
    return qsv_message_send(i->transport, 0, &bye, i->sizes, err);
}

enum qsv_status qsv_idler_step(struct qsv_idler *i, bool *idle, struct qsv_error *err)
{
    struct qsv_parcel p;
    struct qsv_message m;
    *idle = true;
    enum qsv_status st = i->transport->poll(i->transport, &p, err);
    if (st || !p.data)
        return st;
    *idle = false;
    st = qsv_message_unpack(&m, i->sizes, p.data, p.bytes, err);
    free(p.data);
    if (st)
        return st;
    st = answer(i, &m, err);
    qsv_message_fini(&m);
    return st;
}

enum qsv_status qsv_idler_run(struct qsv_idler *i, const struct qsv_clock *clock,
                              struct qsv_error *err)
{
    struct qsv_wait wait = {0};
    enum qsv_status st = QSV_OK;
    while (!st && !i->done) {
        bool idle;
        st = qsv_idler_step(i, &idle, err);
        if (idle)
            qsv_wait_nap(&wait, clock);
        else
            qsv_wait_reset(&wait);
    }
    return st;
}
