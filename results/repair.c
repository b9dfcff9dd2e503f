#include <stdlib.h>
#include <unistd.h>

#include "core/seal.h"
#include "results/folder.h"
#include "results/ledger_file.h"
#include "results/lock.h"
#include "results/salvage.h"
#include "results/verify.h"

/* A repair in progress. */
struct repairing {
    const char *folder;
    char *results;
    struct qsv_ledger ledger;
    bool has_ledger;         /* results.h5 is good */
    struct qsv_names folded; /* segments that the ledger holds */
    size_t n_kept, n_aside;  /* segments that wait for a results.h5; files set aside */
    struct qsv_strbuf *text;
};

static enum qsv_status take_lock(struct qsv_lock **lock, struct repairing *r, bool unlock,
                                 struct qsv_error *err)
{
    struct qsv_lock_holder h;
    qsv_lock_look(r->folder, &h);
    if (h.state == QSV_LOCK_DEAD || h.state == QSV_LOCK_STALE)
        qsv_strbuf_printf(r->text, "lock: process %ld on host %s is gone; released\n", h.pid,
                          h.host);
    if (h.state == QSV_LOCK_REMOTE && unlock) {
        qsv_lock_break(r->folder, &h);
        qsv_strbuf_printf(r->text, "lock: of process %ld on host %s; removed\n", h.pid, h.host);
    }
    return qsv_lock_take(lock, r->folder, err);
}

static enum qsv_status set_aside(struct repairing *r, const char *path, const struct qsv_error *why,
                                 struct qsv_error *err)
{
    struct qsv_strbuf to = {0};
    enum qsv_status st = qsv_folder_set_aside(path, &to, err);
    if (!st) {
        qsv_strbuf_printf(r->text, "%s; set aside as %s\n", why->text, to.text);
        qsv_salvage_describe(to.text, r->has_ledger ? &r->ledger : NULL, r->text);
        r->n_aside++;
    }
    qsv_strbuf_fini(&to);
    return st;
}

static enum qsv_status read_results(struct repairing *r, struct qsv_error *err)
{
    struct qsv_error why;
    if (access(r->results, F_OK) < 0)
        return QSV_OK;
    enum qsv_status st = qsv_ledger_read(&r->ledger, r->results, true, &why);
    r->has_ledger = st == QSV_OK;
    if (st == QSV_EINPUT)
        return set_aside(r, r->results, &why, err);
    return st ? qsv_fail(err, st, "%s", why.text) : QSV_OK;
}

static enum qsv_status try_segment(struct repairing *r, const char *path, struct qsv_error *why)
{
    hid_t file;
    if (r->has_ledger)
        return qsv_ledger_read_segment(&r->ledger, path, why);
    enum qsv_status st = qsv_seal_open(&file, path, why);
    if (!st)
        H5Fclose(file);
    return st;
}

/* Damaged ones come last, so that it is known what others hold. */
static enum qsv_status read_segments(struct repairing *r, struct qsv_names *damaged,
                                     struct qsv_error *err)
{
    struct qsv_names names = {0};
    enum qsv_status st = qsv_folder_list(r->folder, &names, err);
    for (size_t i = 0; i < names.n && !st; i++) {
        struct qsv_error why;
        char *path = qsv_folder_segment(r->folder, names.v[i]);
        st = path ? try_segment(r, path, &why) : qsv_fail_memory(&why, r->folder);
        free(path);
        if (st == QSV_EINPUT)
            st = qsv_names_add(damaged, names.v[i], err);
        else if (st)
            qsv_fail(err, st, "%s", why.text);
        else if (r->has_ledger)
            st = qsv_names_add(&r->folded, names.v[i], err);
        else
            r->n_kept++;
    }
    qsv_names_fini(&names);
    return st;
}

static enum qsv_status set_segments_aside(struct repairing *r, const struct qsv_names *damaged,
                                          struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (size_t i = 0; i < damaged->n && !st; i++) {
        struct qsv_error why;
        char *path = qsv_folder_segment(r->folder, damaged->v[i]);
        if (!path)
            return qsv_fail_memory(err, r->folder);
        if (try_segment(r, path, &why))
            st = set_aside(r, path, &why, err);
        free(path);
    }
    return st;
}

static enum qsv_status fold(struct repairing *r, struct qsv_error *err)
{
    if (!r->folded.n)
        return QSV_OK;
    enum qsv_status st = qsv_ledger_write(&r->ledger, r->results, err);
    for (size_t i = 0; i < r->folded.n && !st; i++) {
        char *path = qsv_folder_segment(r->folder, r->folded.v[i]);
        if (path)
            unlink(path);
        free(path);
    }
    if (!st)
        qsv_strbuf_printf(r->text, "results.h5: %zu segments folded into it\n", r->folded.n);
    return st;
}

static enum qsv_status check_selected(struct repairing *r, struct qsv_error *err)
{
    struct qsv_error why;
    bool there;
    enum qsv_status st =
        qsv_verify_selected(r->folder, r->has_ledger ? &r->ledger : NULL, &there, &why);
    if (st != QSV_EINPUT)
        return st ? qsv_fail(err, st, "%s", why.text) : QSV_OK;
    struct qsv_strbuf path = {0}, to = {0};
    qsv_strbuf_printf(&path, "%s/selected.h5", r->folder);
    st = path.failed ? qsv_fail_memory(err, r->folder) : QSV_OK;
    if (!st && access(path.text, F_OK) == 0)
        st = qsv_folder_set_aside(path.text, &to, err);
    if (!st)
        qsv_strbuf_printf(r->text, "%s%s%s; the next `qsvit run` writes and compares it again\n",
                          why.text, to.len ? "; set aside as " : "", to.len ? to.text : "");
    r->n_aside++;
    qsv_strbuf_fini(&path);
    qsv_strbuf_fini(&to);
    return st;
}

static void describe(struct repairing *r)
{
    if (r->has_ledger)
        qsv_strbuf_printf(r->text, "results.h5: %zu records of %zu trials\n",
                          r->ledger.n_evaluations, r->ledger.n_trials);
    else
        qsv_strbuf_printf(r->text,
                          "results.h5: there is none; %zu good segments wait for the next `qsvit "
                          "run`, which makes it\n",
                          r->n_kept);
    qsv_strbuf_puts(r->text, r->n_aside ? "the next `qsvit run` evaluates what is missing\n"
                                        : "nothing was damaged\n");
}

static enum qsv_status repair(struct repairing *r, struct qsv_error *err)
{
    struct qsv_names damaged = {0};
    qsv_folder_clean(r->folder);
    enum qsv_status st = read_results(r, err);
    if (!st)
        st = read_segments(r, &damaged, err);
    if (!st)
        st = set_segments_aside(r, &damaged, err);
    if (!st)
        st = fold(r, err);
    if (!st)
        st = check_selected(r, err);
    qsv_names_fini(&damaged);
    return st;
}

enum qsv_status qsv_repair_run(const char *run_folder, bool unlock, struct qsv_strbuf *text,
                               struct qsv_error *err)
{
    struct repairing r = {.folder = run_folder, .text = text};
    struct qsv_lock *lock = NULL;
    enum qsv_status st = qsv_verify_is_run(run_folder, err);
    if (!st && !(r.results = qsv_folder_results(run_folder)))
        st = qsv_fail_memory(err, run_folder);
    if (!st)
        st = take_lock(&lock, &r, unlock, err);
    if (!st)
        st = repair(&r, err);
    if (!st)
        describe(&r);
    qsv_lock_release(lock);
    qsv_ledger_fini(&r.ledger);
    qsv_names_fini(&r.folded);
    free(r.results);
    return st ? st : text->failed ? qsv_fail_memory(err, run_folder) : QSV_OK;
}
