/* RUN/selected.h5: runner/search/selected.c writes it and, once it gave its trial's figures on all
 * judging images, the line in RUN/selected.verified that binds them together. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/seal.h"
#include "results/verify.h"

static const size_t max_model_bytes = (size_t)1 << 34;

struct note {
    uint64_t hash, trial_id, identity;
};

static enum qsv_status read_note(struct note *n, const char *path, struct qsv_error *why)
{
    uint8_t *text;
    size_t bytes;
    enum qsv_status st = qsv_file_read(&text, &bytes, path, 4096, why);
    if (st)
        return st;
    int found = sscanf((char *)text,
                       "selected.h5 %" SCNx64 " gave trial %" SCNx64
                       "'s figures on %*u images in run %" SCNx64,
                       &n->hash, &n->trial_id, &n->identity);
    free(text);
    return found == 3 ? QSV_OK : qsv_fail(why, QSV_EINPUT, "%s: is not as qsvit writes it", path);
}

static enum qsv_status check_file(const char *path, const struct note *n, struct qsv_error *why)
{
    uint8_t *data;
    size_t bytes;
    hid_t file;
    enum qsv_status st = qsv_seal_open(&file, path, why);
    if (st)
        return st;
    H5Fclose(file);
    st = qsv_file_read(&data, &bytes, path, max_model_bytes, why);
    if (st)
        return st;
    bool same = qsv_hash_bytes(data, bytes) == n->hash;
    free(data);
    return same ? QSV_OK
                : qsv_fail(why, QSV_EINPUT,
                           "%s: is not the file that was compared with the "
                           "records",
                           path);
}

static enum qsv_status check_note(const char *path, const struct note *n,
                                  const struct qsv_ledger *l, struct qsv_error *why)
{
    const struct qsv_recorded_search *search = qsv_ledger_search(l);
    if (n->identity != qsv_identity_hash(&l->identity))
        return qsv_fail(why, QSV_EINPUT, "%s: is of another run", path);
    if (search && l->complete && search->row.meets && search->row.selected != n->trial_id)
        return qsv_fail(why, QSV_EINPUT,
                        "%s: is trial %016" PRIx64 ", but the run selected %016" PRIx64, path,
                        n->trial_id, search->row.selected);
    return QSV_OK;
}

/* Of a run that has not come to its end there may be none, or one that nothing was compared with
 * yet. */
static bool must_be(const struct qsv_ledger *l)
{
    const struct qsv_recorded_search *search = l ? qsv_ledger_search(l) : NULL;
    return search && l->complete && search->row.selected && search->row.meets;
}

enum qsv_status qsv_verify_selected(const char *run_folder, const struct qsv_ledger *l, bool *there,
                                    struct qsv_error *why)
{
    struct note n;
    char *path = qsv_file_join(run_folder, "selected.h5");
    char *note = qsv_file_join(run_folder, "selected.verified");
    enum qsv_status st = QSV_OK;
    *there = must_be(l);
    if (!path || !note) {
        st = qsv_fail_memory(why, run_folder);
    } else if (*there || (access(path, F_OK) == 0 && access(note, F_OK) == 0)) {
        *there = true;
        st = read_note(&n, note, why);
        if (!st)
            st = check_file(path, &n, why);
        if (!st && l)
            st = check_note(path, &n, l, why);
    }
    free(path);
    free(note);
    return st;
}
