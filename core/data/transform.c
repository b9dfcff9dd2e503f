#include "core/data/transform.h"

#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/data/decoder.h"

/* An image on its way: rows are resampled as they are decoded, so that it is never there whole. */
struct work {
    const struct qsv_decoder *decoder;
    void *state;
    uint32_t width, height; /* of the file's image */
    struct qsv_resample across, down;
    uint32_t first_row, n_rows; /* of the file's that matter */
    uint8_t *row;               /* [width + taps][4] */
    uint8_t *narrow; /* [n_rows][crop][3], and the byte that resampling writes too much */
};

enum qsv_status qsv_transform_check(const struct qsv_transform *t, struct qsv_error *err)
{
    if (t->crop >= 1 && t->crop <= t->resize && t->resize <= QSV_MAX_RESIZE)
        return QSV_OK;
    return qsv_fail(err, QSV_EINPUT,
                    "images resized to %u and cropped to %u, expected 1 <= crop <= resize <= %d",
                    t->resize, t->crop, QSV_MAX_RESIZE);
}

/* Half of what is cut off, rounded to even as Python's round does. */
static uint64_t crop_start(uint64_t size, uint32_t crop)
{
    const uint64_t cut = size - crop, half = cut / 2;
    return cut % 2 ? half + half % 2 : half;
}

static enum qsv_status plan_side(struct qsv_resample *r, uint32_t side, uint32_t other,
                                 const struct qsv_transform *t, struct qsv_error *err)
{
    const uint64_t size = side <= other ? t->resize : (uint64_t)t->resize * side / other;
    return qsv_resample_init(r, side, size, crop_start(size, t->crop), t->crop, t->interpolation,
                             err);
}

static enum qsv_status plan(struct work *w, const struct qsv_transform *t, struct qsv_error *err)
{
    enum qsv_status st = plan_side(&w->across, w->width, w->height, t, err);
    if (!st)
        st = plan_side(&w->down, w->height, w->width, t, err);
    if (st)
        return st;
    w->first_row = w->down.start[0];
    w->n_rows = w->down.start[t->crop - 1] + w->down.count[t->crop - 1] - w->first_row;
    w->row = qsv_alloc((size_t)w->width + w->across.taps, 4);
    w->narrow = qsv_alloc((size_t)w->n_rows * t->crop * 3 + 1, 1);
    return w->row && w->narrow ? QSV_OK : qsv_fail_memory(err, "an image");
}

static enum qsv_status narrow_rows(struct work *w, size_t bytes, struct qsv_error *err)
{
    enum qsv_status st = QSV_OK;
    for (uint32_t y = 0; !st && y < w->height; y++) {
        st = w->decoder->read_row(w->state, w->row, err);
        if (!st && y >= w->first_row && y - w->first_row < w->n_rows)
            qsv_resample_row(&w->across, w->row, w->narrow + (y - w->first_row) * bytes);
    }
    return st ? st : w->decoder->end(w->state, err);
}

enum qsv_status qsv_transform_image(const struct qsv_transform *t, const uint8_t *data, size_t n,
                                    uint8_t *pixels, struct qsv_error *err)
{
    const size_t bytes = (size_t)t->crop * 3;
    struct work w = {0};
    enum qsv_status st = qsv_decoder_find(&w.decoder, data, n, err);
    if (!st)
        st = w.decoder->open(&w.state, &w.width, &w.height, data, n, err);
    if (st)
        return st;
    st = plan(&w, t, err);
    if (!st)
        st = narrow_rows(&w, bytes, err);
    for (uint32_t y = 0; !st && y < t->crop; y++)
        qsv_resample_column(&w.down, y, w.narrow + (w.down.start[y] - w.first_row) * bytes, bytes,
                            pixels + y * bytes);
    w.decoder->close(w.state);
    qsv_resample_fini(&w.across);
    qsv_resample_fini(&w.down);
    free(w.row);
    free(w.narrow);
    return st;
}
