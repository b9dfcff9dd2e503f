#include "runner/worker/trace.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/h5.h"

enum { DEFLATE = 4 };

struct qsv_trace_file {
    char *path, *temporary;
    const struct qsv_model *model;
    struct qsv_shape image;
    uint64_t n_images, first; /* first: image at which the batch begins */
    hid_t file, spikes;       /* spikes: the group */
};

static enum qsv_status fail_trace(const struct qsv_trace_file *t, const char *what,
                                  struct qsv_error *err)
{
    return qsv_fail(err, QSV_EIO, "%s: cannot write %s", t->path, what);
}

enum qsv_status qsv_trace_create(struct qsv_trace_file **out, const char *path,
                                 const struct qsv_model *model, struct qsv_shape image,
                                 uint64_t n_images, struct qsv_error *err)
{
    struct qsv_trace_file *t = *out = qsv_alloc(1, sizeof *t);
    if (!t)
        return qsv_fail_memory(err, "a trace");
    *t = (struct qsv_trace_file){NULL, NULL, model, image, n_images, 0, -1, -1};
    t->path = qsv_strdup(path);
    t->temporary = qsv_file_temporary(path);
    enum qsv_status st = t->path && t->temporary ? qsv_h5_create(&t->file, t->temporary, err)
                                                 : qsv_fail_memory(err, "a trace");
    if (!st) {
        t->spikes = H5Gcreate2(t->file, "spikes", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        st = t->spikes < 0 ? fail_trace(t, "spikes", err) : QSV_OK;
    }
    if (st) {
        qsv_trace_destroy(t);
        *out = NULL;
    }
    return st;
}

void qsv_trace_begin_batch(struct qsv_trace_file *t, uint64_t first)
{
    t->first = first;
}

/* Dimensions of a LIF's data set; a pixel alone has no height and width. */
static int dimensions(const struct qsv_trace_file *t, const struct qsv_lif *lif, hsize_t n,
                      hsize_t dims[5])
{
    dims[0] = n;
    dims[1] = t->model->options.time_steps;
    dims[2] = lif->shape.c;
    dims[3] = lif->shape.h;
    dims[4] = lif->shape.w;
    return lif->shape.h == 1 && lif->shape.w == 1 ? 3 : 5;
}

static hid_t create_dataset(struct qsv_trace_file *t, const struct qsv_lif *lif)
{
    hsize_t dims[5], chunk[5];
    int rank = dimensions(t, lif, t->n_images, dims);
    dimensions(t, lif, 1, chunk);
    hid_t space = H5Screate_simple(rank, dims, NULL), list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(list, rank, chunk);
    H5Pset_deflate(list, DEFLATE);
    H5Pset_fletcher32(list);
    hid_t d = H5Dcreate2(t->spikes, lif->name, H5T_STD_U8LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
    H5Pclose(list);
    H5Sclose(space);
    return d;
}

static bool write_rows(hid_t dataset, int rank, const hsize_t *dims, hsize_t first,
                       const uint8_t *data)
{
    hsize_t start[5] = {first, 0, 0, 0, 0};
    hid_t memory = H5Screate_simple(rank, dims, NULL), space = H5Dget_space(dataset);
    bool ok = memory >= 0 && space >= 0 &&
              H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, dims, NULL) >= 0 &&
              H5Dwrite(dataset, H5T_NATIVE_UINT8, memory, space, H5P_DEFAULT, data) >= 0;
    if (space >= 0)
        H5Sclose(space);
    if (memory >= 0)
        H5Sclose(memory);
    return ok;
}

static enum qsv_status on_spikes(void *context, uint32_t index, uint32_t n, const uint8_t *spikes,
                                 struct qsv_error *err)
{
    struct qsv_trace_file *t = context;
    const struct qsv_lif *lif = &t->model->graph.lifs[index];
    hid_t d = t->first ? H5Dopen2(t->spikes, lif->name, H5P_DEFAULT) : create_dataset(t, lif);
    hsize_t dims[5];
    int rank = dimensions(t, lif, n, dims);
    bool ok = d >= 0 && write_rows(d, rank, dims, t->first, spikes);
    if (d >= 0 && H5Dclose(d) < 0)
        ok = false;
    return ok ? QSV_OK : fail_trace(t, lif->name, err);
}

struct qsv_engine_trace qsv_trace_face(struct qsv_trace_file *t)
{
    return (struct qsv_engine_trace){on_spikes, t};
}

enum qsv_status qsv_trace_finish(struct qsv_trace_file *t, const uint8_t *images,
                                 const float *logits, struct qsv_error *err)
{
    const struct qsv_h5_layout pixels = {
        4, {t->n_images, t->image.h, t->image.w, t->image.c}, 0, DEFLATE};
    const struct qsv_h5_layout answers = {2, {t->n_images, t->model->classes}, 0, 0};
    enum qsv_status st =
        qsv_h5_write(t->file, "images", H5T_STD_U8LE, H5T_NATIVE_UINT8, &pixels, images, err);
    if (!st)
        st = qsv_h5_write(t->file, "logits", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, &answers, logits,
                          err);
    H5Gclose(t->spikes);
    t->spikes = -1;
    enum qsv_status closed = qsv_h5_close(t->file, t->temporary, st ? NULL : err);
    t->file = -1;
    if (st || closed)
        return st ? st : closed;
    st = qsv_file_commit(t->temporary, t->path, err);
    free(t->temporary);
    t->temporary = NULL;
    return st;
}

void qsv_trace_destroy(struct qsv_trace_file *t)
{
    if (!t)
        return;
    if (t->spikes >= 0)
        H5Gclose(t->spikes);
    if (t->file >= 0)
        H5Fclose(t->file);
    if (t->temporary)
        unlink(t->temporary);
    free(t->temporary);
    free(t->path);
    free(t);
}
