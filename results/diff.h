/* In what two runs differ.
 *
 * Compared exactly: the parts of the identity, images and shards, layers, trials and their
 * settings, every record (all fields but attempt, rank, wall_s, t_end_unix_s and peak_mem_bytes;
 * the arrays and the top-1 answers too), the baseline's answers, searches with their steps and
 * selection, and whether the runs are complete. Energy is compared only where both runs have the
 * same constants. The specs' texts are compared line by line and listed, but two runs whose specs
 * differ only in what steers nothing (the run's folder, ranks) can still have equal results.
 */
#ifndef QSV_DIFF_H
#define QSV_DIFF_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/strbuf.h"

struct qsv_diff {
    uint64_t identity, spec, selection, trials, steps, records; /* differences of each kind */
    bool equal;                                                 /* none of any kind but spec */
};

/* Appends a readable listing to *report (may be NULL): at most a few dozen lines a kind. `warnings`
 * as in qsv_reader_open. */
enum qsv_status qsv_diff_run(struct qsv_diff *out, const char *path_a, const char *path_b,
                             struct qsv_strbuf *report, struct qsv_strbuf *warnings,
                             struct qsv_error *err);

#endif
