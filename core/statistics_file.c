/* Statistics files: docs/formats.md, "Statistics". */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/h5.h"
#include "core/seal.h"
#include "core/statistics_parts.h"

enum { FILE_VERSION = 1, MAX_LAYERS = 1 << 16 };

struct row {
    uint32_t layer, columns, groups;
    uint8_t real;
    uint64_t positions;
};

static hid_t row_type(void)
{
    hid_t t = H5Tcreate(H5T_COMPOUND, sizeof(struct row));
    H5Tinsert(t, "layer", offsetof(struct row, layer), H5T_NATIVE_UINT32);
    H5Tinsert(t, "columns", offsetof(struct row, columns), H5T_NATIVE_UINT32);
    H5Tinsert(t, "groups", offsetof(struct row, groups), H5T_NATIVE_UINT32);
    H5Tinsert(t, "real", offsetof(struct row, real), H5T_NATIVE_UINT8);
    H5Tinsert(t, "positions", offsetof(struct row, positions), H5T_NATIVE_UINT64);
    return t;
}

static enum qsv_status write_rows(hid_t file, const struct qsv_statistics *s, struct qsv_error *err)
{
    const size_t layers = s->model->graph.n_layers;
    struct row *rows = qsv_alloc(layers, sizeof *rows);
    size_t n = 0;
    if (!rows)
        return qsv_fail_memory(err, "statistics");
    for (size_t i = 0; i < layers; i++) {
        const struct qsv_layer_moments *m = &s->layers[i];
        if (qsv_layer_moments_taken(m))
            rows[n++] = (struct row){(uint32_t)i, m->columns, m->groups, m->real, m->positions};
    }
    hid_t memory = row_type(), packed = H5Tcopy(memory);
    H5Tpack(packed);
    const struct qsv_h5_layout table = {.rank = 1, .dims = {n}};
    enum qsv_status st = qsv_h5_write(file, "layers", packed, memory, &table, rows, err);
    H5Tclose(packed);
    H5Tclose(memory);
    free(rows);
    return st;
}

static void name_of(char out[32], size_t layer)
{
    snprintf(out, 32, "moments/%zu", layer);
}

static enum qsv_status write_moments(hid_t file, const struct qsv_statistics *s,
                                     struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    hid_t group = qsv_h5_create_group(file, "moments");
    for (size_t i = 0; !st && i < s->model->graph.n_layers; i++) {
        const struct qsv_layer_moments *m = &s->layers[i];
        const struct qsv_h5_layout layout = {
            .rank = 2, .dims = {m->groups, m->elements}, .deflate = 1};
        char name[32];
        name_of(name, i);
        if (m->counts)
            st =
                qsv_h5_write(file, name, H5T_STD_U64LE, H5T_NATIVE_UINT64, &layout, m->counts, err);
        else if (m->sums)
            st = qsv_h5_write(file, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &layout, m->sums, err);
    }
    if (group >= 0)
        H5Gclose(group);
    return st;
}

enum qsv_status qsv_statistics_save(const struct qsv_statistics *s, const char *path,
                                    struct qsv_error *err)
{
    struct qsv_h5_image *image;
    enum qsv_status st = qsv_seal_create(&image, err);
    if (st)
        return st;
    hid_t file = qsv_h5_image_file(image);
    const struct qsv_h5_layout images = {.rank = 1, .dims = {s->n_images}};
    st = qsv_h5_set_u64(file, "qsvit_statistics_version", FILE_VERSION, err);
    if (!st)
        st = qsv_h5_set_u64(file, "model_hash", s->model->hash, err);
    if (!st)
        st = qsv_h5_set_u64(file, "dataset_fingerprint", s->fingerprint, err);
    if (!st)
        st = qsv_h5_set_u64(file, "hash", qsv_statistics_hash(s), err);
    if (!st)
        st =
            qsv_h5_write(file, "images", H5T_STD_U32LE, H5T_NATIVE_UINT32, &images, s->images, err);
    if (!st)
        st = write_rows(file, s, err);
    if (!st)
        st = write_moments(file, s, err);
    if (!st)
        return qsv_seal_commit(image, path, err);
    qsv_h5_image_destroy(image);
    return qsv_fail_in(err, st, "%s", path);
}

static enum qsv_status check_head(hid_t file, const struct qsv_model *model, uint64_t *fingerprint,
                                  uint64_t *hash, struct qsv_error *err)
{
    uint64_t version, model_hash;
    if (qsv_h5_get_u64(file, "qsvit_statistics_version", &version, NULL))
        return qsv_fail(err, QSV_EINPUT,
                        "not a statistics file (no attribute 'qsvit_statistics_version'); qsvit "
                        "calibrate makes one");
    if (version != FILE_VERSION)
        return qsv_fail(err, QSV_EINPUT, "statistics file version %llu, this program reads %d",
                        (unsigned long long)version, FILE_VERSION);
    enum qsv_status st = qsv_h5_get_u64(file, "model_hash", &model_hash, err);
    if (!st)
        st = qsv_h5_get_u64(file, "dataset_fingerprint", fingerprint, err);
    if (!st)
        st = qsv_h5_get_u64(file, "hash", hash, err);
    if (!st && model_hash != model->hash)
        st = qsv_fail(err, QSV_EINPUT, "statistics of model %016llx, but %s is %016llx",
                      (unsigned long long)model_hash, model->path, (unsigned long long)model->hash);
    return st;
}

/* Sizes come from the model, not from the file: nothing is allocated on its word. */
static enum qsv_status check_row(const struct qsv_statistics *s, const struct row *r,
                                 struct qsv_error *err)
{
    const struct qsv_layer_moments *m = &s->layers[r->layer];
    if (r->columns == m->columns && r->groups == m->groups && r->real == m->real)
        return QSV_OK;
    return qsv_fail(err, QSV_EINPUT, "layer '%s' has %u columns in %u groups, expected %u in %u",
                    s->model->graph.layers[r->layer].name, r->columns, r->groups, m->columns,
                    m->groups);
}

static enum qsv_status read_moments(hid_t file, struct qsv_statistics *s, uint32_t layer,
                                    struct qsv_error *err)
{
    struct qsv_layer_moments *m = &s->layers[layer];
    const size_t bytes = m->groups * m->elements * sizeof(uint64_t);
    hsize_t dims[2];
    void *data;
    char name[32];
    name_of(name, layer);
    enum qsv_status st = qsv_h5_read(file, name, m->real ? H5T_NATIVE_DOUBLE : H5T_NATIVE_UINT64, 8,
                                     2, dims, bytes, &data, err);
    if (st)
        return st;
    if (dims[0] != m->groups || dims[1] != m->elements) {
        free(data);
        return qsv_fail(err, QSV_EINPUT, "dataset '%s' is %llu x %llu, expected %u x %zu", name,
                        (unsigned long long)dims[0], (unsigned long long)dims[1], m->groups,
                        m->elements);
    }
    if (m->real)
        m->sums = data;
    else
        m->counts = data;
    return QSV_OK;
}

static enum qsv_status read_layers(hid_t file, struct qsv_statistics *s, struct qsv_error *err)
{
    hsize_t n = 0;
    void *data = NULL;
    hid_t memory = row_type();
    enum qsv_status st = qsv_h5_read(file, "layers", memory, sizeof(struct row), 1, &n,
                                     MAX_LAYERS * sizeof(struct row), &data, err);
    H5Tclose(memory);
    for (hsize_t i = 0; !st && i < n; i++) {
        const struct row *r = (const struct row *)data + i;
        if (r->layer >= s->model->graph.n_layers || qsv_layer_moments_taken(&s->layers[r->layer])) {
            st = qsv_fail(err, QSV_EINPUT,
                          "row %llu of 'layers' names layer %u, which is not "
                          "there or was named before",
                          (unsigned long long)i, r->layer);
            break;
        }
        st = check_row(s, r, err);
        if (!st)
            st = read_moments(file, s, r->layer, err);
        s->layers[r->layer].positions = r->positions;
    }
    free(data);
    return st;
}

static enum qsv_status read_images(hid_t file, size_t file_bytes, struct qsv_statistics *s,
                                   uint64_t fingerprint, struct qsv_error *err)
{
    hsize_t n = 0;
    void *images = NULL;
    enum qsv_status st = qsv_h5_read(file, "images", H5T_NATIVE_UINT32, sizeof(uint32_t), 1, &n,
                                     file_bytes, &images, err); /* not compressed */
    if (!st)
        st = qsv_statistics_note(s, fingerprint, images, n, err);
    free(images);
    return st;
}

static enum qsv_status read_all(hid_t file, size_t file_bytes, struct qsv_statistics *s,
                                struct qsv_error *err)
{
    uint64_t fingerprint = 0, hash = 0;
    enum qsv_status st = check_head(file, s->model, &fingerprint, &hash, err);
    if (!st)
        st = read_images(file, file_bytes, s, fingerprint, err);
    if (!st)
        st = read_layers(file, s, err);
    if (!st && qsv_statistics_hash(s) != hash)
        st = qsv_fail(err, QSV_EINPUT, "damaged: its contents do not match its checksum");
    return st;
}

enum qsv_status qsv_statistics_load(struct qsv_statistics **out, const struct qsv_model *model,
                                    const char *path, struct qsv_error *err)
{
    struct stat info;
    hid_t file;
    struct qsv_statistics *s = NULL;
    *out = NULL;
    bool *none = qsv_alloc(model->graph.n_layers, sizeof *none);
    if (!none)
        return qsv_fail_memory(err, path);
    enum qsv_status st = qsv_statistics_create(&s, model, none, err);
    free(none);
    if (!st && stat(path, &info) < 0)
        st = qsv_fail(err, QSV_EINPUT, "%s: no such statistics file", path);
    if (!st)
        st = qsv_seal_open(&file, path, err);
    if (!st) {
        st = read_all(file, (size_t)info.st_size, s, err);
        H5Fclose(file);
        if (st)
            qsv_fail_in(err, st, "%s", path);
    }
    if (st)
        qsv_statistics_destroy(s);
    else
        *out = s;
    return st;
}
