/* Ledgers and their files. results.h5 holds a whole ledger; a segment holds records and the
 * settings of their trials, in the same tables. docs/results.md describes both.
 */
#ifndef QSV_LEDGER_FILE_H
#define QSV_LEDGER_FILE_H

#include "core/h5_image.h"
#include "results/figures.h"
#include "results/layout.h"
#include "results/view.h"

/* Writes the whole ledger (which must have arrays), atomically and durably. */
enum qsv_status qsv_ledger_write(const struct qsv_ledger *l, const char *path,
                                 struct qsv_error *err);

/* Writes a segment in the same way: evaluations and their trials; `l` gives the description only.
 */
enum qsv_status qsv_ledger_write_segment(const struct qsv_ledger *l, const char *path,
                                         const struct qsv_evaluation *evaluations, size_t n,
                                         const struct qsv_trial_row *trials, size_t n_trials,
                                         struct qsv_error *err);

/* Fills a zeroed ledger from results.h5, description and all. QSV_EINPUT where it is damaged, no
 * results file, or of another schema version. */
enum qsv_status qsv_ledger_read(struct qsv_ledger *l, const char *path, bool with_arrays,
                                struct qsv_error *err);

/* Adds what results.h5 holds to a ledger that is described already; then l->run_id and
 * created_unix_s are the file's. QSV_EIDENTITY where the file is of another identity, QSV_EINPUT
 * where it is damaged: the ledger then holds a part of it and is good for nothing but
 * qsv_ledger_fini. */
enum qsv_status qsv_ledger_read_into(struct qsv_ledger *l, const char *path, struct qsv_error *err);

/* Adds what a segment holds. Where it is damaged or of another identity nothing is added. */
enum qsv_status qsv_ledger_read_segment(struct qsv_ledger *l, const char *path,
                                        struct qsv_error *err);

/* Below: parts that reading and writing share. */

/* The attributes of the root group. */
enum qsv_status qsv_head_write(hid_t file, const struct qsv_ledger *l, struct qsv_error *err);
/* Only the head's fields of *l are filled. */
enum qsv_status qsv_head_read(hid_t file, struct qsv_ledger *l, struct qsv_error *err);
enum qsv_status qsv_head_compare(const struct qsv_ledger *mine, const struct qsv_ledger *file,
                                 struct qsv_error *err);

/* Arrays of records, rows of datasets in `group`; qsv_records_read gives rows [n] that have scalars
 * only their arrays (the answers still empty). Free rows with qsv_records_free. */
enum qsv_status qsv_records_write(hid_t group, const struct qsv_record_shape *shape,
                                  const struct qsv_evaluation *rows, size_t n,
                                  struct qsv_error *err);
enum qsv_status qsv_records_read(hid_t group, const struct qsv_ledger *l,
                                 struct qsv_evaluation *rows, size_t n, size_t max_bytes,
                                 struct qsv_error *err);
void qsv_records_free(struct qsv_evaluation *rows, size_t n);

/* Settings: u8 [trial][layer]. rows [n] need formats. */
enum qsv_status qsv_settings_write(hid_t file, const struct qsv_ledger *l,
                                   const struct qsv_trial_file_row *rows, size_t n, bool described,
                                   struct qsv_error *err);
/* Reads trials and settings and makes them known to the ledger; numbers, steps and descriptions of
 * new ones are taken over. *ids (may be NULL) become the trials' ids in the file's order, newly
 * allocated [*n]. */
enum qsv_status qsv_trials_read(hid_t file, struct qsv_ledger *l, size_t max_bytes, uint64_t **ids,
                                size_t *n, struct qsv_error *err);

/* A trial's row from its figures on one set. */
void qsv_trial_derive(struct qsv_trial_file_row *row, const struct qsv_ledger *l,
                      const struct qsv_trial_row *trial, const struct qsv_figures figures[2],
                      enum qsv_image_set set);

/* What of a results file follows from the rest, for people: /trials with figures, /firing_rates,
 * /drift and the sums they come from. */
enum qsv_status qsv_derived_write(hid_t file, const struct qsv_view *v, struct qsv_error *err);

/* Commits a file that was written with status st, or drops it; the first error. */
enum qsv_status qsv_ledger_finish(struct qsv_h5_image *image, const char *path, enum qsv_status st,
                                  struct qsv_error *err);

/* Bytes that a dataset of this file can hold at most, given deflate's best ratio. */
size_t qsv_file_max_bytes(hid_t file);

#endif
