#include "core/import/torch.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/strbuf.h"
#include "core/import/budget.h"
#include "core/import/rebuild.h"
#include "core/import/state_dict.h"
#include "core/import/zip.h"

/* A tensor whose elements are still to be loaded. */
struct source {
    uint32_t tensor; /* in reader.out */
    uint32_t next;   /* number + 1 of another of the same storage, or 0 */
    struct qsv_strided view;
};

struct reader {
    struct qsv_zip *zip;
    char *base; /* what every path begins with: "name/" */
    uint8_t *pickle_data;
    struct qsv_pickle pickle;
    struct source *sources; /* an entry's tag is the number + 1 of its first */
    size_t n_sources, cap_sources;
    struct qsv_tensors *out;
    uint64_t budget;
};

/* An entry by its path below the base; *entry is NULL where there is none. */
static enum qsv_status find(struct qsv_zip_entry **entry, struct reader *r, const char *folder,
                            const char *name, size_t name_bytes, struct qsv_error *err)
{
    struct qsv_strbuf path = {0};
    qsv_strbuf_puts(&path, r->base);
    qsv_strbuf_puts(&path, folder);
    qsv_strbuf_add(&path, name, name_bytes);
    if (!path.failed)
        *entry = qsv_zip_find(r->zip, path.text);
    bool failed = path.failed;
    qsv_strbuf_fini(&path);
    return failed ? qsv_fail_memory(err, "a path in the zip archive") : QSV_OK;
}

/* The pickle lies in the one folder that holds all, named after the file when it was saved. */
static enum qsv_status find_pickle(struct qsv_zip_entry **entry, struct reader *r,
                                   struct qsv_error *err)
{
    size_t n;
    struct qsv_zip_entry *entries = qsv_zip_entries(r->zip, &n);
    for (size_t i = 0; i < n; i++) {
        const char *slash = strchr(entries[i].path, '/');
        if (!slash || strcmp(slash + 1, "data.pkl"))
            continue;
        *entry = &entries[i];
        r->base = qsv_strndup(entries[i].path, (size_t)(slash + 1 - entries[i].path));
        return r->base ? QSV_OK : qsv_fail_memory(err, "a path in the zip archive");
    }
    return qsv_fail(err, QSV_EINPUT,
                    "is a zip archive without a data.pkl: not a checkpoint that torch.save wrote");
}

static enum qsv_status check_kind(struct reader *r, struct qsv_error *err)
{
    struct qsv_zip_entry *script = NULL, *order = NULL;
    uint8_t *text = NULL;
    enum qsv_status st = find(&script, r, "", "constants.pkl", 13, err);
    if (!st && script)
        return qsv_fail(
            err, QSV_EINPUT,
            "is a TorchScript archive: load it with torch.jit.load and write its weights "
            "with torch.save(model.state_dict(), PATH)");
    if (!st)
        st = find(&order, r, "", "byteorder", 9, err);
    if (!st && order)
        st = qsv_zip_load(&text, r->zip, order, err);
    if (!st && order && (order->bytes != 6 || memcmp(text, "little", 6)))
        st = qsv_fail(err, QSV_EINPUT,
                      "was written on a machine that is not little-endian: save it again on one");
    free(text);
    return st;
}

static enum qsv_status read_pickle(struct reader *r, struct qsv_error *err)
{
    struct qsv_zip_entry *entry = NULL;
    enum qsv_status st = find_pickle(&entry, r, err);
    if (!st)
        st = check_kind(r, err);
    if (!st)
        st = qsv_zip_load(&r->pickle_data, r->zip, entry, err);
    if (!st)
        st = qsv_pickle_parse(&r->pickle, r->pickle_data, entry->bytes, err);
    return st;
}

/* Remembers what to load when the storage comes by. */
static enum qsv_status add_source(struct reader *r, struct qsv_zip_entry *storage,
                                  const struct qsv_strided *view, struct qsv_error *err)
{
    if (!qsv_grow(&r->sources, &r->cap_sources, r->n_sources + 1, sizeof *r->sources))
        return qsv_fail_memory(err, "the checkpoint's tensors");
    r->sources[r->n_sources++] = (struct source){(uint32_t)(r->out->n - 1), storage->tag, *view};
    storage->tag = (uint32_t)r->n_sources;
    return QSV_OK;
}

/* Whether a value can be loaded; `why` says why not. */
static enum qsv_status locate(struct qsv_rebuilt *t, struct qsv_zip_entry **storage,
                              struct reader *r, uint32_t value, struct qsv_error *why)
{
    enum qsv_status st = qsv_rebuild_tensor(t, &r->pickle, value, why);
    if (st)
        return st;
    const struct qsv_pickle_node *key = &r->pickle.nodes[t->key];
    st = find(storage, r, "data/", (const char *)key->text.at, key->text.bytes, why);
    if (!st && !*storage)
        st = qsv_fail(why, QSV_EINPUT, "lies in storage '%.*s', which the file does not hold",
                      key->text.bytes < 40 ? (int)key->text.bytes : 40, (const char *)key->text.at);
    if (!st)
        st =
            qsv_strided_check(&t->view, (*storage)->bytes / t->view.element->bytes, r->budget, why);
    return st;
}

static enum qsv_status add_tensor(struct reader *r, const char *name, uint32_t value,
                                  struct qsv_error *err)
{
    struct qsv_rebuilt t;
    struct qsv_zip_entry *storage = NULL;
    struct qsv_tensor *added = NULL;
    struct qsv_error why = {0};
    enum qsv_status st = locate(&t, &storage, r, value, &why);
    if (st == QSV_EINPUT)
        return qsv_tensors_add_defect(r->out, name, why.text, err);
    if (st)
        return qsv_fail(err, st, "%s", why.text);
    st = qsv_tensors_add(r->out, name, QSV_F32, t.view.rank, t.view.shape, &added, err);
    if (st)
        return st;
    r->budget -= added->bytes;
    return add_source(r, storage, &t.view, err);
}

static enum qsv_status copy_name(char name[QSV_MAX_TENSOR_NAME + 1],
                                 const struct qsv_pickle_node *key, struct qsv_error *err)
{
    if (key->text.bytes > QSV_MAX_TENSOR_NAME)
        return qsv_fail(err, QSV_EINPUT, "the name '%.40s...' is longer than %d bytes",
                        (const char *)key->text.at, QSV_MAX_TENSOR_NAME);
    memcpy(name, key->text.at, key->text.bytes);
    name[key->text.bytes] = '\0';
    for (size_t i = 0; i < key->text.bytes; i++)
        if ((uint8_t)name[i] < 0x20 || name[i] == 0x7f)
            return qsv_fail(err, QSV_EINPUT, "the name '%s' holds a control character", name);
    return QSV_OK;
}

static enum qsv_status add_tensors(struct reader *r, struct qsv_error *err)
{
    uint32_t dict = 0, key, value;
    char name[QSV_MAX_TENSOR_NAME + 1];
    enum qsv_status st = qsv_state_dict_find(&dict, &r->pickle, err);
    struct qsv_pickle_walk w = qsv_pickle_walk_dict(&r->pickle, dict);
    while (!st && qsv_pickle_next(&w, &key, &value)) {
        if (r->pickle.nodes[key].kind != QSV_PICKLE_TEXT)
            continue;
        st = copy_name(name, &r->pickle.nodes[key], err);
        if (!st)
            st = add_tensor(r, name, value, err);
    }
    return st;
}

/* One pass over the archive, one storage in memory at a time. */
static enum qsv_status load_storages(struct reader *r, struct qsv_error *err)
{
    struct qsv_zip_entry *entry = NULL;
    const uint8_t *data = NULL;
    enum qsv_status st;
    while (!(st = qsv_zip_next(&entry, &data, r->zip, err)) && entry) {
        for (uint32_t i = entry->tag; i; i = r->sources[i - 1].next) {
            const struct source *s = &r->sources[i - 1];
            qsv_strided_load(&s->view, data, (float *)r->out->v[s->tensor].data);
        }
    }
    return st;
}

enum qsv_status qsv_torch_parse(struct qsv_tensors *out, const uint8_t *data, size_t bytes,
                                struct qsv_error *err)
{
    struct reader r = {.out = out, .budget = qsv_budget_of_file(bytes)};
    enum qsv_status st = qsv_zip_open(&r.zip, data, bytes, err);
    if (!st)
        st = read_pickle(&r, err);
    if (!st)
        st = add_tensors(&r, err);
    if (!st)
        st = load_storages(&r, err);
    qsv_pickle_fini(&r.pickle);
    qsv_zip_close(r.zip);
    free(r.pickle_data);
    free(r.base);
    free(r.sources);
    return st;
}
