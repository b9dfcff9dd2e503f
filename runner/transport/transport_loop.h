/* Ranks within one process: queues of messages, delivered in the order they were sent. */
#ifndef QSV_TRANSPORT_LOOP_H
#define QSV_TRANSPORT_LOOP_H

#include <stdbool.h>

#include "runner/transport/transport.h"

struct qsv_loop;

enum qsv_status qsv_loop_create(struct qsv_loop **out, int size, struct qsv_error *err);
/* Messages not received are dropped. */
void qsv_loop_destroy(struct qsv_loop *loop);

/* Rank's end, the loop's own. */
struct qsv_transport *qsv_loop_end(struct qsv_loop *loop, int rank);

/* Gives a rank's work to whoever waits for it: when rank 0 polls and nothing is there, the step of
 * each attached rank is called in turn, until one leaves a message for rank 0. A step that fails
 * fails the poll. */
typedef enum qsv_status qsv_loop_step(void *context, struct qsv_error *err);
void qsv_loop_attach(struct qsv_loop *loop, int rank, qsv_loop_step *step, void *context);

#endif
