#include "runner/transport/transport_loop.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/alloc.h"

struct node {
    struct node *next;
    struct qsv_parcel parcel;
};

struct end {
    struct qsv_transport transport;
    struct node *first, **last;
    qsv_loop_step *step;
    void *step_context;
};

struct qsv_loop {
    int size, turn; /* turn: the attached rank that steps next, so that all get their share */
    struct end *ends;
};

static enum qsv_status loop_send(struct qsv_transport *t, int to, struct qsv_strbuf *message,
                                 struct qsv_error *err)
{
    struct qsv_loop *loop = t->context;
    assert(to >= 0 && to < loop->size);
    struct node *n = message->failed ? NULL : qsv_alloc(1, sizeof *n);
    if (!n) {
        qsv_strbuf_fini(message);
        return qsv_fail_memory(err, "a message");
    }
    n->parcel = (struct qsv_parcel){t->rank, (uint8_t *)message->text, message->len};
    *message = (struct qsv_strbuf){0};
    *loop->ends[to].last = n;
    loop->ends[to].last = &n->next;
    return QSV_OK;
}

static bool take(struct end *e, struct qsv_parcel *out)
{
    struct node *n = e->first;
    if (!n)
        return false;
    *out = n->parcel;
    e->first = n->next;
    if (!e->first)
        e->last = &e->first;
    free(n);
    return true;
}

static enum qsv_status step_others(struct qsv_loop *loop, struct qsv_error *err)
{
    for (int i = 0; i < loop->size && !loop->ends[0].first; i++) {
        struct end *e = &loop->ends[loop->turn];
        loop->turn = (loop->turn + 1) % loop->size;
        enum qsv_status st = e->step ? e->step(e->step_context, err) : QSV_OK;
        if (st)
            return st;
    }
    return QSV_OK;
}

static enum qsv_status loop_poll(struct qsv_transport *t, struct qsv_parcel *out,
                                 struct qsv_error *err)
{
    struct qsv_loop *loop = t->context;
    *out = (struct qsv_parcel){-1, NULL, 0};
    if (take(&loop->ends[t->rank], out) || t->rank != 0)
        return QSV_OK;
    enum qsv_status st = step_others(loop, err);
    if (!st)
        take(&loop->ends[0], out);
    return st;
}

enum qsv_status qsv_loop_create(struct qsv_loop **out, int size, struct qsv_error *err)
{
    assert(size > 0);
    struct qsv_loop *loop = qsv_alloc(1, sizeof *loop);
    *out = NULL;
    if (!loop || !(loop->ends = qsv_alloc((size_t)size, sizeof *loop->ends))) {
        free(loop);
        return qsv_fail_memory(err, "the ranks of a process");
    }
    loop->size = size;
    for (int i = 0; i < size; i++) {
        loop->ends[i].transport = (struct qsv_transport){i, size, loop, loop_send, loop_poll};
        loop->ends[i].last = &loop->ends[i].first;
    }
    *out = loop;
    return QSV_OK;
}

void qsv_loop_destroy(struct qsv_loop *loop)
{
    if (!loop)
        return;
    for (int i = 0; i < loop->size; i++)
        for (struct qsv_parcel p; take(&loop->ends[i], &p);)
            free(p.data);
    free(loop->ends);
    free(loop);
}

struct qsv_transport *qsv_loop_end(struct qsv_loop *loop, int rank)
{
    assert(rank >= 0 && rank < loop->size);
    return &loop->ends[rank].transport;
}

void qsv_loop_attach(struct qsv_loop *loop, int rank, qsv_loop_step *step, void *context)
{
    assert(rank > 0 && rank < loop->size);
    loop->ends[rank].step = step;
    loop->ends[rank].step_context = context;
}
