/* What a run prints at its end: baseline, sensitivity, base settings, what was selected and what
 * that saves, beside the paper's figures; where the files are and what to try next.
 */
#ifndef QSV_SUMMARY_H
#define QSV_SUMMARY_H

#include "core/base/strbuf.h"
#include "jobs/strategy.h"
#include "runner/coordinator/coordinator.h"

struct qsv_summary {
    const struct qsv_spec *spec;
    const struct qsv_space *space;
    const struct qsv_selection *selection;
    const char *run_folder;
    const char *exported;    /* path of the selected network; NULL: nothing was selected */
    double seconds;          /* of this attempt */
    uint64_t n_records;      /* in the run */
    const uint64_t *skipped; /* [qsv_image_set]: images that were left out */
    struct qsv_tally tally;  /* of this attempt */
    const struct qsv_search_cost *cost; /* of the search, in all attempts; NULL: not known */
};

void qsv_summary_print(struct qsv_strbuf *out, const struct qsv_summary *s);

#endif
