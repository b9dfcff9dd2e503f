/* One packed file, from its parts. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/h5.h"
#include "core/pack_files.h"

enum { MAX_TEXT_BYTES = 1 << 16 };

struct packed {
    const struct qsv_pack *pack;
    const char *path; /* for messages */
    hid_t file;
    uint32_t shard;
    uint64_t first, kept; /* number in the source of the range's first image; images written */
    struct qsv_pack_left_out *left_out;
};

void qsv_pack_left_out_fini(struct qsv_pack_left_out *l)
{
    qsv_damage_fini(&l->numbers);
    qsv_strbuf_fini(&l->text);
}

enum qsv_status qsv_pack_add_left_out(struct qsv_pack_left_out *l, const char *text, size_t bytes,
                                      uint64_t first, uint64_t end, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (const char *line = text, *stop = text + bytes, *next; !st && line < stop; line = next) {
        const char *newline = memchr(line, '\n', (size_t)(stop - line));
        char *why = NULL;
        const uint64_t i = newline ? strtoull(line, &why, 10) : 0;
        const uint64_t least = l->numbers.n ? l->numbers.numbers[l->numbers.n - 1] + 1 : 0;
        if (!newline || why == line || *why != ' ' || i < first || i >= end || i - first < least)
            return qsv_fail(err, QSV_EINPUT, "the list of skipped images is damaged");
        next = newline + 1;
        st = qsv_damage_add(&l->numbers, i - first, err);
    }
    qsv_strbuf_add(&l->text, text, bytes);
    return !st && l->text.failed ? qsv_fail_memory(err, "a list of images") : st;
}

static enum qsv_status fail_write(const struct packed *x, struct qsv_error *err)
{
    return qsv_h5_fail(err, QSV_EIO, x->path, "cannot write images");
}

static enum qsv_status write_pixels(const struct packed *x, uint64_t at, uint64_t n,
                                    const uint8_t *pixels, hid_t images, hid_t file_space,
                                    hid_t memory_space, struct qsv_error *err)
{
    const struct qsv_pack *p = x->pack;
    const struct qsv_shape s = qsv_dataset_shape(p->source);
    const hsize_t count[4] = {1, s.h, s.w, s.c};
    for (uint64_t i = 0; i < n; i++, pixels += p->image_bytes) {
        const hsize_t start[4] = {at + i};
        if (p->stopped(p->context))
            return qsv_fail(err, QSV_ESTOPPED, "%s: stopped", p->output);
        if (H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
            H5Dwrite(images, H5T_NATIVE_UINT8, memory_space, file_space, H5P_DEFAULT, pixels) < 0)
            return fail_write(x, err);
    }
    return QSV_OK;
}

/* A part that is damaged is made anew by whoever tries again. */
static enum qsv_status read_part(struct qsv_part *part, const struct qsv_pack *p, uint32_t number,
                                 struct qsv_error *err)
{
    const struct qsv_part_key key = qsv_pack_key(p, number);
    char *path = qsv_pack_part_path(p, number);
    if (!path)
        return qsv_fail_memory(err, p->folder);
    enum qsv_status st = qsv_part_read(part, path, &key, err);
    if (st == QSV_EINPUT) {
        unlink(path);
        st = qsv_fail(err, QSV_EFAILED,
                      "%s: is damaged, and was removed; the same command makes "
                      "it anew",
                      path);
    }
    free(path);
    return st;
}

static enum qsv_status copy_parts(const struct packed *x, hid_t images, hid_t file_space,
                                  hid_t memory_space, struct qsv_error *err)
{
    const struct qsv_pack *p = x->pack;
    const uint32_t *range = &p->first_part[x->shard];
    const uint64_t end = qsv_pack_shard_first(p, x->shard + 1);
    uint64_t at = 0;
    enum qsv_status st = QSV_OK;
    for (uint32_t i = range[0]; !st && i < range[1]; i++) {
        struct qsv_part part;
        st = read_part(&part, p, i, err);
        if (st)
            break;
        st = write_pixels(x, at, part.kept, part.pixels, images, file_space, memory_space, err);
        if (!st)
            st = qsv_pack_add_left_out(x->left_out, part.text, part.text_bytes, x->first, end, err);
        at += part.kept;
        qsv_part_fini(&part);
    }
    return st;
}

static hid_t create_images(const struct packed *x, hid_t space)
{
    const struct qsv_shape s = qsv_dataset_shape(x->pack->source);
    const hsize_t chunk[4] = {1, s.h, s.w, s.c};
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    hid_t images = -1;
    if (list >= 0 && H5Pset_chunk(list, 4, chunk) >= 0 && H5Pset_fletcher32(list) >= 0 &&
        H5Pset_fill_time(list, H5D_FILL_TIME_NEVER) >= 0 &&
        H5Pset_obj_track_times(list, false) >= 0)
        images = H5Dcreate2(x->file, "images", H5T_STD_U8LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
    if (list >= 0)
        H5Pclose(list);
    return images;
}

static enum qsv_status write_images(const struct packed *x, struct qsv_error *err)
{
    const struct qsv_shape s = qsv_dataset_shape(x->pack->source);
    const hsize_t dims[4] = {x->kept, s.h, s.w, s.c}, one[4] = {1, s.h, s.w, s.c};
    const hid_t space = H5Screate_simple(4, dims, NULL), row = H5Screate_simple(4, one, NULL);
    const hid_t images = create_images(x, space);
    enum qsv_status st = space < 0 || row < 0 || images < 0
                             ? fail_write(x, err)
                             : copy_parts(x, images, space, row, err);
    if (images >= 0 && H5Dclose(images) < 0 && !st)
        st = fail_write(x, err);
    if (row >= 0)
        H5Sclose(row);
    if (space >= 0)
        H5Sclose(space);
    return st;
}

/* Number in the source of an image of the file. */
static uint64_t source_number(const struct packed *x, uint64_t i)
{
    return x->first + qsv_damage_number(&x->left_out->numbers, i);
}

static enum qsv_status write_labels(const struct packed *x, struct qsv_error *err)
{
    const struct qsv_h5_layout layout = {1, {x->kept}, 0, 0};
    uint32_t *labels = qsv_alloc(x->kept, sizeof *labels);
    enum qsv_status st = labels ? QSV_OK : qsv_fail_memory(err, x->path);
    for (uint64_t i = 0; !st && i < x->kept; i++)
        st = qsv_dataset_read(x->pack->source, source_number(x, i), NULL, &labels[i], err);
    if (!st)
        st =
            qsv_h5_write(x->file, "labels", H5T_STD_U16LE, H5T_NATIVE_UINT32, &layout, labels, err);
    free(labels);
    return st;
}

typedef const char *text_of(const struct packed *x, uint64_t i);

static const char *image_name(const struct packed *x, uint64_t i)
{
    return qsv_dataset_image_name(x->pack->source, source_number(x, i));
}

static const char *skipped_name(const struct packed *x, uint64_t i)
{
    return qsv_dataset_image_name(x->pack->source, x->first + x->left_out->numbers.numbers[i]);
}

static const char *class_name(const struct packed *x, uint64_t i)
{
    return qsv_dataset_class_name(x->pack->source, (uint32_t)i);
}

/* n texts as a dataset of texts of one length; nothing where the first is NULL. */
static enum qsv_status write_texts(const struct packed *x, const char *name, text_of *text,
                                   uint64_t n, struct qsv_error *err)
{
    const struct qsv_h5_layout layout = {1, {n}, 0, 0};
    size_t longest = 1;
    for (uint64_t i = 0; i < n; i++) {
        const char *t = text(x, i);
        const size_t bytes = t ? strlen(t) : 0;
        longest = bytes > longest ? bytes : longest;
    }
    if (!n || !text(x, 0) || longest > MAX_TEXT_BYTES)
        return QSV_OK;
    char *all = qsv_alloc(n, longest);
    if (!all)
        return qsv_fail_memory(err, x->path);
    for (uint64_t i = 0; i < n; i++) {
        const char *t = text(x, i);
        memcpy(all + i * longest, t ? t : "", t ? strlen(t) : 0);
    }
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, longest);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    enum qsv_status st = qsv_h5_write(x->file, name, type, type, &layout, all, err);
    H5Tclose(type);
    free(all);
    return st;
}

static enum qsv_status write_all_texts(const struct packed *x, struct qsv_error *err)
{
    uint32_t classes = 0;
    while (class_name(x, classes))
        classes++;
    enum qsv_status st = write_texts(x, "paths", image_name, x->kept, err);
    if (!st)
        st = write_texts(x, "classes", class_name, classes, err);
    return st ? st : write_texts(x, "skipped", skipped_name, x->left_out->numbers.n, err);
}

static enum qsv_status write_transform(hid_t file, const struct qsv_transform *t,
                                       struct qsv_error *err)
{
    enum qsv_status st = qsv_h5_set_u64(file, "resize", t->resize, err);
    if (!st)
        st = qsv_h5_set_u64(file, "crop", t->crop, err);
    return st ? st
              : qsv_h5_set_string(file, "interpolation",
                                  t->interpolation == QSV_BICUBIC ? "bicubic" : "bilinear", err);
}

static enum qsv_status write_attributes(const struct packed *x, struct qsv_error *err)
{
    const struct qsv_pack *p = x->pack;
    const struct qsv_transform *t = qsv_dataset_transform(p->source);
    char fingerprint[17];
    snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, p->fingerprint);
    enum qsv_status st = qsv_h5_set_string(x->file, "source_fingerprint", fingerprint, err);
    if (!st)
        st = qsv_h5_set_u64(x->file, "skipped_images", x->left_out->numbers.n, err);
    if (!st && t)
        st = write_transform(x->file, t, err);
    if (!st && p->shards > 1)
        st = qsv_h5_set_u64(x->file, "shard", x->shard, err);
    if (!st && p->shards > 1)
        st = qsv_h5_set_u64(x->file, "shards", p->shards, err);
    return st;
}

static enum qsv_status fill(const struct packed *x, struct qsv_error *err)
{
    enum qsv_status st = write_images(x, err);
    if (!st)
        st = write_attributes(x, err);
    if (!st)
        st = write_labels(x, err);
    return st ? st : write_all_texts(x, err);
}

/* How many images the file will have. */
static enum qsv_status count_kept(struct packed *x, struct qsv_error *err)
{
    const struct qsv_pack *p = x->pack;
    enum qsv_status st = QSV_OK;
    for (uint32_t i = p->first_part[x->shard]; !st && i < p->first_part[x->shard + 1]; i++) {
        const struct qsv_part_key key = qsv_pack_key(p, i);
        uint64_t kept = 0;
        char *path = qsv_pack_part_path(p, i);
        st = path ? qsv_part_look(&kept, path, &key, err) : qsv_fail_memory(err, p->folder);
        free(path);
        x->kept += kept;
    }
    if (!st && !x->kept)
        st = qsv_fail(err, QSV_EINPUT, "%s: none of the images of file %u can be decoded",
                      p->output, x->shard);
    return st;
}

enum qsv_status qsv_pack_write_file(const struct qsv_pack *p, uint32_t shard, const char *path,
                                    struct qsv_pack_left_out *left_out, struct qsv_error *err)
{
    struct packed x = {p, path, -1, shard, qsv_pack_shard_first(p, shard), 0, left_out};
    enum qsv_status st = count_kept(&x, err);
    if (!st)
        st = qsv_h5_create(&x.file, path, err);
    if (st)
        return st;
    st = fill(&x, err);
    enum qsv_status closed = qsv_h5_close(x.file, path, st ? NULL : err);
    return st ? st : closed;
}
