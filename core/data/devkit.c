#define _GNU_SOURCE
#include "core/data/devkit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <matio.h>

#include "core/base/alloc.h"
#include "core/base/cursor.h"
#include "core/base/file.h"
#include "core/base/io.h"
#include "core/base/sandbox.h"
#include "core/base/strbuf.h"

/* The published files: 2 MB packed, meta.mat 320 KB, 50,000 lines, 1,860 synsets. */
enum {
    MAX_ENTRIES = 10000,
    MAX_FILE_BYTES = 1 << 25,
    MAX_UNPACKED = 1 << 28,
    MAX_IMAGES = 1 << 24,
    MAX_SYNSETS = 1 << 16,
    MAX_TEXT = 500,
    BLOCK_BYTES = 1 << 14,
    MAT_HEADER = 128,
    TRY_MEMORY_BYTES = 1 << 28,
    TRY_S = 20
};

static const char ground_truth_name[] = "/data/ILSVRC2012_validation_ground_truth.txt";
static const char meta_name[] = "/data/meta.mat";

struct file {
    const char *name; /* how its path ends */
    char *data;       /* and a NUL byte */
    size_t bytes;
};

struct synset {
    uint32_t id;
    char *text; /* WordNet id, blank, words */
};

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

static enum qsv_status read_entry(struct file *f, struct archive *a, struct archive_entry *e,
                                  const char *path, struct qsv_error *err)
{
    const int64_t bytes = archive_entry_size(e);
    if (f->data || bytes < 1 || bytes > MAX_FILE_BYTES)
        return qsv_fail(err, QSV_EINPUT, "%s: %s is there twice or has not 1 to %d bytes", path,
                        f->name, MAX_FILE_BYTES);
    f->data = qsv_alloc((size_t)bytes + 1, 1);
    if (!f->data)
        return qsv_fail_memory(err, path);
    f->bytes = (size_t)bytes;
    if (archive_read_data(a, f->data, f->bytes) != (la_ssize_t)f->bytes)
        return qsv_fail(err, QSV_EINPUT, "%s: %s can't be read: %s", path, f->name,
                        archive_error_string(a) ? archive_error_string(a) : "it is cut off");
    return QSV_OK;
}

static enum qsv_status read_entries(struct archive *a, struct file files[2], const char *path,
                                    struct qsv_error *err)
{
    struct archive_entry *e;
    int64_t unpacked = 0;
    for (int n = 0;; n++) {
        const int r = archive_read_next_header(a, &e);
        if (r == ARCHIVE_EOF)
            return QSV_OK;
        if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
            return qsv_fail(err, QSV_EINPUT, "%s: can't be read: %s", path,
                            archive_error_string(a) ? archive_error_string(a) : "unknown reason");
        const int64_t bytes = archive_entry_size(e);
        if (n >= MAX_ENTRIES || bytes < 0 || bytes > MAX_UNPACKED - unpacked)
            return qsv_fail(err, QSV_EINPUT,
                            "%s: holds more than %d entries or %d bytes: no development kit", path,
                            MAX_ENTRIES, MAX_UNPACKED);
        unpacked += bytes;
        const char *name = archive_entry_pathname(e);
        for (int i = 0; name && i < 2; i++) {
            enum qsv_status st = QSV_OK;
            if (archive_entry_filetype(e) == AE_IFREG && ends_with(name, files[i].name))
                st = read_entry(&files[i], a, e, path, err);
            if (st)
                return st;
        }
    }
}

static enum qsv_status unpack(struct file files[2], const char *path, struct qsv_error *err)
{
    struct archive *a = archive_read_new();
    enum qsv_status st = QSV_OK;
    if (!a)
        return qsv_fail_memory(err, path);
    if (archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
        archive_read_support_format_tar(a) != ARCHIVE_OK ||
        archive_read_open_filename(a, path, BLOCK_BYTES) != ARCHIVE_OK)
        st = qsv_fail(err, QSV_EINPUT, "%s: can't be read: %s", path,
                      archive_error_string(a) ? archive_error_string(a) : "unknown reason");
    if (!st)
        st = read_entries(a, files, path, err);
    archive_read_free(a);
    for (int i = 0; !st && i < 2; i++)
        if (!files[i].data)
            st = qsv_fail(err, QSV_EINPUT, "%s: holds no ...%s: no ILSVRC2012 development kit",
                          path, files[i].name);
    return st;
}

static bool read_number(const matvar_t *v, uint32_t *out)
{
    if (!v || v->class_type != MAT_C_DOUBLE || v->data_type != MAT_T_DOUBLE || v->isComplex ||
        !v->data || v->nbytes != sizeof(double))
        return false;
    double d;
    memcpy(&d, v->data, sizeof d);
    *out = d >= 0 && d <= UINT32_MAX ? (uint32_t)d : 0;
    return d >= 0 && d <= UINT32_MAX && *out == d;
}

/* Text of one row, as bytes. */
static bool add_text(struct qsv_strbuf *out, const matvar_t *v)
{
    if (!v || v->class_type != MAT_C_CHAR || v->rank != 2 || v->dims[0] != 1 || !v->data ||
        v->dims[1] > MAX_TEXT)
        return false;
    const size_t n = v->dims[1];
    if (v->data_type == MAT_T_UINT16 || v->data_type == MAT_T_UTF16) {
        for (size_t i = 0; i < n && 2 * n <= v->nbytes; i++) {
            uint16_t c;
            memcpy(&c, (const char *)v->data + 2 * i, 2);
            qsv_strbuf_printf(out, "%c", c >= ' ' && c < 127 ? (char)c : '?');
        }
        return 2 * n <= v->nbytes;
    }
    if (n > v->nbytes || memchr(v->data, 0, n))
        return false;
    qsv_strbuf_add(out, v->data, n);
    return true;
}

/* s->text stays NULL for a synset that is no class. */
static enum qsv_status read_synset(struct synset *s, matvar_t *all, size_t i, struct qsv_error *err)
{
    uint32_t children = 0;
    struct qsv_strbuf text = {0};
    bool good = read_number(Mat_VarGetStructFieldByName(all, "ILSVRC2012_ID", i), &s->id) &&
                read_number(Mat_VarGetStructFieldByName(all, "num_children", i), &children) &&
                add_text(&text, Mat_VarGetStructFieldByName(all, "WNID", i));
    good = good && (text.failed || (text.len && !strchr(text.text, ' ')));
    if (good) {
        qsv_strbuf_puts(&text, " ");
        add_text(&text, Mat_VarGetStructFieldByName(all, "words", i));
    }
    enum qsv_status st = QSV_OK;
    if (!good)
        st = qsv_fail(err, QSV_EINPUT,
                      "synset %zu has not a number ILSVRC2012_ID, a number num_children and a text "
                      "WNID",
                      i);
    else if (text.failed)
        st = qsv_fail_memory(err, "synsets");
    else if (!children)
        s->text = text.text;
    if (!s->text)
        qsv_strbuf_fini(&text);
    return st;
}

struct synsets {
    struct synset *v; /* those that are classes */
    size_t n;
};

static enum qsv_status read_synsets(struct synsets *out, matvar_t *all, struct qsv_error *err)
{
    if (!all || all->class_type != MAT_C_STRUCT || all->rank != 2 || all->dims[0] < 1 ||
        all->dims[1] != 1 || all->dims[0] > MAX_SYNSETS)
        return qsv_fail(err, QSV_EINPUT, "holds no column `synsets` of structs");
    out->v = qsv_alloc(all->dims[0], sizeof *out->v);
    if (!out->v)
        return qsv_fail_memory(err, "synsets");
    enum qsv_status st = QSV_OK;
    for (size_t i = 0; !st && i < all->dims[0]; i++) {
        st = read_synset(&out->v[out->n], all, i, err);
        out->n += out->v[out->n].text != NULL;
    }
    return st;
}

/* matio only opens files by name. */
static enum qsv_status open_mat(mat_t **mat, int *fd, const struct file *meta,
                                struct qsv_error *err)
{
    char name[64];
    *mat = NULL;
    *fd = memfd_create("meta.mat", MFD_CLOEXEC);
    if (*fd < 0 || qsv_io_write(*fd, meta->data, meta->bytes))
        return qsv_fail_memory(err, "meta.mat");
    snprintf(name, sizeof name, "/proc/self/fd/%d", *fd);
    *mat = Mat_Open(name, MAT_ACC_RDONLY);
    return *mat ? QSV_OK : qsv_fail(err, QSV_EINPUT, "can't be read by matio");
}

static enum qsv_status read_meta(struct synsets *out, const struct file *meta,
                                 struct qsv_error *err)
{
    /* Version 7.3 would be HDF5. */
    if (meta->bytes < MAT_HEADER || memcmp(meta->data, "MATLAB 5.0", 10) != 0 ||
        memcmp(meta->data + 124, "\0\1IM", 4) != 0)
        return qsv_fail(err, QSV_EINPUT, "is no MAT file of version 5");
    mat_t *mat;
    int fd;
    enum qsv_status st = open_mat(&mat, &fd, meta, err);
    if (!st) {
        matvar_t *all = Mat_VarRead(mat, "synsets");
        st = read_synsets(out, all, err);
        Mat_VarFree(all);
    }
    if (mat)
        Mat_Close(mat);
    if (fd >= 0)
        close(fd);
    return st;
}

static void free_synsets(struct synsets *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->v[i].text);
    free(s->v);
    *s = (struct synsets){0};
}

/* matio may crash on a hostile file, or write where it should not, so it is only let loose in a
 * child. What that finds comes back in a file in memory: for each class its id and how long its
 * text is, 32 bits each, and the text. */
struct request {
    const struct file *meta;
    int fd;
};

static enum qsv_status give_synsets(void *context, void *result, struct qsv_error *err)
{
    const struct request *r = context;
    struct synsets s = {0};
    struct qsv_strbuf out = {0};
    (void)result;
    enum qsv_status st = read_meta(&s, r->meta, err);
    for (size_t i = 0; !st && i < s.n; i++) {
        qsv_strbuf_u32(&out, s.v[i].id);
        qsv_strbuf_u32(&out, (uint32_t)strlen(s.v[i].text));
        qsv_strbuf_puts(&out, s.v[i].text);
    }
    if (!st && (out.failed || qsv_io_write(r->fd, out.text, out.len)))
        st = qsv_fail_memory(err, "synsets");
    qsv_strbuf_fini(&out);
    free_synsets(&s);
    return st;
}

/* Believes nothing: the child may have been led astray. */
static enum qsv_status take_synset(struct synsets *out, struct qsv_cursor *in,
                                   struct qsv_error *err)
{
    const uint32_t id = qsv_cursor_u32(in), n = qsv_cursor_u32(in);
    const uint8_t *text = n <= 2 * MAX_TEXT + 1 ? qsv_cursor_take(in, n) : NULL;
    if (!text || !memchr(text, ' ', n) || memchr(text, 0, n) || out->n == MAX_SYNSETS)
        return qsv_fail(err, QSV_EINPUT, "damaged: matio read it wrongly");
    out->v[out->n] = (struct synset){id, qsv_strndup((const char *)text, n)};
    return out->v[out->n++].text ? QSV_OK : qsv_fail_memory(err, "synsets");
}

static enum qsv_status take_synsets(struct synsets *out, int fd, struct qsv_error *err)
{
    char path[64];
    uint8_t *data = NULL;
    size_t bytes = 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    enum qsv_status st = qsv_file_read(&data, &bytes, path, MAX_UNPACKED, err);
    struct qsv_cursor in = qsv_cursor_over(data, bytes);
    if (!st && !(out->v = qsv_alloc(MAX_SYNSETS, sizeof *out->v)))
        st = qsv_fail_memory(err, "synsets");
    while (!st && qsv_cursor_left(&in))
        st = take_synset(out, &in, err);
    free(data);
    return st;
}

static enum qsv_status read_in_child(struct synsets *out, const struct file *meta,
                                     struct qsv_error *err)
{
    const struct qsv_sandbox_limits limits = {TRY_MEMORY_BYTES, TRY_S};
    struct request r = {meta, memfd_create("synsets", MFD_CLOEXEC)};
    if (r.fd < 0)
        return qsv_fail_memory(err, "synsets");
    enum qsv_status st = qsv_sandbox_run(give_synsets, &r, NULL, 0, &limits, "synsets", err);
    if (!st)
        st = take_synsets(out, r.fd, err);
    close(r.fd);
    return st;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct synset *)a)->text, ((const struct synset *)b)->text);
}

/* Classes in the order of their WordNet ids, which texts begin with. */
static enum qsv_status name_classes(struct qsv_devkit *d, struct synsets *s, struct qsv_error *err)
{
    if (!s->n)
        return qsv_fail(err, QSV_EINPUT, "holds no synset without children");
    qsort(s->v, s->n, sizeof *s->v, by_text);
    d->classes = qsv_alloc(s->n, sizeof *d->classes);
    if (!d->classes)
        return qsv_fail_memory(err, "classes");
    for (size_t i = 0; i < s->n; i++) {
        const size_t n = strcspn(s->v[i].text, " ");
        if (i && !strncmp(s->v[i].text, d->classes[i - 1], n) && d->classes[i - 1][n] == ' ')
            return qsv_fail(err, QSV_EINPUT, "holds '%s' twice", s->v[i].text);
        d->classes[d->n_classes++] = s->v[i].text;
        s->v[i].text = NULL;
    }
    return QSV_OK;
}

/* label [MAX_SYNSETS]: a class's number, and 1, by ILSVRC2012_ID; 0 where there is none. */
static enum qsv_status index_ids(uint32_t *label, const struct synsets *s, struct qsv_error *err)
{
    for (size_t i = 0; i < s->n; i++) {
        const uint32_t id = s->v[i].id;
        if (id >= MAX_SYNSETS || label[id])
            return qsv_fail(err, QSV_EINPUT, "ILSVRC2012_ID %u is there twice or above %d", id,
                            MAX_SYNSETS - 1);
        label[id] = (uint32_t)i + 1;
    }
    return QSV_OK;
}

static enum qsv_status read_ground_truth(struct qsv_devkit *d, const struct file *f,
                                         const uint32_t *label, struct qsv_error *err)
{
    size_t capacity = 0;
    for (const char *p = f->data; p < f->data + f->bytes;) {
        char *end;
        const unsigned long id = *p >= '0' && *p <= '9' ? strtoul(p, &end, 10) : 0;
        if (!id || id >= MAX_SYNSETS || !label[id] || (*end && !strchr("\r\n", *end)) ||
            d->n >= MAX_IMAGES)
            return qsv_fail(err, QSV_EINPUT,
                            "line %zu: expected the ILSVRC2012_ID of a class in meta.mat",
                            d->n + 1);
        if (!qsv_grow(&d->labels, &capacity, d->n + 1, sizeof *d->labels))
            return qsv_fail_memory(err, "labels");
        d->labels[d->n++] = (uint16_t)(label[id] - 1);
        p = end + (*end == '\r');
        p += *p == '\n';
    }
    return QSV_OK;
}

static enum qsv_status read_both(struct qsv_devkit *d, struct file files[2], const char *path,
                                 struct qsv_error *err)
{
    struct synsets s = {0};
    uint32_t *label = qsv_alloc(MAX_SYNSETS, sizeof *label);
    enum qsv_status st = label ? QSV_OK : qsv_fail_memory(err, path);
    if (!st)
        st = read_in_child(&s, &files[0], err);
    if (!st)
        st = name_classes(d, &s, err);
    if (!st)
        st = index_ids(label, &s, err);
    if (st)
        qsv_fail_in(err, st, "%s: meta.mat", path);
    else if ((st = read_ground_truth(d, &files[1], label, err)))
        qsv_fail_in(err, st, "%s: the ground truth", path);
    free_synsets(&s);
    free(label);
    return st;
}

enum qsv_status qsv_devkit_read(struct qsv_devkit *d, const char *path, struct qsv_error *err)
{
    struct file files[2] = {{.name = meta_name}, {.name = ground_truth_name}};
    *d = (struct qsv_devkit){0};
    enum qsv_status st = unpack(files, path, err);
    if (!st)
        st = read_both(d, files, path, err);
    free(files[0].data);
    free(files[1].data);
    return st;
}
