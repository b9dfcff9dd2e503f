/* Reading a run: results.h5 and segments put together, while the run goes on or after it. No model
 * file is needed: what a reader wants of the model (layer names, shapes, weights) is in results.h5.
 *
 * A reader never changes, locks or sets aside anything. It sees the run as it was when it was
 * opened; what is committed later needs another opening.
 */
#ifndef QSV_READER_H
#define QSV_READER_H

#include <stdbool.h>

#include "core/base/error.h"
#include "core/base/strbuf.h"
#include "results/figures.h"
#include "results/run.h"

struct qsv_reader;
struct qsv_ledger;
struct qsv_view;

struct qsv_reader_trial {
    uint64_t id, parent; /* parent 0: none */
    uint32_t number;     /* order in which the run asked for it, from 1; 0: a live run's, not known
                            yet */
    const char *step, *description;
    const uint8_t *formats; /* [layers] */
    bool is_baseline, is_selected;
    struct qsv_bytes bytes;
    double weights_saved, model_saved; /* per cent below f32 */
    struct qsv_figures figures[2];     /* by enum qsv_image_set */
    /* The set whose figures speak for the trial: the judging images where all of them are measured,
     * or at least as many as of the deciding ones; else the deciding ones. */
    enum qsv_image_set shown;
};

/* path: the run's folder, or a results.h5 (then without segments). with_arrays: records with their
 * arrays, for comparing runs; figures need none. QSV_EINPUT for anything that is not a run, or is
 * damaged; QSV_EIDENTITY where it is of a schema version that is not known. A damaged segment is
 * left out, with a line in *warnings (may be NULL). */
enum qsv_status qsv_reader_open(struct qsv_reader **out, const char *path, bool with_arrays,
                                struct qsv_strbuf *warnings, struct qsv_error *err);
void qsv_reader_close(struct qsv_reader *r);

/* By rising number, unnumbered ones last, by id. */
size_t qsv_reader_trial_count(const struct qsv_reader *r);
const struct qsv_reader_trial *qsv_reader_trial(const struct qsv_reader *r, size_t i);

/* key: "best" (what the run's last search selected), "baseline", or the first digits of an id, as
 * many as make it unique. QSV_EINPUT where there is none, or several. */
enum qsv_status qsv_reader_find(const struct qsv_reader *r, const char *key,
                                const struct qsv_reader_trial **out, struct qsv_error *err);

const char *qsv_reader_path(const struct qsv_reader *r);
const char *qsv_reader_run_id(const struct qsv_reader *r);
const struct qsv_identity *qsv_reader_identity(const struct qsv_reader *r);
bool qsv_reader_complete(const struct qsv_reader *r);
size_t qsv_reader_record_count(const struct qsv_reader *r);
/* The spec text of the last search; NULL before the first. */
const char *qsv_reader_spec(const struct qsv_reader *r);

/* The layers' names, as far as qsv_setting_print and qsv_pins_apply need a graph: n_layers, and a
 * name each. Owned by the reader. */
const struct qsv_graph *qsv_reader_graph(const struct qsv_reader *r);

/* All tables (results/ledger.h), and them in order (results/view.h): trials as above. */
const struct qsv_ledger *qsv_reader_ledger(const struct qsv_reader *r);
const struct qsv_view *qsv_reader_view(const struct qsv_reader *r);

#endif
