/* What benchmarks of kernels and models print: tables for people, JSON for programs. */
#ifndef QSV_BENCH_REPORT_H
#define QSV_BENCH_REPORT_H

#include "core/base/strbuf.h"
#include "runner/bench_kernels.h"

void qsv_bench_kernels_table(struct qsv_strbuf *out, const struct qsv_bench_kernels *k,
                             const struct qsv_bench_kernels_setup *setup);
void qsv_bench_kernels_json(struct qsv_strbuf *out, const struct qsv_bench_kernels *k,
                            const struct qsv_bench_kernels_setup *setup);

#endif
