/* Runs a piece of work in a forked child first, where a library that crashes, loops or allocates
 * without bound on a hostile file does no harm. libhdf5 1.10 is one: of files of 2 KB with one to
 * three changed bytes it crashes on one in 10,000.
 */
#ifndef QSV_SANDBOX_H
#define QSV_SANDBOX_H

#include <stddef.h>

#include "core/base/error.h"

struct qsv_sandbox_limits {
    size_t memory_bytes; /* more than the process has now */
    unsigned cpu_s;
};

/* Calls work(context, result, err) in a child and gives what it gave: status, error and the `bytes`
 * bytes at result (at most QSV_SANDBOX_RESULT, set to zero before); nothing else that work does is
 * seen here. What it prints is lost. Where the child crashes or passes a limit: QSV_EINPUT with a
 * line that begins with `name`, the file's. QSV_ESTOPPED where it was interrupted.
 *
 * The child only runs work and ends, so that a process that runs MPI may call this; the parent
 * waits.
 */
enum { QSV_SANDBOX_RESULT = 1024 };
typedef enum qsv_status qsv_sandbox_work(void *context, void *result, struct qsv_error *err);
enum qsv_status qsv_sandbox_run(qsv_sandbox_work *work, void *context, void *result, size_t bytes,
                                const struct qsv_sandbox_limits *limits, const char *name,
                                struct qsv_error *err);

#endif
