#include "core/pack.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/h5.h"

enum { MAX_TEXT_BYTES = 1 << 16 };

struct pack {
    const char *path; /* for messages */
    hid_t file;
    struct qsv_dataset *source;
    bool (*stopped)(void *context);
    void *context;
};

static enum qsv_status fail_write(const struct pack *p, struct qsv_error *err)
{
    return qsv_fail(err, QSV_EIO, "%s: cannot write images: is the disk full?", p->path);
}

static enum qsv_status copy_image(const struct pack *p, uint64_t i, hid_t images, hid_t file_space,
                                  hid_t memory_space, uint8_t *pixels, struct qsv_error *err)
{
    const struct qsv_shape s = qsv_dataset_shape(p->source);
    const hsize_t start[4] = {i}, count[4] = {1, s.h, s.w, s.c};
    if (p->stopped(p->context))
        return qsv_fail(err, QSV_ESTOPPED, "%s: stopped after %" PRIu64 " images, nothing is left",
                        p->path, i);
    enum qsv_status st = qsv_dataset_read(p->source, i, pixels, NULL, err);
    if (st)
        return st;
    if (H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
        H5Dwrite(images, H5T_NATIVE_UINT8, memory_space, file_space, H5P_DEFAULT, pixels) < 0)
        return fail_write(p, err);
    return QSV_OK;
}

static enum qsv_status copy_images(const struct pack *p, hid_t images, hid_t file_space,
                                   struct qsv_error *err)
{
    const struct qsv_shape s = qsv_dataset_shape(p->source);
    const hsize_t count[4] = {1, s.h, s.w, s.c};
    const hid_t memory_space = H5Screate_simple(4, count, NULL);
    uint8_t *pixels = qsv_alloc((size_t)s.h * s.w, s.c);
    enum qsv_status st = memory_space >= 0 && pixels ? QSV_OK : qsv_fail_memory(err, p->path);
    for (uint64_t i = 0; !st && i < qsv_dataset_count(p->source); i++)
        st = copy_image(p, i, images, file_space, memory_space, pixels, err);
    free(pixels);
    if (memory_space >= 0)
        H5Sclose(memory_space);
    return st;
}

static enum qsv_status write_images(const struct pack *p, struct qsv_error *err)
{
    const struct qsv_shape s = qsv_dataset_shape(p->source);
    const hsize_t dims[4] = {qsv_dataset_count(p->source), s.h, s.w, s.c};
    const hsize_t chunk[4] = {1, s.h, s.w, s.c};
    const hid_t space = H5Screate_simple(4, dims, NULL), list = H5Pcreate(H5P_DATASET_CREATE);
    hid_t images = -1;
    if (space >= 0 && list >= 0 && H5Pset_chunk(list, 4, chunk) >= 0 &&
        H5Pset_fletcher32(list) >= 0 && H5Pset_fill_time(list, H5D_FILL_TIME_NEVER) >= 0)
        images = H5Dcreate2(p->file, "images", H5T_STD_U8LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
    enum qsv_status st = images < 0 ? fail_write(p, err) : copy_images(p, images, space, err);
    if (images >= 0 && H5Dclose(images) < 0 && !st)
        st = fail_write(p, err);
    if (list >= 0)
        H5Pclose(list);
    if (space >= 0)
        H5Sclose(space);
    return st;
}

static enum qsv_status write_labels(const struct pack *p, struct qsv_error *err)
{
    const uint64_t n = qsv_dataset_count(p->source);
    const struct qsv_h5_layout layout = {1, {n}, 0, 0};
    uint32_t *labels = qsv_alloc(n, sizeof *labels);
    enum qsv_status st = labels ? QSV_OK : qsv_fail_memory(err, p->path);
    for (uint64_t i = 0; !st && i < n; i++)
        st = qsv_dataset_read(p->source, i, NULL, &labels[i], err);
    if (!st)
        st =
            qsv_h5_write(p->file, "labels", H5T_STD_U16LE, H5T_NATIVE_UINT32, &layout, labels, err);
    free(labels);
    return st;
}

typedef const char *text_of(const struct qsv_dataset *d, uint64_t i);

static const char *image_name(const struct qsv_dataset *d, uint64_t i)
{
    return qsv_dataset_image_name(d, i);
}

static const char *class_name(const struct qsv_dataset *d, uint64_t i)
{
    return qsv_dataset_class_name(d, (uint32_t)i);
}

/* n texts as a dataset of texts of one length; nothing where the first is NULL. */
static enum qsv_status write_texts(const struct pack *p, const char *name, text_of *text,
                                   uint64_t n, struct qsv_error *err)
{
    const struct qsv_h5_layout layout = {1, {n}, 0, 0};
    size_t longest = 1;
    for (uint64_t i = 0; i < n; i++) {
        const char *t = text(p->source, i);
        const size_t bytes = t ? strlen(t) : 0;
        longest = bytes > longest ? bytes : longest;
    }
    if (!n || !text(p->source, 0) || longest > MAX_TEXT_BYTES)
        return QSV_OK;
    char *all = qsv_alloc(n, longest);
    if (!all)
        return qsv_fail_memory(err, p->path);
    for (uint64_t i = 0; i < n; i++) {
        const char *t = text(p->source, i);
        memcpy(all + i * longest, t ? t : "", t ? strlen(t) : 0);
    }
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, longest);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    enum qsv_status st = qsv_h5_write(p->file, name, type, type, &layout, all, err);
    H5Tclose(type);
    free(all);
    return st;
}

static enum qsv_status fill(const struct pack *p, struct qsv_error *err)
{
    char fingerprint[17];
    uint32_t classes = 0;
    snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, qsv_dataset_fingerprint(p->source));
    while (qsv_dataset_class_name(p->source, classes))
        classes++;
    enum qsv_status st = qsv_h5_set_string(p->file, "source_fingerprint", fingerprint, err);
    if (!st)
        st = write_labels(p, err);
    if (!st)
        st = write_texts(p, "paths", image_name, qsv_dataset_count(p->source), err);
    if (!st)
        st = write_texts(p, "classes", class_name, classes, err);
    return st ? st : write_images(p, err);
}

enum qsv_status qsv_pack(const char *path, struct qsv_dataset *d, bool (*stopped)(void *context),
                         void *context, struct qsv_error *err)
{
    struct pack p = {path, -1, d, stopped, context};
    char *temporary = qsv_file_temporary(path);
    if (!temporary)
        return qsv_fail_memory(err, path);
    enum qsv_status st = qsv_h5_create(&p.file, temporary, err);
    if (!st) {
        st = fill(&p, err);
        enum qsv_status closed = qsv_h5_close(p.file, temporary, st ? NULL : err);
        st = st ? st : closed;
        if (st)
            unlink(temporary);
        else
            st = qsv_file_commit(temporary, path, err);
    }
    free(temporary);
    return st;
}
