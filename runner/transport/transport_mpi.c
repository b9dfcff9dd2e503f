#include "runner/transport/transport_mpi.h"

#include <limits.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"

enum { TAG = 1 };

struct sending {
    struct sending *next;
    MPI_Request request;
    char *data; /* MPI reads it until the request is done */
};

/* A large message comes in pieces, and its sender may hang in between. */
struct receiving {
    struct receiving *next;
    MPI_Request request;
    struct qsv_parcel parcel;
};

struct mpi {
    struct qsv_transport transport;
    struct sending *sendings;
    struct receiving *receivings; /* in the order in which they began */
};

static enum qsv_status fail_mpi(struct qsv_error *err, const char *what, int code)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int n = 0;
    MPI_Error_string(code, text, &n);
    return qsv_fail(err, QSV_EFAILED, "MPI: cannot %s: %s", what, text);
}

static void free_sent(struct mpi *m)
{
    for (struct sending **p = &m->sendings; *p;) {
        struct sending *s = *p;
        int done = 0;
        MPI_Test(&s->request, &done, MPI_STATUS_IGNORE);
        if (done) {
            *p = s->next;
            free(s->data);
            free(s);
        } else {
            p = &s->next;
        }
    }
}

static enum qsv_status mpi_send(struct qsv_transport *t, int to, struct qsv_strbuf *message,
                                struct qsv_error *err)
{
    struct mpi *m = t->context;
    struct sending *s = message->failed ? NULL : qsv_alloc(1, sizeof *s);
    enum qsv_status st = s ? QSV_OK : qsv_fail_memory(err, "a message");
    if (!st && message->len > INT_MAX)
        st = qsv_fail(err, QSV_EFAILED, "MPI: a message of %zu bytes is more than %d", message->len,
                      INT_MAX);
    if (!st) {
        s->data = message->text;
        int code =
            MPI_Isend(s->data, (int)message->len, MPI_BYTE, to, TAG, MPI_COMM_WORLD, &s->request);
        st = code ? fail_mpi(err, "send", code) : QSV_OK;
    }
    if (st) {
        free(s);
        qsv_strbuf_fini(message);
        return st;
    }
    *message = (struct qsv_strbuf){0};
    s->next = m->sendings;
    m->sendings = s;
    free_sent(m);
    return QSV_OK;
}

/* Begins to receive what has been announced, if anything has. */
static enum qsv_status begin_receiving(struct mpi *m, struct qsv_error *err)
{
    int found = 0, bytes = 0;
    MPI_Message message;
    MPI_Status status;
    int code = MPI_Improbe(MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &found, &message, &status);
    if (code)
        return fail_mpi(err, "look for messages", code);
    if (!found)
        return QSV_OK;
    MPI_Get_count(&status, MPI_BYTE, &bytes);
    struct receiving *r = qsv_alloc(1, sizeof *r);
    uint8_t *data = r ? qsv_alloc((size_t)bytes + 1, 1) : NULL;
    if (!data) {
        free(r);
        return qsv_fail_memory(err, "a message");
    }
    r->parcel = (struct qsv_parcel){status.MPI_SOURCE, data, (size_t)bytes};
    code = MPI_Imrecv(data, bytes, MPI_BYTE, &message, &r->request);
    if (code) {
        free(data);
        free(r);
        return fail_mpi(err, "receive", code);
    }
    struct receiving **last = &m->receivings;
    while (*last)
        last = &(*last)->next;
    *last = r;
    return QSV_OK;
}

static bool is_first_of_rank(const struct mpi *m, const struct receiving *r)
{
    const struct receiving *p = m->receivings;
    while (p->parcel.from != r->parcel.from)
        p = p->next;
    return p == r;
}

/* The first message that is whole, of each rank in its order. */
static void take_received(struct mpi *m, struct qsv_parcel *out)
{
    for (struct receiving **p = &m->receivings; *p; p = &(*p)->next) {
        struct receiving *r = *p;
        int done = 0;
        if (!is_first_of_rank(m, r))
            continue;
        MPI_Test(&r->request, &done, MPI_STATUS_IGNORE);
        if (!done)
            continue;
        *out = r->parcel;
        *p = r->next;
        free(r);
        return;
    }
}

static enum qsv_status mpi_poll(struct qsv_transport *t, struct qsv_parcel *out,
                                struct qsv_error *err)
{
    struct mpi *m = t->context;
    *out = (struct qsv_parcel){-1, NULL, 0};
    free_sent(m);
    enum qsv_status st = begin_receiving(m, err);
    if (!st)
        take_received(m, out);
    return st;
}

enum qsv_status qsv_mpi_begin(struct qsv_transport **out, struct qsv_error *err)
{
    *out = NULL;
    struct mpi *m = qsv_alloc(1, sizeof *m);
    if (!m)
        return qsv_fail_memory(err, "MPI");
    int level = 0, code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
    if (code || level < MPI_THREAD_FUNNELED) {
        free(m);
        return qsv_fail(err, QSV_EFAILED, "MPI cannot be started (error %d, thread level %d)", code,
                        level);
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    m->transport = (struct qsv_transport){0, 0, m, mpi_send, mpi_poll};
    MPI_Comm_rank(MPI_COMM_WORLD, &m->transport.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &m->transport.size);
    *out = &m->transport;
    return QSV_OK;
}

static double now_s(const struct qsv_clock *clock)
{
    return clock->now_s(clock->context);
}

/* Naps until all ranks are in this call. MPI_Barrier would spin, and not end. */
static bool meet(const struct qsv_clock *clock, double until_s)
{
    MPI_Request request;
    int here = 0;
    struct qsv_wait w = {0};
    if (MPI_Ibarrier(MPI_COMM_WORLD, &request))
        return false;
    while (!MPI_Test(&request, &here, MPI_STATUS_IGNORE) && !here && now_s(clock) < until_s)
        qsv_wait_nap(&w, clock);
    return here;
}

/* Whether messages are still on their way. What comes now is not waited for by anybody. */
static bool is_busy(struct mpi *m)
{
    struct qsv_parcel p = {0};
    free_sent(m);
    take_received(m, &p);
    free(p.data);
    return m->sendings || m->receivings;
}

bool qsv_mpi_end(struct qsv_transport *t, const struct qsv_clock *clock, double longest_s)
{
    struct mpi *m = t->context;
    double until_s = now_s(clock) + longest_s;
    struct qsv_wait w = {0};
    while (is_busy(m) && now_s(clock) < until_s)
        qsv_wait_nap(&w, clock);
    if (is_busy(m) || !meet(clock, until_s))
        return false;
    MPI_Finalize();
    free(m);
    return true;
}

void qsv_mpi_abort(int exit_status)
{
    MPI_Abort(MPI_COMM_WORLD, exit_status);
    _exit(exit_status);
}

const char *qsv_mpi_library(void)
{
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int n = 0;
    MPI_Get_library_version(text, &n);
    text[strcspn(text, ",\n")] = '\0';
    return text;
}
