/* PNG by libpng: grey, colour and palette of at most 8 bits a channel, interlaced or not. Alpha is
 * dropped and gamma left alone, as Pillow does. Where a channel has 16 bits, Pillow's values depend
 * on the kind of image; such files are refused.
 */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "core/base/alloc.h"
#include "core/base/cursor.h"
#include "core/data/decoder.h"

enum { CHUNK_BYTES = 1 << 23, CACHED_CHUNKS = 128 };

struct png {
    png_structp png;
    png_infop info;
    struct qsv_cursor data;
    uint32_t width, height, at;
    uint8_t *pixels; /* [height][width][4], of an interlaced image; else NULL */
    uint8_t **rows;  /* [height] into pixels */
    struct qsv_error error;
};

static void fail_png(png_structp png, png_const_charp text)
{
    struct png *p = png_get_error_ptr(png);
    if (p->data.failed)
        qsv_fail(&p->error, QSV_EINPUT, "is a PNG file that ends too early");
    else
        qsv_fail(&p->error, QSV_EINPUT, "is no PNG file that can be read: %s", text);
    png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void read_data(png_structp png, png_bytep out, size_t n)
{
    struct png *p = png_get_io_ptr(png);
    qsv_cursor_copy(&p->data, out, n);
    if (p->data.failed)
        png_error(png, "");
}

static bool recognise(const uint8_t *data, size_t n)
{
    return n >= 8 && !png_sig_cmp(data, 0, 8);
}

static enum qsv_status give_error(const struct png *p, struct qsv_error *err)
{
    if (err)
        *err = p->error;
    return p->error.code;
}

static void close_png(void *state)
{
    struct png *p = state;
    png_destroy_read_struct(&p->png, &p->info, NULL);
    free(p->rows);
    free(p->pixels);
    free(p);
}

static enum qsv_status read_header(struct png *p, struct qsv_error *err)
{
    if (setjmp(png_jmpbuf(p->png)))
        return give_error(p, err);
    png_set_read_fn(p->png, p, read_data);
    png_set_chunk_malloc_max(p->png, CHUNK_BYTES);
    png_set_chunk_cache_max(p->png, CACHED_CHUNKS);
    /* Texts, profiles and the like: each may be compressed, and libpng keeps them all. */
    png_set_keep_unknown_chunks(p->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_read_info(p->png, p->info);
    p->width = png_get_image_width(p->png, p->info);
    p->height = png_get_image_height(p->png, p->info);
    if (png_get_bit_depth(p->png, p->info) > 8)
        return qsv_fail(err, QSV_EINPUT, "is a PNG file of %d bits a channel, expected at most 8",
                        png_get_bit_depth(p->png, p->info));
    return qsv_decoder_check_size(p->width, p->height, err);
}

static enum qsv_status allocate_pixels(struct png *p, struct qsv_error *err)
{
    size_t row = 4 * (size_t)p->width;
    p->pixels = qsv_alloc(p->height, row);
    p->rows = qsv_alloc(p->height, sizeof *p->rows);
    if (!p->pixels || !p->rows)
        return qsv_fail_memory(err, "an interlaced PNG image");
    for (uint32_t y = 0; y < p->height; y++)
        p->rows[y] = p->pixels + y * row;
    return QSV_OK;
}

/* Asks for rows of [width][4]; an interlaced image is read whole. */
static enum qsv_status start(struct png *p, struct qsv_error *err)
{
    const bool interlaced = png_get_interlace_type(p->png, p->info) != PNG_INTERLACE_NONE;
    enum qsv_status st = interlaced ? allocate_pixels(p, err) : QSV_OK;
    if (st)
        return st;
    if (setjmp(png_jmpbuf(p->png)))
        return give_error(p, err);
    png_set_expand(p->png);
    png_set_strip_alpha(p->png);
    png_set_gray_to_rgb(p->png);
    png_set_filler(p->png, 0xff, PNG_FILLER_AFTER);
    if (interlaced)
        png_set_interlace_handling(p->png);
    png_read_update_info(p->png, p->info);
    if (png_get_rowbytes(p->png, p->info) != 4 * (size_t)p->width)
        png_error(p->png, "its rows are of another size than its header says");
    if (interlaced)
        png_read_image(p->png, p->rows);
    return QSV_OK;
}

static enum qsv_status open_png(void **state, uint32_t *width, uint32_t *height,
                                const uint8_t *data, size_t n, struct qsv_error *err)
{
    struct png *p = qsv_alloc(1, sizeof *p);
    if (!p)
        return qsv_fail_memory(err, "a PNG decoder");
    p->data = qsv_cursor_over(data, n);
    p->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, p, fail_png, ignore_warning);
    p->info = p->png ? png_create_info_struct(p->png) : NULL;
    enum qsv_status st = p->info ? read_header(p, err) : qsv_fail_memory(err, "a PNG decoder");
    if (!st)
        st = start(p, err);
    if (st) {
        close_png(p);
        return st;
    }
    *width = p->width;
    *height = p->height;
    *state = p;
    return QSV_OK;
}

static enum qsv_status read_row(void *state, uint8_t *row, struct qsv_error *err)
{
    struct png *p = state;
    if (p->pixels) {
        memcpy(row, p->rows[p->at++], 4 * (size_t)p->width);
        return QSV_OK;
    }
    if (setjmp(png_jmpbuf(p->png)))
        return give_error(p, err);
    png_read_row(p->png, row, NULL);
    return QSV_OK;
}

static enum qsv_status end(void *state, struct qsv_error *err)
{
    struct png *p = state;
    if (setjmp(png_jmpbuf(p->png)))
        return give_error(p, err);
    png_read_end(p->png, NULL);
    return QSV_OK;
}

const struct qsv_decoder qsv_png_decoder = {.name = "png",
                                            .recognise = recognise,
                                            .open = open_png,
                                            .read_row = read_row,
                                            .end = end,
                                            .close = close_png};
