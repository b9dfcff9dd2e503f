#include "results/verify.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/seal.h"
#include "results/folder.h"
#include "results/ledger_file.h"
#include "results/lock.h"
#include "results/salvage.h"

/* A check in progress. */
struct checking {
    const char *folder;
    struct qsv_ledger ledger;
    bool has_ledger; /* results.h5 is good */
    size_t n_damaged, n_segments, n_gone;
    struct qsv_strbuf *text;
};

enum qsv_status qsv_verify_is_run(const char *run_folder, struct qsv_error *err)
{
    char *results = qsv_folder_results(run_folder), *segments = qsv_folder_segments(run_folder);
    enum qsv_status st = QSV_OK;
    if (!results || !segments)
        st = qsv_fail_memory(err, run_folder);
    else if (access(results, F_OK) < 0 && access(segments, F_OK) < 0)
        st = qsv_fail(err, QSV_EINPUT,
                      "%s: is no run's folder: it has no results.h5 and no "
                      "segments",
                      run_folder);
    free(results);
    free(segments);
    return st;
}

static void report(struct checking *c, const char *path, const struct qsv_error *why)
{
    c->n_damaged++;
    qsv_strbuf_printf(c->text, "DAMAGED %s\n", why->text);
    if (path)
        qsv_salvage_describe(path, c->has_ledger ? &c->ledger : NULL, c->text);
}

/* What is wrong with a file is a finding; that it could not be read at all is an error. */
static enum qsv_status check_results(struct checking *c, struct qsv_error *err)
{
    struct qsv_error why;
    char *path = qsv_folder_results(c->folder);
    if (!path)
        return qsv_fail_memory(err, c->folder);
    enum qsv_status st = QSV_OK;
    if (access(path, F_OK) < 0) {
        qsv_strbuf_puts(c->text, "results.h5: there is none yet\n");
    } else {
        st = qsv_ledger_read(&c->ledger, path, true, &why);
        c->has_ledger = st == QSV_OK;
        if (c->has_ledger)
            qsv_strbuf_printf(c->text, "results.h5: good, %zu records of %zu trials\n",
                              c->ledger.n_evaluations, c->ledger.n_trials);
        else if (st == QSV_EINPUT)
            report(c, path, &why);
        else
            qsv_fail(err, st, "%s", why.text);
        st = st == QSV_EINPUT ? QSV_OK : st;
    }
    free(path);
    return st;
}

static enum qsv_status read_segment(struct checking *c, const char *path, struct qsv_error *why)
{
    hid_t file;
    if (c->has_ledger)
        return qsv_ledger_read_segment(&c->ledger, path, why);
    enum qsv_status st = qsv_seal_open(&file, path, why);
    if (!st)
        H5Fclose(file);
    return st;
}

static enum qsv_status check_segment(struct checking *c, const char *name, struct qsv_error *err)
{
    struct qsv_error why;
    char *path = qsv_folder_segment(c->folder, name);
    if (!path)
        return qsv_fail_memory(err, c->folder);
    enum qsv_status st = read_segment(c, path, &why);
    if (!st) {
        c->n_segments++;
    } else if (access(path, F_OK) < 0) { /* folded meanwhile */
        c->n_gone++;
        st = QSV_OK;
    } else if (st == QSV_EINPUT || st == QSV_EIDENTITY) {
        report(c, path, &why);
        st = QSV_OK;
    } else {
        qsv_fail(err, st, "%s", why.text);
    }
    free(path);
    return st;
}

/* Segments are listed first: what is folded in between is in results.h5 then, or gone. */
static enum qsv_status check_records(struct checking *c, struct qsv_error *err)
{
    struct qsv_names names = {0};
    enum qsv_status st = qsv_folder_list(c->folder, &names, err);
    if (!st)
        st = check_results(c, err);
    for (size_t i = 0; i < names.n && !st; i++)
        st = check_segment(c, names.v[i], err);
    if (!st)
        qsv_strbuf_printf(c->text, "segments: %zu good, not folded into results.h5 yet%s\n",
                          c->n_segments, c->n_gone ? "; others were just being folded" : "");
    if (!st && c->has_ledger)
        qsv_strbuf_printf(c->text, "together: %zu records of %zu trials\n", c->ledger.n_evaluations,
                          c->ledger.n_trials);
    qsv_names_fini(&names);
    return st;
}

static enum qsv_status check_selected(struct checking *c)
{
    struct qsv_error why;
    bool there;
    enum qsv_status st =
        qsv_verify_selected(c->folder, c->has_ledger ? &c->ledger : NULL, &there, &why);
    if (st == QSV_EINPUT)
        report(c, NULL, &why);
    else if (!st && there)
        qsv_strbuf_puts(c->text, "selected.h5: good, the file that gave its trial's figures\n");
    return st == QSV_EINPUT ? QSV_OK : st;
}

static void describe_lock(struct checking *c)
{
    struct qsv_lock_holder h;
    qsv_lock_look(c->folder, &h);
    if (h.state == QSV_LOCK_ALIVE)
        qsv_strbuf_printf(c->text, "lock: process %ld is writing this run\n", h.pid);
    else if (h.state == QSV_LOCK_DEAD || h.state == QSV_LOCK_STALE)
        qsv_strbuf_printf(c->text,
                          "lock: of process %ld, which is gone; the next start takes it "
                          "over\n",
                          h.pid);
    else if (h.state == QSV_LOCK_REMOTE)
        qsv_strbuf_printf(c->text,
                          "lock: of process %ld on host %s, which can't be looked at from "
                          "here\n",
                          h.pid, h.host[0] ? h.host : "(unreadable)");
}

enum qsv_status qsv_verify_run(size_t *n_damaged, const char *run_folder, struct qsv_strbuf *text,
                               struct qsv_error *err)
{
    struct checking c = {.folder = run_folder, .text = text};
    enum qsv_status st = qsv_verify_is_run(run_folder, err);
    if (!st)
        st = check_records(&c, err);
    if (!st)
        st = check_selected(&c);
    if (!st)
        describe_lock(&c);
    qsv_ledger_fini(&c.ledger);
    *n_damaged = c.n_damaged;
    return st ? st : text->failed ? qsv_fail_memory(err, run_folder) : QSV_OK;
}
