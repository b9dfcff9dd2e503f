/* Handing a process's standard output and error to rank 0, past the launcher in between.
 *
 * mpirun puts pipes and pseudo-terminals between a rank and what the user sees: rank 0 can't tell a
 * terminal from a log file, and never learns that a disk is full. So `qsvit run` keeps a socket
 * open on which rank 0 fetches the real descriptors. The socket has a name of its own in the
 * kernel's abstract namespace, no file, and serves one process of the same user.
 */
#ifndef QSV_HANDOVER_H
#define QSV_HANDOVER_H

#include <stdbool.h>

#define QSV_HANDOVER_VARIABLE "QSV_OUTPUT" /* environment: the socket's name */

struct qsv_handover {
    int fd;        /* -1: closed, because it has served or could not be opened */
    char name[16]; /* "" where it could not be opened: then there is no handing over */
    bool taken;    /* rank 0 has what it came for */
};

void qsv_handover_open(struct qsv_handover *h);
void qsv_handover_close(struct qsv_handover *h);
/* To be called when fd is readable. Sends descriptors `out` and `err`, and closes. */
void qsv_handover_serve(struct qsv_handover *h, int out, int err);

/* The other side: makes the descriptors that the socket `name` offers 1 and 2. False where there is
 * nothing to be had; nothing is changed then. */
bool qsv_handover_take(const char *name);

#endif
