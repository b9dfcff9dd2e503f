/* Checking a run's files, and putting damaged ones aside. Neither needs the model or the images.
 */
#ifndef QSV_VERIFY_H
#define QSV_VERIFY_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/base/strbuf.h"
#include "results/ledger.h"

/* Reads results.h5, every segment and the selected network completely: seals, checksums of
 * datasets, whether records fit the run and each other, whether selected.h5 is the file whose
 * figures were compared with the records. Changes nothing; works while a run goes on. Appends lines
 * of text for people; *n_damaged counts files. QSV_EINPUT where the folder holds no run. */
enum qsv_status qsv_verify_run(size_t *n_damaged, const char *run_folder, struct qsv_strbuf *text,
                               struct qsv_error *err);

/* Sets damaged files aside (<name>.damaged), folds what is good into results.h5, removes what
 * killed writers left behind and the lock of a process that is gone; with `unlock`, also a lock
 * whose holder can't be looked at from here. Says what it did and what will be evaluated again.
 * QSV_EIDENTITY where a process holds the run. */
enum qsv_status qsv_repair_run(const char *run_folder, bool unlock, struct qsv_strbuf *text,
                               struct qsv_error *err);

/* RUN/selected.h5 against its seal and RUN/selected.verified, and that against the ledger (NULL:
 * it can't be read). *there: there is one, or there must be. QSV_EINPUT: *why says what is wrong.
 */
enum qsv_status qsv_verify_selected(const char *run_folder, const struct qsv_ledger *l, bool *there,
                                    struct qsv_error *why);

/* QSV_EINPUT where the folder holds neither results nor segments. */
enum qsv_status qsv_verify_is_run(const char *run_folder, struct qsv_error *err);

#endif
