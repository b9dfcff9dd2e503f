/* A worker that does nothing but answer: each task is reported at once, with records of zeros. What
 * is left is the cost of handing out tasks.
 */
#ifndef QSV_IDLER_H
#define QSV_IDLER_H

#include <stdbool.h>

#include "runner/transport/message.h"
#include "runner/base/pace.h"

struct qsv_idler {
    struct qsv_transport *transport;
    const struct qsv_message_sizes *sizes;
    uint32_t shard_images;
    double pair_seconds; /* what it claims each pair took, so that tasks are of a known length */
    bool done;           /* it was told to stop */
};

enum qsv_status qsv_idler_hello(struct qsv_idler *i, const struct qsv_hello *hello,
                                struct qsv_error *err);
/* Answers one message, if there is one. */
enum qsv_status qsv_idler_step(struct qsv_idler *i, bool *idle, struct qsv_error *err);
/* Steps until it is told to stop; naps while idle. */
enum qsv_status qsv_idler_run(struct qsv_idler *i, const struct qsv_clock *clock,
                              struct qsv_error *err);

#endif
