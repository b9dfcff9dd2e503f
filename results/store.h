/* The store of one run: all its records in memory, and their files: RUN/results.h5 (everything
 * folded so far) and RUN/segments/ (not yet folded). Only the coordinator opens it for writing; one
 * writer a run, by RUN/lock.
 *
 * Readers (query, status, diff, export) use results/reader.h, which needs no model and no lock and
 * works while a run goes on.
 */
#ifndef QSV_STORE_H
#define QSV_STORE_H

#include <stdbool.h>

#include "jobs/evaluator.h"
#include "results/run.h"
#include "results/segment.h"

struct qsv_store;
struct qsv_search_cost;

/* Creates the folder where missing, takes the lock (QSV_EIDENTITY says who holds it: host, pid; a
 * lock of a dead process of this host is taken over), reads results.h5 and every segment, and
 * compares identities (QSV_EIDENTITY). The same (trial, shard) twice counts once. A file that is
 * damaged is set aside as <name>.damaged with a line in *warnings (may be NULL), and only what was
 * in it is evaluated again. run outlives the store. */
enum qsv_status qsv_store_open(struct qsv_store **out, const char *run_folder,
                               const struct qsv_run *run, struct qsv_strbuf *warnings,
                               struct qsv_error *err);

/* Folds what is not folded yet, ends the attempt with the reason ("complete", "stopped", the
 * error's text), releases the lock. */
enum qsv_status qsv_store_close(struct qsv_store *s, bool complete, const char *why,
                                struct qsv_error *err);
/* Releases the lock and memory without writing. */
void qsv_store_abandon(struct qsv_store *s);

/* This opening's number, from 1: part of segment names. */
uint32_t qsv_store_attempt(const struct qsv_store *s);

/* NULL where it is not recorded. Valid until the store is closed. */
const struct qsv_record *qsv_store_find(const struct qsv_store *s, uint64_t trial_id,
                                        uint32_t shard);
size_t qsv_store_record_count(const struct qsv_store *s);

/* Takes over a record (moved out of *r) that a worker reported as recorded in segment `segment`. A
 * (trial, shard) that is there already is dropped. Its trial must be known (qsv_store_add_trial).
 * A fold deletes the segments that are known: add all records of one before the next fold, or name
 * it ("" before) only with the last of them. QSV_EINPUT, *r
 * untouched, where it does not fit the run. */
enum qsv_status qsv_store_add(struct qsv_store *s, struct qsv_record *r, const char *segment,
                              struct qsv_error *err);

/* Makes a trial known (its formats are copied); the first call's parent, step and description stay,
 * and trials are numbered by their first call. Also notes that the search in progress asked for the
 * trial in this step, under this description (for the sensitivity table). */
enum qsv_status qsv_store_add_trial(struct qsv_store *s, const struct qsv_trial *trial,
                                    uint64_t trial_id, const char *step, struct qsv_error *err);

/* Starts a search in this run: `spec` text and the strategy's name. Where the run has a search with
 * the same search_id (hash of what steers) already, its steps are replaced one by one as they are
 * noted again, which is how a resumed search neither lists a step twice nor ever lists fewer. */
enum qsv_status qsv_store_begin_search(struct qsv_store *s, uint64_t search_id,
                                       const char *strategy, const char *spec_text,
                                       struct qsv_error *err);
enum qsv_status qsv_store_add_step(struct qsv_store *s, const struct qsv_step *step,
                                   struct qsv_error *err);
/* The outcome of the search in progress: trial, whether it meets the constraint. */
enum qsv_status qsv_store_select(struct qsv_store *s, uint64_t trial_id, bool meets,
                                 struct qsv_error *err);
/* What that search has cost; nothing happens before the first. */
void qsv_store_note_cost(struct qsv_store *s, const struct qsv_search_cost *cost);

/* Layers x networks x images of this attempt: asked for, and done after what trials share. Written
 * by the next fold. */
void qsv_store_note_work(struct qsv_store *s, uint64_t layer_forwards_asked,
                         uint64_t layer_forwards_done);
/* Seconds of all workers of this attempt in evaluating, and those in which they waited for images.
 */
void qsv_store_note_waiting(struct qsv_store *s, double worked_s, double waited_s);

/* Writes all as a new results.h5 (aside, then renamed) and deletes the segments that are in it. */
enum qsv_status qsv_store_fold(struct qsv_store *s, struct qsv_error *err);
/* To be called often. Keeps the lock fresh; QSV_EIDENTITY where the run was taken over. Folds when
 * it is worth it: enough segments, and long enough after the last fold for its cost. */
enum qsv_status qsv_store_fold_if_due(struct qsv_store *s, struct qsv_error *err);

#endif
