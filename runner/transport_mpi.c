#include "runner/transport_mpi.h"

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

struct mpi {
    struct qsv_transport transport;
    struct sending *sendings;
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

static enum qsv_status mpi_poll(struct qsv_transport *t, struct qsv_parcel *out,
                                struct qsv_error *err)
{
    struct mpi *m = t->context;
    *out = (struct qsv_parcel){-1, NULL, 0};
    free_sent(m);
    int found = 0, bytes = 0;
    MPI_Message message;
    MPI_Status status;
    int code = MPI_Improbe(MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &found, &message, &status);
    if (code)
        return fail_mpi(err, "look for messages", code);
    if (!found)
        return QSV_OK;
    MPI_Get_count(&status, MPI_BYTE, &bytes);
    uint8_t *data = qsv_alloc((size_t)bytes + 1, 1);
    if (!data)
        return qsv_fail_memory(err, "a message");
    code = MPI_Mrecv(data, bytes, MPI_BYTE, &message, &status);
    if (code) {
        free(data);
        return fail_mpi(err, "receive", code);
    }
    *out = (struct qsv_parcel){status.MPI_SOURCE, data, (size_t)bytes};
    return QSV_OK;
}

enum qsv_status qsv_mpi_begin(struct qsv_transport **out, struct qsv_error *err)
{
    *out = NULL;
    struct mpi *m = qsv_alloc(1, sizeof *m);
    if (!m)
        return qsv_fail_memory(err, "MPI");
    int code = MPI_Init(NULL, NULL);
    if (code) {
        free(m);
        return qsv_fail(err, QSV_EFAILED, "MPI cannot be started (error %d)", code);
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

bool qsv_mpi_end(struct qsv_transport *t, const struct qsv_clock *clock, double longest_s)
{
    struct mpi *m = t->context;
    double until_s = now_s(clock) + longest_s;
    struct qsv_wait w = {0};
    while (free_sent(m), m->sendings && now_s(clock) < until_s)
        qsv_wait_nap(&w, clock);
    if (m->sendings || !meet(clock, until_s))
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
