#include "results/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "results/folder.h"
#include "results/ledger_file.h"
#include "results/view.h"

/* How often a run may fold its segments under a reader's hands before the reader gives up. It waits
 * longer each time, 2 s in all: segments that were folded go one by one. */
enum { TRIES = 20 };
static const double WAIT_S = 0.01;

struct qsv_reader {
    char *path;
    struct qsv_ledger ledger;
    struct qsv_view view;
    struct qsv_reader_trial *trials; /* [ledger.n_trials] */
    struct qsv_graph graph;
    char run_id[17];
};

void qsv_reader_close(struct qsv_reader *r)
{
    if (!r)
        return;
    free(r->trials);
    free(r->graph.layers); /* the names are the ledger's */
    qsv_view_fini(&r->view);
    qsv_ledger_fini(&r->ledger);
    free(r->path);
    free(r);
}

static enum qsv_status read_segment(struct qsv_ledger *l, const char *folder, const char *name,
                                    struct qsv_strbuf *warnings, bool *vanished,
                                    struct qsv_error *err)
{
    struct qsv_error why;
    char *path = qsv_folder_segment(folder, name);
    if (!path)
        return qsv_fail_memory(err, "a segment");
    enum qsv_status st = qsv_ledger_read_segment(l, path, &why);
    *vanished = st && access(path, F_OK) < 0;
    free(path);
    if (st && st != QSV_EINPUT && st != QSV_EIDENTITY)
        return qsv_fail(err, st, "%s", why.text);
    if (st && !*vanished && warnings)
        qsv_strbuf_printf(warnings, "%s; left out\n", why.text);
    return QSV_OK;
}

/* Segments are listed before results.h5 is read: what is folded in between is in results.h5, and a
 * segment that is gone when its turn comes tells that results.h5 has a successor. */
static enum qsv_status read_once(struct qsv_ledger *l, const char *folder, bool with_arrays,
                                 struct qsv_strbuf *warnings, bool *vanished, struct qsv_error *err)
{
    struct qsv_names names = {0};
    char *results = qsv_folder_results(folder);
    *vanished = false;
    enum qsv_status st =
        results ? qsv_folder_list(folder, &names, err) : qsv_fail_memory(err, folder);
    if (!st)
        st = qsv_ledger_read(l, results, with_arrays, err);
    for (size_t i = 0; i < names.n && !st && !*vanished; i++)
        st = read_segment(l, folder, names.v[i], warnings, vanished, err);
    qsv_names_fini(&names);
    free(results);
    return st;
}

static enum qsv_status read_folder(struct qsv_ledger *l, const char *folder, bool with_arrays,
                                   struct qsv_strbuf *warnings, struct qsv_error *err)
{
    for (int i = 0; i < TRIES; i++) {
        bool vanished;
        struct qsv_strbuf now = {0};
        enum qsv_status st = read_once(l, folder, with_arrays, &now, &vanished, err);
        if (!vanished && warnings && now.len)
            qsv_strbuf_puts(warnings, now.text);
        qsv_strbuf_fini(&now);
        if (st || !vanished)
            return st;
        qsv_ledger_fini(l);
        qsv_clock_nap_s(i * WAIT_S);
    }
    return qsv_fail(err, QSV_EIO, "%s: changes faster than it can be read", folder);
}

static enum qsv_status read_run(struct qsv_reader *r, bool with_arrays, struct qsv_strbuf *warnings,
                                struct qsv_error *err)
{
    struct stat s;
    if (stat(r->path, &s) < 0 && errno == ENOENT)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: no such run; expected its folder (run: in the spec) or its results.h5",
                        r->path);
    if (stat(r->path, &s) == 0 && S_ISDIR(s.st_mode))
        return read_folder(&r->ledger, r->path, with_arrays, warnings, err);
    return qsv_ledger_read(&r->ledger, r->path, with_arrays, err);
}

static void fill_trial(struct qsv_reader_trial *out, const struct qsv_ledger *l,
                       const struct qsv_view_trial *t)
{
    const struct qsv_recorded_search *search = qsv_ledger_search(l);
    const struct qsv_trial_row *row = t->row;
    *out = (struct qsv_reader_trial){
        .id = row->id,
        .parent = row->parent,
        .number = row->number,
        .step = row->step ? row->step : "",
        .description = row->description ? row->description : "",
        .formats = row->formats,
        .is_baseline = row->id == l->baseline,
        .is_selected = search && row->id == search->row.selected,
        .bytes = row->bytes,
        .weights_saved = qsv_saved((double)row->bytes.weights_bytes, (double)l->f32.weights_bytes),
        .model_saved = qsv_saved((double)row->bytes.model_bytes, (double)l->f32.model_bytes),
    };
    qsv_figures_compute(out->figures, l, t);
    out->shown = qsv_figures_shown(out->figures);
}

static enum qsv_status fill_trials(struct qsv_reader *r, struct qsv_error *err)
{
    const struct qsv_ledger *l = &r->ledger;
    r->trials = qsv_alloc(l->n_trials, sizeof *r->trials);
    if (!r->trials)
        return qsv_fail_memory(err, "trials");
    for (size_t i = 0; i < l->n_trials; i++)
        fill_trial(&r->trials[i], l, &r->view.trials[i]);
    return QSV_OK;
}

static enum qsv_status make_graph(struct qsv_reader *r, struct qsv_error *err)
{
    uint32_t n = r->ledger.shape.n_layers;
    r->graph.layers = qsv_alloc(n, sizeof *r->graph.layers);
    if (!r->graph.layers)
        return qsv_fail_memory(err, "layers");
    r->graph.n_layers = n;
    for (uint32_t i = 0; i < n; i++) {
        r->graph.layers[i].name = r->ledger.layers[i].name;
        r->graph.layers[i].n_weights = r->ledger.layers[i].n_weights;
        r->graph.n_weights += r->ledger.layers[i].n_weights;
    }
    return QSV_OK;
}

enum qsv_status qsv_reader_open(struct qsv_reader **out, const char *path, bool with_arrays,
                                struct qsv_strbuf *warnings, struct qsv_error *err)
{
    struct qsv_reader *r = qsv_alloc(1, sizeof *r);
    *out = NULL;
    if (!r || !(r->path = qsv_strdup(path))) {
        free(r);
        return qsv_fail_memory(err, "a reader");
    }
    enum qsv_status st = read_run(r, with_arrays, warnings, err);
    if (!st)
        st = qsv_view_init(&r->view, &r->ledger, err);
    if (!st)
        st = fill_trials(r, err);
    if (!st)
        st = make_graph(r, err);
    snprintf(r->run_id, sizeof r->run_id, "%016" PRIx64, r->ledger.run_id);
    if (st)
        qsv_reader_close(r);
    else
        *out = r;
    return st;
}

size_t qsv_reader_trial_count(const struct qsv_reader *r)
{
    return r->ledger.n_trials;
}

const struct qsv_reader_trial *qsv_reader_trial(const struct qsv_reader *r, size_t i)
{
    return &r->trials[i];
}

static enum qsv_status find_best(const struct qsv_reader *r, const struct qsv_reader_trial **out,
                                 struct qsv_error *err)
{
    for (size_t i = 0; i < r->ledger.n_trials; i++)
        if (r->trials[i].is_selected)
            *out = &r->trials[i];
    if (*out)
        return QSV_OK;
    return qsv_fail(err, QSV_EINPUT, "%s: %s", r->path,
                    r->ledger.current_search ? "its last search has not selected anything yet"
                                             : "no search was run in it");
}

static enum qsv_status find_by_id(const struct qsv_reader *r, const char *key,
                                  const struct qsv_reader_trial **out, struct qsv_error *err)
{
    char id[17];
    size_t n = strlen(key), found = 0;
    for (size_t i = 0; i < r->ledger.n_trials && n; i++) {
        snprintf(id, sizeof id, "%016" PRIx64, r->trials[i].id);
        if (strncasecmp(id, key, n))
            continue;
        *out = &r->trials[i];
        found++;
    }
    if (found == 1)
        return QSV_OK;
    *out = NULL;
    if (found)
        return qsv_fail(err, QSV_EINPUT, "%s: %zu trials have ids that begin with '%s'", r->path,
                        found, key);
    return qsv_fail(err, QSV_EINPUT,
                    "%s: no trial '%s'; expected 'best', 'baseline', or the first digits of an id",
                    r->path, key);
}

enum qsv_status qsv_reader_find(const struct qsv_reader *r, const char *key,
                                const struct qsv_reader_trial **out, struct qsv_error *err)
{
    *out = NULL;
    if (!strcmp(key, "best"))
        return find_best(r, out, err);
    if (strcmp(key, "baseline"))
        return find_by_id(r, key, out, err);
    for (size_t i = 0; i < r->ledger.n_trials; i++)
        if (r->trials[i].is_baseline)
            *out = &r->trials[i];
    return *out ? QSV_OK
                : qsv_fail(err, QSV_EINPUT, "%s: the baseline is not recorded yet", r->path);
}

const char *qsv_reader_path(const struct qsv_reader *r)
{
    return r->path;
}

const char *qsv_reader_run_id(const struct qsv_reader *r)
{
    return r->run_id;
}

const struct qsv_identity *qsv_reader_identity(const struct qsv_reader *r)
{
    return &r->ledger.identity;
}

bool qsv_reader_complete(const struct qsv_reader *r)
{
    return r->ledger.complete;
}

size_t qsv_reader_record_count(const struct qsv_reader *r)
{
    return r->ledger.n_evaluations;
}

const char *qsv_reader_spec(const struct qsv_reader *r)
{
    const struct qsv_recorded_search *search = qsv_ledger_search(&r->ledger);
    return search ? search->row.spec : NULL;
}

const struct qsv_graph *qsv_reader_graph(const struct qsv_reader *r)
{
    return &r->graph;
}

const struct qsv_ledger *qsv_reader_ledger(const struct qsv_reader *r)
{
    return &r->ledger;
}

const struct qsv_view *qsv_reader_view(const struct qsv_reader *r)
{
    return &r->view;
}
