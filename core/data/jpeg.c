/* JPEG by libjpeg-turbo, with the options that Pillow leaves as they are: the accurate integer DCT
 * and smooth upsampling of chroma. Baseline and progressive; grey, YCbCr, RGB, CMYK and YCCK, where
 * Adobe's inverted CMYK is assumed as Pillow does. EXIF's orientation is not looked at.
 *
 * Data that are damaged on the way are decoded as far as libjpeg can, as Pillow does; data that end
 * too early are refused.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include <jerror.h>

#include "core/base/alloc.h"
#include "core/data/decoder.h"

/* Files with more scans than anybody writes only take time: with some that say next to nothing of
 * the largest image, 10 KB would take seconds. */
enum { MAX_SCANS = 100 };
static const uint64_t max_scanned = (uint64_t)1 << 30; /* pixels times scans */

struct jpeg {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    struct qsv_error error;
};

static void fail_jpeg(j_common_ptr info)
{
    struct jpeg *j = info->client_data;
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    if (info->err->msg_code == JERR_OUT_OF_MEMORY)
        qsv_fail_memory(&j->error, "a JPEG decoder");
    else
        qsv_fail(&j->error, QSV_EINPUT, "is no JPEG file that can be read: %s", text);
    longjmp(j->failed, 1);
}

static void ignore_message(j_common_ptr info, int level)
{
    (void)info;
    (void)level;
}

static boolean fail_truncated(j_decompress_ptr info)
{
    struct jpeg *j = info->client_data;
    qsv_fail(&j->error, QSV_EINPUT, "is a JPEG file that ends too early");
    longjmp(j->failed, 1);
}

static void watch_scans(j_common_ptr info)
{
    struct jpeg *j = info->client_data;
    const uint64_t pixels = (uint64_t)j->info.image_width * j->info.image_height;
    const int most = pixels > max_scanned / MAX_SCANS ? (int)(max_scanned / pixels) : MAX_SCANS;
    if (j->info.input_scan_number <= most)
        return;
    qsv_fail(&j->error, QSV_EINPUT, "is a JPEG file of more than %d scans", most);
    longjmp(j->failed, 1);
}

static bool recognise(const uint8_t *data, size_t n)
{
    return n >= 3 && data[0] == 0xff && data[1] == 0xd8 && data[2] == 0xff;
}

static enum qsv_status give_error(const struct jpeg *j, struct qsv_error *err)
{
    if (err)
        *err = j->error;
    return j->error.code;
}

static void close_jpeg(void *state)
{
    struct jpeg *j = state;
    jpeg_destroy_decompress(&j->info);
    free(j);
}

static enum qsv_status read_header(struct jpeg *j, const uint8_t *data, size_t n,
                                   struct qsv_error *err)
{
    if (setjmp(j->failed))
        return give_error(j, err);
    jpeg_create_decompress(&j->info);
    j->info.mem->max_memory_to_use = QSV_DECODER_BYTES;
    j->info.progress = &j->progress;
    jpeg_mem_src(&j->info, data, n);
    j->info.src->fill_input_buffer = fail_truncated;
    jpeg_read_header(&j->info, TRUE);
    return qsv_decoder_check_size(j->info.image_width, j->info.image_height, err);
}

static enum qsv_status start(struct jpeg *j, struct qsv_error *err)
{
    const int channels = j->info.num_components;
    if (channels != 1 && channels != 3 && channels != 4)
        return qsv_fail(err, QSV_EINPUT, "is a JPEG file of %d channels, expected 1, 3 or 4",
                        channels);
    if (setjmp(j->failed))
        return give_error(j, err);
    j->info.out_color_space = channels == 4 ? JCS_CMYK : JCS_EXT_RGBX;
    jpeg_start_decompress(&j->info);
    return QSV_OK;
}

static enum qsv_status open_jpeg(void **state, uint32_t *width, uint32_t *height,
                                 const uint8_t *data, size_t n, struct qsv_error *err)
{
    struct jpeg *j = qsv_alloc(1, sizeof *j);
    if (!j)
        return qsv_fail_memory(err, "a JPEG decoder");
    j->info.client_data = j;
    j->info.err = jpeg_std_error(&j->errors);
    j->errors.error_exit = fail_jpeg;
    j->errors.emit_message = ignore_message;
    j->progress.progress_monitor = watch_scans;
    enum qsv_status st = read_header(j, data, n, err);
    if (!st)
        st = start(j, err);
    if (st) {
        close_jpeg(j);
        return st;
    }
    *width = j->info.image_width;
    *height = j->info.image_height;
    *state = j;
    return QSV_OK;
}

/* a * b / 255, rounded. */
static unsigned scaled(unsigned a, unsigned b)
{
    unsigned t = a * b + 128;
    return ((t >> 8) + t) >> 8;
}

/* In place. Adobe's values are inverted: 255 is no ink. */
static void cmyk_to_rgb(uint8_t *row, uint32_t width)
{
    for (uint8_t *p = row; p < row + 4 * (size_t)width; p += 4)
        for (int c = 0; c < 3; c++)
            p[c] = (uint8_t)(p[3] - scaled(255u - p[c], p[3]));
}

static enum qsv_status read_row(void *state, uint8_t *row, struct qsv_error *err)
{
    struct jpeg *j = state;
    if (setjmp(j->failed))
        return give_error(j, err);
    jpeg_read_scanlines(&j->info, &row, 1);
    if (j->info.out_color_space == JCS_CMYK)
        cmyk_to_rgb(row, j->info.image_width);
    return QSV_OK;
}

static enum qsv_status end(void *state, struct qsv_error *err)
{
    struct jpeg *j = state;
    if (setjmp(j->failed))
        return give_error(j, err);
    jpeg_finish_decompress(&j->info);
    return QSV_OK;
}

const struct qsv_decoder qsv_jpeg_decoder = {.name = "jpeg",
                                             .recognise = recognise,
                                             .open = open_jpeg,
                                             .read_row = read_row,
                                             .end = end,
                                             .close = close_jpeg};
