#include "runner/transport/message.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

enum { MAGIC = 0x4d565351, /* "QSVM" */ WIRE_VERSION = 3 };

static void put_string(struct qsv_strbuf *out, const char *s)
{
    qsv_strbuf_u32(out, (uint32_t)strlen(s));
    qsv_strbuf_puts(out, s);
}

/* Into `text` of `room` bytes. */
static void get_string(struct qsv_cursor *in, char *text, size_t room)
{
    uint32_t n = qsv_cursor_u32(in);
    const uint8_t *p = n < room ? qsv_cursor_take(in, n) : NULL;
    if (!p || memchr(p, '\0', n)) {
        in->failed = true;
        text[0] = '\0';
        return;
    }
    memcpy(text, p, n);
    text[n] = '\0';
}

/* What a hello begins with in every version of these messages, so that a rank of another one can be
 * named. */
static void get_introduction(struct qsv_hello *h, struct qsv_cursor *in)
{
    get_string(in, h->version, sizeof h->version);
    get_string(in, h->commit, sizeof h->commit);
    get_string(in, h->host, sizeof h->host);
}

static void put_identity(const struct qsv_identity *id, struct qsv_strbuf *out)
{
    qsv_strbuf_u64(out, id->model);
    qsv_strbuf_u64(out, id->dataset);
    qsv_strbuf_u64(out, id->calibration);
    qsv_strbuf_u64(out, id->order);
    qsv_strbuf_u32(out, id->shard_images);
    qsv_strbuf_u64(out, id->quantizer);
    qsv_strbuf_u32(out, id->engine);
}

static void get_identity(struct qsv_identity *id, struct qsv_cursor *in)
{
    id->model = qsv_cursor_u64(in);
    id->dataset = qsv_cursor_u64(in);
    id->calibration = qsv_cursor_u64(in);
    id->order = qsv_cursor_u64(in);
    id->shard_images = qsv_cursor_u32(in);
    id->quantizer = qsv_cursor_u64(in);
    id->engine = qsv_cursor_u32(in);
}

static void put_hello(const struct qsv_hello *h, struct qsv_strbuf *out)
{
    put_string(out, h->version);
    put_string(out, h->commit);
    put_string(out, h->host);
    qsv_strbuf_u64(out, h->build);
    put_identity(&h->identity, out);
    qsv_strbuf_u64(out, h->sketches[0]);
    qsv_strbuf_u64(out, h->sketches[1]);
    qsv_strbuf_u64(out, h->spec);
    put_string(out, h->isa);
    qsv_strbuf_u64(out, h->pid);
    qsv_strbuf_u32(out, h->cores);
    put_string(out, h->alone);
}

static void get_hello(struct qsv_hello *h, struct qsv_cursor *in)
{
    get_introduction(h, in);
    h->build = qsv_cursor_u64(in);
    get_identity(&h->identity, in);
    h->sketches[0] = qsv_cursor_u64(in);
    h->sketches[1] = qsv_cursor_u64(in);
    h->spec = qsv_cursor_u64(in);
    get_string(in, h->isa, sizeof h->isa);
    h->pid = qsv_cursor_u64(in);
    h->cores = qsv_cursor_u32(in);
    get_string(in, h->alone, sizeof h->alone);
}

static void put_done(const struct qsv_done *d, const struct qsv_record_shape *shape,
                     struct qsv_strbuf *out)
{
    qsv_strbuf_u64(out, d->task);
    qsv_strbuf_f64(out, d->seconds);
    qsv_strbuf_f64(out, d->waited_s);
    qsv_strbuf_u64(out, d->layer_forwards_asked);
    qsv_strbuf_u64(out, d->layer_forwards_done);
    put_string(out, d->segment);
    qsv_strbuf_u32(out, d->n_records);
    for (uint32_t i = 0; i < d->n_records; i++)
        qsv_record_pack(&d->records[i], shape, out);
}

static enum qsv_status get_done(struct qsv_done *d, const struct qsv_record_shape *shape,
                                struct qsv_cursor *in, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    d->task = qsv_cursor_u64(in);
    d->seconds = qsv_cursor_f64(in);
    d->waited_s = qsv_cursor_f64(in);
    d->layer_forwards_asked = qsv_cursor_u64(in);
    d->layer_forwards_done = qsv_cursor_u64(in);
    get_string(in, d->segment, sizeof d->segment);
    uint32_t n = qsv_cursor_u32(in);
    /* A record is never smaller than its trial's id: keeps a wrong count from allocating much. */
    if (in->failed || n > qsv_cursor_left(in) / 8)
        return qsv_fail(err, QSV_EFAILED, "a report is malformed");
    if (!(d->records = qsv_alloc(n ? n : 1, sizeof *d->records)))
        return qsv_fail_memory(err, "records");
    for (; !st && d->n_records < n; d->n_records += st == QSV_OK)
        st = qsv_record_unpack(&d->records[d->n_records], shape, in, err);
    return st;
}

static void put_failed(const struct qsv_failed *f, struct qsv_strbuf *out)
{
    qsv_strbuf_u64(out, f->task);
    qsv_strbuf_u32(out, f->error.code);
    put_string(out, f->error.text);
}

static void get_failed(struct qsv_failed *f, struct qsv_cursor *in)
{
    f->task = qsv_cursor_u64(in);
    uint32_t code = qsv_cursor_u32(in);
    get_string(in, f->error.text, sizeof f->error.text);
    f->error.code = (enum qsv_status)code;
    if (code == QSV_OK || code > QSV_EFAILED)
        in->failed = true;
}

void qsv_message_fini(struct qsv_message *m)
{
    if (m->type == QSV_MESSAGE_TASK)
        qsv_task_fini(&m->u.task);
    if (m->type == QSV_MESSAGE_DONE) {
        for (uint32_t i = 0; i < m->u.done.n_records; i++)
            qsv_record_fini(&m->u.done.records[i]);
        free(m->u.done.records);
    }
    *m = (struct qsv_message){0};
}

void qsv_message_pack(const struct qsv_message *m, const struct qsv_message_sizes *sizes,
                      struct qsv_strbuf *out)
{
    qsv_strbuf_u32(out, MAGIC);
    qsv_strbuf_u32(out, WIRE_VERSION);
    qsv_strbuf_u32(out, m->type);
    switch (m->type) {
    case QSV_MESSAGE_HELLO:
        put_hello(&m->u.hello, out);
        break;
    case QSV_MESSAGE_WELCOME:
        put_identity(&m->u.welcome, out);
        break;
    case QSV_MESSAGE_TASK:
        qsv_task_pack(&m->u.task, sizes->shape.n_layers, out);
        break;
    case QSV_MESSAGE_DONE:
        put_done(&m->u.done, &sizes->shape, out);
        break;
    case QSV_MESSAGE_FAILED:
        put_failed(&m->u.failed, out);
        break;
    case QSV_MESSAGE_BYE:
        qsv_strbuf_u64(out, m->u.bye.layer_forwards_asked);
        qsv_strbuf_u64(out, m->u.bye.layer_forwards_done);
        break;
    case QSV_MESSAGE_STOP:
    case QSV_MESSAGE_ALIVE:
        break;
    }
}

static enum qsv_status get_body(struct qsv_message *m, const struct qsv_message_sizes *sizes,
                                struct qsv_cursor *in, struct qsv_error *err)
{
    switch (m->type) {
    case QSV_MESSAGE_HELLO:
        get_hello(&m->u.hello, in);
        return QSV_OK;
    case QSV_MESSAGE_WELCOME:
        get_identity(&m->u.welcome, in);
        return QSV_OK;
    case QSV_MESSAGE_TASK:
        return qsv_task_unpack(&m->u.task, sizes->shape.n_layers, sizes->n_shards, in, err);
    case QSV_MESSAGE_DONE:
        return get_done(&m->u.done, &sizes->shape, in, err);
    case QSV_MESSAGE_FAILED:
        get_failed(&m->u.failed, in);
        return QSV_OK;
    case QSV_MESSAGE_BYE:
        m->u.bye.layer_forwards_asked = qsv_cursor_u64(in);
        m->u.bye.layer_forwards_done = qsv_cursor_u64(in);
        return QSV_OK;
    case QSV_MESSAGE_STOP:
    case QSV_MESSAGE_ALIVE:
        return QSV_OK;
    }
    return qsv_fail(err, QSV_EFAILED, "a message is of no known type");
}

static enum qsv_status fail_foreign(uint32_t magic, struct qsv_cursor *in, struct qsv_error *err)
{
    struct qsv_hello h;
    if (magic == MAGIC && qsv_cursor_u32(in) == QSV_MESSAGE_HELLO) {
        get_introduction(&h, in);
        if (!in->failed)
            return qsv_fail(err, QSV_EIDENTITY,
                            "qsvit %s (%s) on %s is too far from rank 0's: install the same "
                            "program on all hosts",
                            h.version, h.commit, h.host);
    }
    return qsv_fail(err, QSV_EFAILED, "a message is of another program or version");
}

enum qsv_status qsv_message_unpack(struct qsv_message *m, const struct qsv_message_sizes *sizes,
                                   const void *data, size_t bytes, struct qsv_error *err)
{
    struct qsv_cursor in = qsv_cursor_over(data, bytes);
    *m = (struct qsv_message){0};
    uint32_t magic = qsv_cursor_u32(&in), version = qsv_cursor_u32(&in);
    if (magic != MAGIC || version != WIRE_VERSION)
        return fail_foreign(magic, &in, err);
    m->type = (enum qsv_message_type)qsv_cursor_u32(&in);
    enum qsv_status st = get_body(m, sizes, &in, err);
    if (!st && (in.failed || qsv_cursor_left(&in)))
        st = qsv_fail(err, QSV_EFAILED, "a message is %s", in.failed ? "cut short" : "too long");
    if (st)
        qsv_message_fini(m);
    return st;
}

enum qsv_status qsv_message_send(struct qsv_transport *t, int to, const struct qsv_message *m,
                                 const struct qsv_message_sizes *sizes, struct qsv_error *err)
{
    struct qsv_strbuf bytes = {0};
    qsv_message_pack(m, sizes, &bytes);
    return t->send(t, to, &bytes, err);
}
