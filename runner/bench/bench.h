/* How fast the coordinator hands out tasks: the real one, with workers that do nothing.
 *
 * Tasks are one (trial, shard) pair each, their records as large as those of the largest published
 * network; the cost includes packing, unpacking and checking both messages on both sides.
 */
#ifndef QSV_BENCH_H
#define QSV_BENCH_H

#include "core/base/error.h"
#include "runner/transport/transport.h"

struct qsv_bench {
    int ranks; /* workers, and the coordinator */
    uint64_t n_tasks;
    double seconds;
    uint64_t grown_bytes; /* by how much the process's largest size grew over the second half */
};

/* Within this process. */
enum qsv_status qsv_bench_loop(struct qsv_bench *out, uint32_t n_workers, uint64_t n_tasks,
                               struct qsv_error *err);
/* One rank's part; *out is filled on rank 0. */
enum qsv_status qsv_bench_rank(struct qsv_bench *out, struct qsv_transport *t, uint64_t n_tasks,
                               struct qsv_error *err);

#endif
