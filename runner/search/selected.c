#include "runner/search/selected.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/network.h"

static const size_t max_model_bytes = (size_t)1 << 34;

char *qsv_selected_path(const char *run_folder)
{
    return qsv_file_join(run_folder, "selected.h5");
}

/* What RUN/selected.verified says of the file at path. */
static enum qsv_status describe(struct qsv_strbuf *out, const char *path,
                                const struct qsv_inputs *in, uint64_t trial_id,
                                struct qsv_error *err)
{
    uint8_t *data;
    size_t bytes;
    enum qsv_status st = qsv_file_read(&data, &bytes, path, max_model_bytes, err);
    if (st)
        return st;
    qsv_strbuf_printf(out,
                      "selected.h5 %016" PRIx64 " gave trial %016" PRIx64 "'s figures on %" PRIu64
                      " images in run %016" PRIx64 "\n",
                      qsv_hash_bytes(data, bytes), trial_id, in->partition.n_judge,
                      qsv_identity_hash(&in->run.identity));
    free(data);
    return out->failed ? qsv_fail_memory(err, path) : QSV_OK;
}

static bool is_verified(const char *path, const char *note, const struct qsv_inputs *in,
                        uint64_t trial_id)
{
    struct qsv_strbuf expected = {0};
    uint8_t *found = NULL;
    size_t bytes;
    bool same = !describe(&expected, path, in, trial_id, NULL) &&
                !qsv_file_read(&found, &bytes, note, 4096, NULL) && bytes == expected.len &&
                !memcmp(found, expected.text, bytes);
    free(found);
    qsv_strbuf_fini(&expected);
    return same;
}

static enum qsv_status export(const struct qsv_inputs *in, const uint8_t *formats, const char *path,
                              struct qsv_error *err) {
    struct qsv_network *network;
    enum qsv_status st = qsv_network_create(&network, in->model, in->bank, formats, err);
    if (st) return st;
    st = qsv_network_save(network, path, err);
    qsv_network_destroy(network);
    return st;
}

static enum qsv_status export_and_verify(const struct qsv_inputs *in,
                                         struct qsv_run_evaluator *evaluator, const char *path,
                                         const char *note, const struct qsv_selection *selection,
                                         struct qsv_error *err)
{
    struct qsv_strbuf text = {0};
    unlink(note);
    enum qsv_status st = export(in, selection->formats, path, err);
    if (!st)
        st = qsv_run_evaluator_verify(evaluator, selection->trial_id, selection->formats, 0, err);
    if (!st)
        st = describe(&text, path, in, selection->trial_id, err);
    if (!st)
        st = qsv_file_write(note, text.text, text.len, err);
    qsv_strbuf_fini(&text);
    return st;
}

enum qsv_status qsv_selected_make(const struct qsv_inputs *in, struct qsv_run_evaluator *evaluator,
                                  const char *run_folder, const struct qsv_selection *selection,
                                  struct qsv_error *err)
{
    char *path = qsv_selected_path(run_folder);
    char *note = qsv_file_join(run_folder, "selected.verified");
    enum qsv_status st = path && note ? QSV_OK : qsv_fail_memory(err, "the selected network");
    if (!st && !is_verified(path, note, in, selection->trial_id))
        st = export_and_verify(in, evaluator, path, note, selection, err);
    if (!st) {
        struct qsv_evaluator face = qsv_run_evaluator_face(evaluator);
        struct qsv_step step = {"verify", selection->trial_id, "equal",
                                "the exported network, read back and run on all judging images, "
                                "gives the trial's figures"};
        st = face.note(face.context, &step, err);
    }
    free(path);
    free(note);
    return st;
}
