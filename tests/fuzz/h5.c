#include "tests/fuzz/h5.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/h5.h"
#include "core/seal.h"
#include "tests/fuzz/fuzz.h"

enum { MAX_OBJECTS = 256, MAX_NAME = 128, MAX_RANK = 8, MAX_CHANGES = 16 };
static const size_t max_value = (size_t)1 << 22;

/* A dataset, or an attribute of one or of a group. */
struct object {
    char path[MAX_NAME], attribute[MAX_NAME]; /* "": it is the dataset */
};

struct fuzz_h5 {
    uint8_t *data; /* [bytes] */
    size_t bytes;
    bool sealed;
    struct object objects[MAX_OBJECTS];
    size_t n_objects;
};

/* A change that is asked for. */
struct change {
    unsigned what, where;
    const struct object *object;
    const uint8_t *data;
    size_t bytes;
};

/* An object that is open. */
struct handle {
    hid_t id, type, space;
    bool is_attribute;
    size_t bytes; /* of the value as it lies in the file */
    int rank;
    hsize_t dims[MAX_RANK];
};

static char paths[FUZZ_SLOTS][256];

static void remove_files(void)
{
    for (int i = 0; i < FUZZ_SLOTS; i++)
        if (paths[i][0])
            unlink(paths[i]);
}

/* HDF5 asks for a file's real path, which a file in memory does not have. */
static const char *path_of(unsigned slot)
{
    static bool begun;
    FUZZ_NEED(slot < FUZZ_SLOTS);
    if (!begun)
        begun = !atexit(remove_files);
    if (!paths[slot][0]) {
        const char *tmp = getenv("TMPDIR");
        snprintf(paths[slot], sizeof paths[slot], "%.200s/qsv-fuzz-XXXXXX", tmp ? tmp : "/tmp");
        const int fd = mkstemp(paths[slot]);
        FUZZ_NEED(fd >= 0 && !close(fd));
    }
    return paths[slot];
}

static void write_bytes(const char *path, const uint8_t *data, size_t bytes)
{
    const int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    FUZZ_NEED(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes && !close(fd));
}

static void add_object(struct fuzz_h5 *h5, const char *path, const char *attribute)
{
    FUZZ_NEED(h5->n_objects < MAX_OBJECTS);
    struct object *o = &h5->objects[h5->n_objects++];
    FUZZ_NEED(snprintf(o->path, MAX_NAME, "%s", path) < MAX_NAME);
    FUZZ_NEED(snprintf(o->attribute, MAX_NAME, "%s", attribute) < MAX_NAME);
}

struct visit {
    struct fuzz_h5 *h5;
    const char *path;
};

static herr_t visit_attribute(hid_t loc, const char *name, const H5A_info_t *info, void *visit)
{
    const struct visit *v = visit;
    (void)loc;
    (void)info;
    add_object(v->h5, v->path, name);
    return 0;
}

static herr_t visit_object(hid_t loc, const char *name, const H5O_info_t *info, void *h5)
{
    struct visit v = {h5, name};
    hid_t object = H5Oopen(loc, name, H5P_DEFAULT);
    if (info->type == H5O_TYPE_DATASET)
        add_object(h5, name, "");
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, &v);
    H5Oclose(object);
    return 0;
}

struct fuzz_h5 *fuzz_h5_load(const char *path)
{
    static const uint8_t signature[] = {0x89, 'H', 'D', 'F'};
    struct fuzz_h5 *h5 = calloc(1, sizeof *h5);
    struct qsv_error err = {0};
    hid_t file;
    FUZZ_NEED(h5);
    if (qsv_file_read(&h5->data, &h5->bytes, path, 1 << 22, &err) || qsv_h5_open(&file, path, &err))
        fuzz_fail("%s", err.text);
    h5->sealed = memcmp(h5->data, signature, sizeof signature) != 0;
    FUZZ_NEED(H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, visit_object, h5) >= 0);
    H5Fclose(file);
    return h5;
}

static void close_handle(struct handle *h)
{
    if (h->space >= 0)
        H5Sclose(h->space);
    if (h->type >= 0)
        H5Tclose(h->type);
    if (h->id >= 0 && h->is_attribute)
        H5Aclose(h->id);
    else if (h->id >= 0)
        H5Dclose(h->id);
}

/* False where it is gone by an earlier change. */
static bool open_handle(struct handle *h, hid_t file, const struct object *o)
{
    h->is_attribute = o->attribute[0] != '\0';
    h->id = h->type = h->space = -1;
    if (!h->is_attribute)
        h->id = H5Dopen2(file, o->path, H5P_DEFAULT);
    else if (H5Aexists_by_name(file, o->path, o->attribute, H5P_DEFAULT) > 0)
        h->id = H5Aopen_by_name(file, o->path, o->attribute, H5P_DEFAULT, H5P_DEFAULT);
    if (h->id < 0)
        return false;
    h->type = h->is_attribute ? H5Aget_type(h->id) : H5Dget_type(h->id);
    h->space = h->is_attribute ? H5Aget_space(h->id) : H5Dget_space(h->id);
    h->rank = H5Sget_simple_extent_dims(h->space, h->dims, NULL);
    h->bytes = H5Tget_size(h->type) * (size_t)H5Sget_simple_extent_npoints(h->space);
    return h->bytes <= max_value && H5Tdetect_class(h->type, H5T_VLEN) <= 0 &&
           H5Tis_variable_str(h->type) <= 0;
}

/* In the file's type, so that it is the bytes that lie there; `room` bytes and zero behind. */
static uint8_t *read_value(const struct handle *h, size_t room)
{
    uint8_t *value = calloc(1, (room > h->bytes ? room : h->bytes) + 1);
    FUZZ_NEED(value);
    if (h->is_attribute)
        FUZZ_NEED(H5Aread(h->id, h->type, value) >= 0);
    else if (h->bytes)
        FUZZ_NEED(H5Dread(h->id, h->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) >= 0);
    return value;
}

static void replace_bytes(const struct handle *h, const struct change *c)
{
    if (!h->bytes)
        return;
    const size_t at = c->where % h->bytes, most = h->bytes - at;
    uint8_t *value = read_value(h, 0);
    memcpy(value + at, c->data, c->bytes < most ? c->bytes : most);
    if (h->is_attribute)
        H5Awrite(h->id, h->type, value);
    else
        H5Dwrite(h->id, h->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value);
    free(value);
}

static void unlink_object(hid_t file, const struct object *o)
{
    if (o->attribute[0])
        H5Adelete_by_name(file, o->path, o->attribute, H5P_DEFAULT);
    else
        H5Ldelete(file, o->path, H5P_DEFAULT);
}

/* In place of the one that was unlinked; value NULL: zeros. */
static void make_object(hid_t file, const struct object *o, hid_t type, hid_t space,
                        const void *value)
{
    if (o->attribute[0]) {
        hid_t a = H5Acreate_by_name(file, o->path, o->attribute, type, space, H5P_DEFAULT,
                                    H5P_DEFAULT, H5P_DEFAULT);
        if (a >= 0)
            H5Aclose(a);
        return;
    }
    hid_t d = H5Dcreate2(file, o->path, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (d >= 0 && value)
        H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value);
    if (d >= 0)
        H5Dclose(d);
}

static void change_rows(hid_t file, struct handle *h, const struct change *c)
{
    if (h->is_attribute || h->rank < 1 || !h->dims[0])
        return;
    const size_t row = h->bytes / (size_t)h->dims[0], bytes = row * c->where;
    if (bytes > max_value)
        return;
    uint8_t *value = read_value(h, bytes);
    h->dims[0] = c->where;
    hid_t space = H5Screate_simple(h->rank, h->dims, NULL);
    unlink_object(file, c->object);
    make_object(file, c->object, h->type, space, bytes ? value : NULL);
    H5Sclose(space);
    free(value);
}

static void change_type(hid_t file, const struct handle *h, const struct change *c)
{
    const hid_t types[] = {H5T_STD_U8LE,  H5T_STD_I8LE,   H5T_STD_U16BE,  H5T_STD_U32LE,
                           H5T_STD_U64BE, H5T_STD_I64LE,  H5T_IEEE_F32LE, H5T_IEEE_F64BE,
                           H5T_C_S1,      H5T_STD_REF_OBJ};
    hid_t scalar = c->bytes % 2 ? H5Screate(H5S_SCALAR) : H5Scopy(h->space);
    unlink_object(file, c->object);
    make_object(file, c->object, types[c->where % (sizeof types / sizeof *types)], scalar, NULL);
    H5Sclose(scalar);
}

static void apply(hid_t file, const struct change *c)
{
    struct handle h;
    bool usable = open_handle(&h, file, c->object);
    if (usable && c->what == 0)
        replace_bytes(&h, c);
    else if (usable && c->what == 1)
        change_rows(file, &h, c);
    else if (usable && c->what == 2)
        unlink_object(file, c->object);
    else if (usable)
        change_type(file, &h, c);
    close_handle(&h);
}

static bool next_change(struct change *c, const struct fuzz_h5 *h5, struct qsv_cursor *in)
{
    c->what = qsv_cursor_u8(in) % 4;
    c->object = &h5->objects[qsv_cursor_u8(in) % h5->n_objects];
    c->where = qsv_cursor_u16(in);
    c->bytes = qsv_cursor_u16(in);
    const size_t left = qsv_cursor_left(in);
    if (in->failed)
        return false;
    if (c->what == 0) {
        c->bytes = c->bytes < left ? c->bytes : left;
        c->data = qsv_cursor_take(in, c->bytes);
    }
    return true;
}

/* Puts a seal on what follows where the old one is. */
static void seal(const char *path)
{
    uint8_t *data;
    size_t bytes;
    struct qsv_error err = {0};
    if (qsv_file_read(&data, &bytes, path, 1 << 26, &err))
        fuzz_fail("%s", err.text);
    FUZZ_NEED(bytes > QSV_SEAL_BYTES);
    qsv_seal_make(data, data + QSV_SEAL_BYTES, bytes - QSV_SEAL_BYTES);
    write_bytes(path, data, bytes);
    free(data);
}

const char *fuzz_h5_change(const struct fuzz_h5 *h5, unsigned slot, const uint8_t *data,
                           size_t size)
{
    struct qsv_cursor in = qsv_cursor_over(data, size);
    struct change c = {0};
    const char *path = path_of(slot);
    write_bytes(path, h5->data, h5->bytes);
    qsv_h5_begin();
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    FUZZ_NEED(file >= 0);
    for (int i = 0; i < MAX_CHANGES && next_change(&c, h5, &in); i++)
        apply(file, &c);
    FUZZ_NEED(H5Fclose(file) >= 0);
    if (h5->sealed)
        seal(path);
    return path;
}
