/* Bank files: docs/formats.md, "Banks". */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/bank_parts.h"
#include "core/base/alloc.h"
#include "core/h5.h"
#include "core/seal.h"
#include "core/statistics.h"

enum { FILE_VERSION = 1, MAX_ENTRIES = 1 << 20 };

struct row {
    uint32_t layer;
    uint8_t format;
    uint64_t offset, bytes; /* of its packed codes */
    uint64_t first_scale;
    uint64_t first_correction; /* NONE: it has none */
    double loss;
};

static const uint64_t NONE = UINT64_MAX;

static hid_t row_type(void)
{
    hid_t t = H5Tcreate(H5T_COMPOUND, sizeof(struct row));
    H5Tinsert(t, "layer", offsetof(struct row, layer), H5T_NATIVE_UINT32);
    H5Tinsert(t, "format", offsetof(struct row, format), H5T_NATIVE_UINT8);
    H5Tinsert(t, "offset", offsetof(struct row, offset), H5T_NATIVE_UINT64);
    H5Tinsert(t, "bytes", offsetof(struct row, bytes), H5T_NATIVE_UINT64);
    H5Tinsert(t, "first_scale", offsetof(struct row, first_scale), H5T_NATIVE_UINT64);
    H5Tinsert(t, "first_correction", offsetof(struct row, first_correction), H5T_NATIVE_UINT64);
    H5Tinsert(t, "loss", offsetof(struct row, loss), H5T_NATIVE_DOUBLE);
    return t;
}

/* The datasets, while a file is put together. */
struct contents {
    struct row *rows;
    size_t n_rows;
    uint8_t *codes;
    float *scales, *corrections;
    size_t n_bytes, n_scales, n_corrections;
};

static void contents_fini(struct contents *c)
{
    free(c->rows);
    free(c->codes);
    free(c->scales);
    free(c->corrections);
}

static const struct slot *slot_of(const struct qsv_bank *b, size_t i)
{
    const struct slot *s = &b->slots[i];
    return s->ready && s->entry.codes ? s : NULL;
}

static void measure(struct contents *c, const struct qsv_bank *b)
{
    for (size_t i = 0; i < b->model->graph.n_layers * QSV_N_FORMATS; i++) {
        const struct qsv_layer *l = &b->model->graph.layers[i / QSV_N_FORMATS];
        if (!slot_of(b, i))
            continue;
        c->n_rows++;
        c->n_bytes += qsv_format_packed_bytes(i % QSV_N_FORMATS, (size_t)l->n_weights);
        c->n_scales += l->out_ch;
        c->n_corrections += slot_of(b, i)->correction ? l->out_ch : 0;
    }
}

static enum qsv_status allocate(struct contents *c, struct qsv_error *err)
{
    c->rows = qsv_alloc(c->n_rows + 1, sizeof *c->rows);
    c->codes = qsv_alloc(c->n_bytes + 1, 1);
    c->scales = qsv_alloc(c->n_scales + 1, sizeof *c->scales);
    c->corrections = qsv_alloc(c->n_corrections + 1, sizeof *c->corrections);
    return c->rows && c->codes && c->scales && c->corrections
               ? QSV_OK
               : qsv_fail_memory(err, "the bank's file");
}

/* Appends a layer's entry; *end are the ends of what is there. */
static void append(struct contents *c, const struct slot *s, const struct qsv_layer *l,
                   uint32_t layer, struct row *end)
{
    struct row *row = &c->rows[c->n_rows++];
    *row = *end;
    row->layer = layer;
    row->format = (uint8_t)s->entry.format;
    row->bytes = qsv_format_packed_bytes(s->entry.format, (size_t)l->n_weights);
    row->loss = s->entry.loss;
    qsv_format_pack(s->entry.format, s->codes, (size_t)l->n_weights, c->codes + end->offset);
    memcpy(c->scales + end->first_scale, s->numbers, l->out_ch * sizeof *c->scales);
    end->offset += row->bytes;
    end->first_scale += l->out_ch;
    if (!s->correction) {
        row->first_correction = NONE;
        return;
    }
    memcpy(c->corrections + end->first_correction, s->correction,
           l->out_ch * sizeof *c->corrections);
    end->first_correction += l->out_ch;
}

static enum qsv_status collect(struct contents *c, const struct qsv_bank *b, struct qsv_error *err)
{
    struct row end = {0};
    measure(c, b);
    enum qsv_status st = allocate(c, err);
    c->n_rows = 0;
    for (size_t i = 0; !st && i < b->model->graph.n_layers * QSV_N_FORMATS; i++)
        if (slot_of(b, i))
            append(c, slot_of(b, i), &b->model->graph.layers[i / QSV_N_FORMATS],
                   (uint32_t)(i / QSV_N_FORMATS), &end);
    return st;
}

static enum qsv_status write_floats(hid_t file, const char *name, const float *values, size_t n,
                                    struct qsv_error *err)
{
    const struct qsv_h5_layout layout = {.rank = 1, .dims = {n}};
    return qsv_h5_write(file, name, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, &layout, values, err);
}

static enum qsv_status write_contents(hid_t file, const struct contents *c, struct qsv_error *err)
{
    hid_t memory = row_type(), packed = H5Tcopy(memory);
    H5Tpack(packed);
    const struct qsv_h5_layout table = {.rank = 1, .dims = {c->n_rows}, .deflate = 6};
    const struct qsv_h5_layout bytes = {.rank = 1, .dims = {c->n_bytes}};
    enum qsv_status st = qsv_h5_write(file, "entries", packed, memory, &table, c->rows, err);
    if (!st)
        st = qsv_h5_write(file, "codes", H5T_STD_U8LE, H5T_NATIVE_UINT8, &bytes, c->codes, err);
    if (!st)
        st = write_floats(file, "scales", c->scales, c->n_scales, err);
    if (!st)
        st = write_floats(file, "corrections", c->corrections, c->n_corrections, err);
    H5Tclose(packed);
    H5Tclose(memory);
    return st;
}

static enum qsv_status write_head(hid_t file, const struct qsv_bank *b, struct qsv_error *err)
{
    const uint64_t statistics =
        b->statistics && !b->spent ? qsv_statistics_hash(b->statistics) : b->statistics_hash;
    enum qsv_status st = qsv_h5_set_u64(file, "qsvit_bank_version", FILE_VERSION, err);
    if (!st)
        st = qsv_h5_set_u64(file, "model_hash", b->model->hash, err);
    if (!st)
        st = qsv_h5_set_u64(file, "statistics_hash", statistics, err);
    if (!st)
        st = qsv_h5_set_string(file, "quantizer", b->quantizer.name, err);
    return st ? st
              : qsv_h5_set_string(file, "scale_rule", qsv_scale_rule_name(b->quantizer.scale), err);
}

enum qsv_status qsv_bank_save(const struct qsv_bank *b, const char *path, struct qsv_error *err)
{
    struct contents c = {0};
    struct qsv_h5_image *image;
    enum qsv_status st = qsv_seal_create(&image, err);
    if (st)
        return st;
    st = collect(&c, b, err);
    if (!st)
        st = write_head(qsv_h5_image_file(image), b, err);
    if (!st)
        st = write_contents(qsv_h5_image_file(image), &c, err);
    contents_fini(&c);
    if (!st)
        return qsv_seal_commit(image, path, err);
    qsv_h5_image_destroy(image);
    return qsv_fail_in(err, st, "%s", path);
}

static enum qsv_status read_quantizer(hid_t file, struct qsv_quantizer *q, struct qsv_error *err)
{
    char *name = NULL, *rule = NULL;
    enum qsv_status st = qsv_h5_get_string(file, "quantizer", &name, err);
    if (!st)
        st = qsv_h5_get_string(file, "scale_rule", &rule, err);
    if (!st && !(q->name = qsv_quantizer_find(name)))
        st = qsv_fail(err, QSV_EINPUT, "quantizer '%s' is none of %s", name, qsv_quantizer_names());
    if (!st && !qsv_scale_rule_find(&q->scale, rule))
        st = qsv_fail(err, QSV_EINPUT, "scale rule '%s' is neither max nor mse", rule);
    free(name);
    free(rule);
    return st;
}

static enum qsv_status read_head(hid_t file, const struct qsv_model *m, struct qsv_quantizer *q,
                                 uint64_t *statistics_hash, struct qsv_error *err)
{
    uint64_t version, model_hash;
    if (qsv_h5_get_u64(file, "qsvit_bank_version", &version, NULL))
        return qsv_fail(err, QSV_EINPUT,
                        "not a bank file (no attribute 'qsvit_bank_version'); qsvit calibrate "
                        "--bank makes one");
    if (version != FILE_VERSION)
        return qsv_fail(err, QSV_EINPUT, "bank file version %llu, this program reads %d",
                        (unsigned long long)version, FILE_VERSION);
    enum qsv_status st = qsv_h5_get_u64(file, "model_hash", &model_hash, err);
    if (!st && model_hash != m->hash)
        st = qsv_fail(err, QSV_EINPUT, "codes of model %016llx, but %s is %016llx",
                      (unsigned long long)model_hash, m->path, (unsigned long long)m->hash);
    if (!st)
        st = qsv_h5_get_u64(file, "statistics_hash", statistics_hash, err);
    return st ? st : read_quantizer(file, q, err);
}

static bool lies_in(uint64_t first, uint64_t n, uint64_t all)
{
    return first <= all && n <= all - first;
}

static enum qsv_status check_row(const struct contents *c, const struct row *r,
                                 const struct qsv_graph *g, struct qsv_error *err)
{
    if (r->layer >= g->n_layers || r->format >= QSV_N_FORMATS ||
        !qsv_format_info(r->format)->integer)
        return qsv_fail(err, QSV_EINPUT, "'entries' names layer %u in format %u: no such codes",
                        r->layer, r->format);
    const struct qsv_layer *l = &g->layers[r->layer];
    if (r->bytes == qsv_format_packed_bytes(r->format, (size_t)l->n_weights) &&
        lies_in(r->offset, r->bytes, c->n_bytes) &&
        lies_in(r->first_scale, l->out_ch, c->n_scales) &&
        (r->first_correction == NONE || lies_in(r->first_correction, l->out_ch, c->n_corrections)))
        return QSV_OK;
    return qsv_fail(err, QSV_EINPUT,
                    "%llu bytes at %llu do not fit layer '%s' or the %zu bytes of 'codes', %zu of "
                    "'scales' and %zu of 'corrections'",
                    (unsigned long long)r->bytes, (unsigned long long)r->offset, l->name,
                    c->n_bytes, c->n_scales, c->n_corrections);
}

static enum qsv_status install(struct qsv_bank *b, const struct contents *c, const struct row *r,
                               struct qsv_error *err)
{
    enum qsv_status st = check_row(c, r, &b->model->graph, err);
    if (st)
        return st;
    const size_t n = (size_t)b->model->graph.layers[r->layer].n_weights;
    int8_t *codes = qsv_alloc(n, 1);
    if (!codes)
        return qsv_fail_memory(err, b->model->graph.layers[r->layer].name);
    st = qsv_format_unpack(r->format, c->codes + r->offset, n, codes, err);
    const struct qsv_bank_entry entry = {
        .format = r->format,
        .codes = codes,
        .scale = c->scales + r->first_scale,
        .correction = r->first_correction == NONE ? NULL : c->corrections + r->first_correction,
        .loss = r->loss,
    };
    if (!st)
        st = qsv_bank_install(b, r->layer, &entry, err);
    free(codes);
    return st;
}

/* Not compressed, so it can't be longer than the file. */
static enum qsv_status read_floats(hid_t file, const char *name, size_t file_bytes, float **values,
                                   size_t *n, struct qsv_error *err)
{
    hsize_t dim = 0;
    void *data;
    enum qsv_status st =
        qsv_h5_read(file, name, H5T_NATIVE_FLOAT, sizeof(float), 1, &dim, file_bytes, &data, err);
    *values = data;
    *n = dim;
    return st;
}

static enum qsv_status read_contents(hid_t file, size_t file_bytes, struct contents *c,
                                     struct qsv_error *err)
{
    hsize_t n = 0, bytes = 0;
    void *rows, *codes = NULL;
    hid_t memory = row_type();
    enum qsv_status st = qsv_h5_read(file, "entries", memory, sizeof(struct row), 1, &n,
                                     MAX_ENTRIES * sizeof(struct row), &rows, err);
    H5Tclose(memory);
    c->rows = rows;
    if (!st)
        st = qsv_h5_read(file, "codes", H5T_NATIVE_UINT8, 1, 1, &bytes, file_bytes, &codes, err);
    c->codes = codes;
    c->n_rows = n;
    c->n_bytes = bytes;
    if (!st)
        st = read_floats(file, "scales", file_bytes, &c->scales, &c->n_scales, err);
    if (!st)
        st = read_floats(file, "corrections", file_bytes, &c->corrections, &c->n_corrections, err);
    return st;
}

static enum qsv_status read_all(struct qsv_bank **out, hid_t file, size_t file_bytes,
                                const struct qsv_model *model, const char *path,
                                struct qsv_error *err)
{
    struct qsv_quantizer q = {0};
    struct contents c = {0};
    uint64_t statistics_hash;
    enum qsv_status st = read_head(file, model, &q, &statistics_hash, err);
    if (!st)
        st = read_contents(file, file_bytes, &c, err);
    if (!st)
        st = qsv_bank_create(out, model, &q, err);
    if (!st && !((*out)->source = qsv_strdup(path)))
        st = qsv_fail_memory(err, "the bank");
    for (size_t i = 0; !st && i < c.n_rows; i++)
        st = install(*out, &c, &c.rows[i], err);
    if (!st)
        (*out)->statistics_hash = statistics_hash;
    contents_fini(&c);
    return st;
}

enum qsv_status qsv_bank_load(struct qsv_bank **out, const struct qsv_model *model,
                              const char *path, struct qsv_error *err)
{
    struct stat info;
    hid_t file;
    *out = NULL;
    if (stat(path, &info) < 0)
        return qsv_fail(err, QSV_EINPUT, "%s: no such bank file", path);
    enum qsv_status st = qsv_seal_open(&file, path, err);
    if (st)
        return st;
    st = read_all(out, file, (size_t)info.st_size, model, path, err);
    H5Fclose(file);
    if (!st)
        return QSV_OK;
    qsv_bank_destroy(*out);
    *out = NULL;
    return qsv_fail_in(err, st, "%s", path);
}
