/* What was in a damaged file: the records that it held, as far as its table of them can be read.
 */
#ifndef QSV_SALVAGE_H
#define QSV_SALVAGE_H

#include <stdint.h>

#include "results/ledger.h"

enum { QSV_SALVAGE_PAIRS = 56 };

struct qsv_salvage {
    uint64_t n; /* records; pairs holds the first of them */
    struct {
        uint64_t trial_id, shard;
    } pairs[QSV_SALVAGE_PAIRS];
};

/* Reads results.h5 or a segment in a child process, where libhdf5 may crash. Nothing of it is for
 * use, because it does not match its seal. QSV_EINPUT where it can't be read. */
enum qsv_status qsv_salvage_read(struct qsv_salvage *out, const char *path, struct qsv_error *err);

/* Appends a line that says what must be evaluated again because of a damaged file: what it held and
 * the ledger (NULL: none) does not. */
void qsv_salvage_describe(const char *path, const struct qsv_ledger *l, struct qsv_strbuf *out);

#endif
