/* What benchmarks of kernels and models print: tables for people, JSON for programs. */
#ifndef QSV_BENCH_REPORT_H
#define QSV_BENCH_REPORT_H

#include "core/base/strbuf.h"
#include "runner/bench/bench_kernels.h"
#include "runner/bench/bench_models.h"

void qsv_bench_kernels_table(struct qsv_strbuf *out, const struct qsv_bench_kernels *k,
                             const struct qsv_bench_kernels_setup *setup);
void qsv_bench_kernels_json(struct qsv_strbuf *out, const struct qsv_bench_kernels *k,
                            const struct qsv_bench_kernels_setup *setup);

/* b [setup->n_formats] */
void qsv_bench_models_table(struct qsv_strbuf *out, const struct qsv_bench_model *b,
                            const struct qsv_bench_models_setup *setup);
void qsv_bench_models_json(struct qsv_strbuf *out, const struct qsv_bench_model *b,
                           const struct qsv_bench_models_setup *setup);

void qsv_bench_trie_table(struct qsv_strbuf *out, const struct qsv_bench_trie *t,
                          const struct qsv_bench_models_setup *setup);
void qsv_bench_trie_json(struct qsv_strbuf *out, const struct qsv_bench_trie *t,
                         const struct qsv_bench_models_setup *setup);

#endif
