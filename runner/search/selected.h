/* Step 4: the selected network as a file, RUN/selected.h5, read back and run again on all judging
 * images. What it does there must equal the trial's records in every figure.
 */
#ifndef QSV_SELECTED_H
#define QSV_SELECTED_H

#include "jobs/strategy.h"
#include "runner/search/evaluator.h"
#include "runner/inputs/inputs.h"

/* RUN/selected.h5; the caller frees; NULL: out of memory. */
char *qsv_selected_path(const char *run_folder);

/* Writes, runs and compares, unless RUN/selected.verified says that this very file was found equal
 * before. QSV_EFAILED where a figure differs. */
enum qsv_status qsv_selected_make(const struct qsv_inputs *in, struct qsv_run_evaluator *evaluator,
                                  const char *run_folder, const struct qsv_selection *selection,
                                  struct qsv_error *err);

#endif
