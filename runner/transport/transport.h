/* How ranks talk: whole messages between numbered ranks, in order between any two. Nothing blocks.
 *
 * Two implementations: MPI (runner/transport/transport_mpi.h) and queues within one process
 * (runner/transport/transport_loop.h), for a run of one rank and for tests. Rank 0 coordinates.
 */
#ifndef QSV_TRANSPORT_H
#define QSV_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/strbuf.h"

struct qsv_parcel { /* a message that arrived */
    int from;
    uint8_t *data; /* the receiver's to free; NULL: none arrived */
    size_t bytes;
};

struct qsv_transport {
    int rank, size;
    void *context;
    /* Takes over the buffer, which is empty afterwards, also on failure. */
    enum qsv_status (*send)(struct qsv_transport *t, int to, struct qsv_strbuf *message,
                            struct qsv_error *err);
    enum qsv_status (*poll)(struct qsv_transport *t, struct qsv_parcel *out, struct qsv_error *err);
};

#endif
