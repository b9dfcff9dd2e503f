/* Model files (docs/formats.md): HDF5 with few datasets, because each costs hundreds of bytes:
 * /tensors says where each tensor lies in the bytes of /data.
 */
#include "core/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/affine.h"
#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/h5.h"
#include "core/seal.h"

enum { FILE_VERSION = 1, MAX_NAME = 200, MAX_TENSORS = 1 << 16, CHUNK = 1 << 18 };
/* Weights of a tensor in format none, whose shape no bytes vouch for. */
static const size_t max_left_out = (size_t)1 << 30;

struct row {
    char name[MAX_NAME];
    uint8_t format, rank;
    int8_t exponent;
    uint32_t shape[QSV_MAX_RANK];
    uint64_t offset, bytes;
};

/* Closing what is not open is harmless in this file only through here. */
static void close_type(hid_t t)
{
    if (t >= 0)
        H5Tclose(t);
}

/* Only files with vectors of halves have the column `exponent`; where it is absent HDF5 leaves the
 * field as it is, 0. */
static hid_t row_type(size_t name_bytes, bool exponents)
{
    hid_t text = H5Tcopy(H5T_C_S1), t = H5Tcreate(H5T_COMPOUND, sizeof(struct row));
    H5Tset_size(text, name_bytes);
    H5Tinsert(t, "name", offsetof(struct row, name), text);
    H5Tinsert(t, "format", offsetof(struct row, format), H5T_NATIVE_UINT8);
    H5Tinsert(t, "rank", offsetof(struct row, rank), H5T_NATIVE_UINT8);
    for (int i = 0; i < QSV_MAX_RANK; i++) {
        char name[] = {"shape0"};
        name[5] = (char)('0' + i);
        H5Tinsert(t, name, offsetof(struct row, shape) + 4 * (size_t)i, H5T_NATIVE_UINT32);
    }
    H5Tinsert(t, "offset", offsetof(struct row, offset), H5T_NATIVE_UINT64);
    H5Tinsert(t, "bytes", offsetof(struct row, bytes), H5T_NATIVE_UINT64);
    if (exponents)
        H5Tinsert(t, "exponent", offsetof(struct row, exponent), H5T_NATIVE_INT8);
    H5Tclose(text);
    return t;
}

static enum qsv_status write_tensors(hid_t file, const struct qsv_model *m, struct qsv_error *err)
{
    size_t n = m->tensors.n, longest = 1, total = 0;
    struct row *rows = qsv_alloc(n, sizeof *rows);
    uint8_t *data = NULL;
    bool exponents = false;
    enum qsv_status st = QSV_OK;
    for (size_t i = 0; rows && i < n; i++) {
        const struct qsv_tensor *t = &m->tensors.v[i];
        size_t len = strlen(t->name);
        if (len >= MAX_NAME)
            st = qsv_fail(err, QSV_EINPUT, "tensor name '%s' is longer than %d", t->name, MAX_NAME);
        longest = len + 1 > longest ? len + 1 : longest;
        snprintf(rows[i].name, MAX_NAME, "%s", t->name);
        rows[i].format = (uint8_t)t->format;
        rows[i].rank = (uint8_t)t->rank;
        rows[i].exponent = t->exponent;
        exponents = exponents || qsv_affine_has_exponent(t);
        memcpy(rows[i].shape, t->shape, sizeof t->shape);
        rows[i].offset = total;
        rows[i].bytes = t->bytes;
        total += t->bytes;
    }
    if (!rows || !(data = qsv_alloc(total, 1)))
        st = qsv_fail_memory(err, "the model file");
    for (size_t i = 0; !st && i < n; i++)
        memcpy(data + rows[i].offset, m->tensors.v[i].data, rows[i].bytes);
    if (!st) {
        hid_t memory = row_type(MAX_NAME, exponents), packed = row_type(longest, exponents);
        H5Tpack(packed);
        /* Equal chunks: the last one, stored whole, wastes less than a byte a chunk. */
        size_t chunks = (total + CHUNK - 1) / CHUNK;
        struct qsv_h5_layout table = {.rank = 1, .dims = {n}, .deflate = 9};
        struct qsv_h5_layout bytes = {
            .rank = 1, .dims = {total}, .chunk_rows = chunks ? (total + chunks - 1) / chunks : 1};
        st = qsv_h5_write(file, "tensors", packed, memory, &table, rows, err);
        if (!st)
            st = qsv_h5_write(file, "data", H5T_STD_U8LE, H5T_NATIVE_UINT8, &bytes, data, err);
        close_type(packed);
        close_type(memory);
    }
    free(data);
    free(rows);
    return st;
}

static enum qsv_status write_attributes(hid_t file, const struct qsv_model *m,
                                        struct qsv_error *err)
{
    const struct qsv_model_options *o = &m->options;
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"qsvit_model_version", FILE_VERSION},
        {"heads", o->heads},
        {"time_steps", o->time_steps},
        {"input_channels", o->input.c},
        {"input_height", o->input.h},
        {"input_width", o->input.w},
        {"classes", m->classes},
        {"source_bytes", m->source_bytes},
        {"hash", m->hash},
    };
    double mean[QSV_MAX_CHANNELS], std[QSV_MAX_CHANNELS];
    enum qsv_status st = qsv_h5_set_string(file, "architecture", m->architecture, err);
    for (size_t i = 0; !st && i < sizeof numbers / sizeof *numbers; i++)
        st = qsv_h5_set_u64(file, numbers[i].name, numbers[i].value, err);
    for (uint32_t c = 0; c < o->input.c; c++) {
        mean[c] = (double)o->mean[c];
        std[c] = (double)o->std[c];
    }
    if (!st)
        st = qsv_h5_set_f64s(file, "mean", mean, o->input.c, err);
    return st ? st : qsv_h5_set_f64s(file, "std", std, o->input.c, err);
}

enum qsv_status qsv_model_save(const struct qsv_model *m, const char *path, struct qsv_error *err)
{
    struct qsv_h5_image *image;
    enum qsv_status st = qsv_seal_create(&image, err);
    if (st)
        return st;
    st = write_attributes(qsv_h5_image_file(image), m, err);
    if (!st)
        st = write_tensors(qsv_h5_image_file(image), m, err);
    if (!st)
        return qsv_seal_commit(image, path, err);
    qsv_h5_image_destroy(image);
    return qsv_fail_in(err, st, "%s", path);
}

static enum qsv_status read_u32(hid_t file, const char *name, uint32_t *value,
                                struct qsv_error *err)
{
    uint64_t v = 0;
    enum qsv_status st = qsv_h5_get_u64(file, name, &v, err);
    if (!st && v > UINT32_MAX)
        st = qsv_fail(err, QSV_EINPUT, "attribute '%s' is %llu, expected at most 2^32 - 1", name,
                      (unsigned long long)v);
    *value = (uint32_t)v;
    return st;
}

static enum qsv_status read_options(hid_t file, struct qsv_model_options *o, struct qsv_error *err)
{
    double mean[QSV_MAX_CHANNELS], std[QSV_MAX_CHANNELS];
    enum qsv_status st = read_u32(file, "heads", &o->heads, err);
    if (!st)
        st = read_u32(file, "time_steps", &o->time_steps, err);
    if (!st)
        st = read_u32(file, "input_channels", &o->input.c, err);
    if (!st)
        st = read_u32(file, "input_height", &o->input.h, err);
    if (!st)
        st = read_u32(file, "input_width", &o->input.w, err);
    if (!st && (!o->input.c || o->input.c > QSV_MAX_CHANNELS))
        st = qsv_fail(err, QSV_EINPUT, "attribute 'input_channels' is %u, expected 1..%d",
                      o->input.c, QSV_MAX_CHANNELS);
    if (!st)
        st = qsv_h5_get_f64s(file, "mean", mean, o->input.c, err);
    if (!st)
        st = qsv_h5_get_f64s(file, "std", std, o->input.c, err);
    for (uint32_t c = 0; !st && c < o->input.c; c++) {
        o->mean[c] = (float)mean[c];
        o->std[c] = (float)std[c];
    }
    return st;
}

static enum qsv_status check_exponent(const struct qsv_tensor *t, struct qsv_error *err)
{
    int low = 0, high = 0;
    if (qsv_affine_has_exponent(t)) {
        low = QSV_AFFINE_EXPONENT_MIN;
        high = QSV_AFFINE_EXPONENT_MAX;
    }
    if (t->exponent >= low && t->exponent <= high)
        return QSV_OK;
    return qsv_fail(err, QSV_EINPUT, "tensor '%s' has exponent %d, expected %d..%d", t->name,
                    t->exponent, low, high);
}

static enum qsv_status take_tensor(struct qsv_tensors *out, const struct row *r,
                                   const uint8_t *data, size_t data_bytes, struct qsv_error *err)
{
    struct qsv_tensor *t;
    if (r->format >= QSV_N_FORMATS || r->rank > QSV_MAX_RANK)
        return qsv_fail(err, QSV_EINPUT, "tensor '%.*s' has format %u and rank %u", MAX_NAME,
                        r->name, r->format, r->rank);
    size_t n = 1;
    for (uint32_t i = 0; i < r->rank; i++)
        if (!qsv_mul_size(n, r->shape[i], &n))
            n = SIZE_MAX;
    const size_t most = r->format == QSV_NONE ? max_left_out : data_bytes * 8;
    if (r->offset > data_bytes || r->bytes > data_bytes - r->offset || n > most ||
        qsv_format_packed_bytes((enum qsv_format)r->format, n) != r->bytes)
        return qsv_fail(
            err, QSV_EINPUT,
            "tensor '%.*s': %llu bytes at %llu do not fit its shape or the %zu bytes of "
            "/data",
            MAX_NAME, r->name, (unsigned long long)r->bytes, (unsigned long long)r->offset,
            data_bytes);
    enum qsv_status st =
        qsv_tensors_add(out, r->name, (enum qsv_format)r->format, r->rank, r->shape, &t, err);
    if (st)
        return st;
    if (r->bytes)
        memcpy(t->data, data + r->offset, r->bytes);
    t->exponent = r->exponent;
    return check_exponent(t, err);
}

static enum qsv_status read_tensors(hid_t file, size_t file_bytes, struct qsv_tensors *out,
                                    struct qsv_error *err)
{
    hsize_t n = 0, bytes = 0;
    void *rows = NULL, *data = NULL;
    hid_t memory = row_type(MAX_NAME, true);
    enum qsv_status st = qsv_h5_read(file, "tensors", memory, sizeof(struct row), 1, &n,
                                     MAX_TENSORS * sizeof(struct row), &rows, err);
    if (!st) /* not compressed, so it can't be longer than the file */
        st = qsv_h5_read(file, "data", H5T_NATIVE_UINT8, 1, 1, &bytes, file_bytes, &data, err);
    for (hsize_t i = 0; !st && i < n; i++) {
        struct row *r = (struct row *)rows + i;
        r->name[MAX_NAME - 1] = '\0';
        st = take_tensor(out, r, data, bytes, err);
    }
    close_type(memory);
    free(rows);
    free(data);
    return st;
}

static enum qsv_status check_version(hid_t file, struct qsv_error *err)
{
    uint64_t version;
    if (qsv_h5_get_u64(file, "qsvit_model_version", &version, NULL))
        return qsv_fail(err, QSV_EINPUT,
                        "not a qsvit model file (no attribute 'qsvit_model_version'); qsvit import "
                        "makes one from a checkpoint");
    if (version != FILE_VERSION)
        return qsv_fail(err, QSV_EINPUT, "model file version %llu, this program reads %d",
                        (unsigned long long)version, FILE_VERSION);
    return QSV_OK;
}

enum qsv_status qsv_model_load(struct qsv_model **out, const char *path, struct qsv_error *err)
{
    hid_t file;
    struct stat info;
    struct qsv_model_options options = {0};
    struct qsv_tensors tensors = {0};
    uint64_t hash = 0, source_bytes = 0;
    *out = NULL;
    if (stat(path, &info) < 0)
        return qsv_fail(err, QSV_EINPUT,
                        "%s: no such model file; qsvit import makes one from a checkpoint", path);
    enum qsv_status st = qsv_seal_open(&file, path, err);
    if (st == QSV_EINPUT && qsv_seal_is_missing(path))
        return qsv_fail(err, st, "%s: not a model file; qsvit import makes one from a checkpoint",
                        path);
    if (st)
        return st;
    st = check_version(file, err);
    if (!st)
        st = read_options(file, &options, err);
    if (!st)
        st = qsv_h5_get_u64(file, "hash", &hash, err);
    if (!st)
        st = qsv_h5_get_u64(file, "source_bytes", &source_bytes, err);
    if (!st)
        st = read_tensors(file, (size_t)info.st_size, &tensors, err);
    H5Fclose(file);
    if (st) {
        qsv_tensors_fini(&tensors);
        return qsv_fail_in(err, st, "%s", path);
    }
    st = qsv_model_create(out, &tensors, &options, path, err);
    if (!st && (*out)->hash != hash) {
        qsv_model_destroy(*out);
        *out = NULL;
        st = qsv_fail(err, QSV_EINPUT, "%s: damaged: its contents do not match its checksum", path);
    }
    if (!st)
        (*out)->source_bytes = source_bytes;
    return st;
}
