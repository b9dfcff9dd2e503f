/* Decoders of image files: one row of core/data/decoder.c's table each, chosen by what a file
 * begins with and never by its name (ImageNet has a PNG that is called .JPEG).
 *
 * Pixels are those that Pillow's Image.open(...).convert("RGB") gives. Files are hostile: an image
 * has at most QSV_IMAGE_PIXELS, a decoder takes at most QSV_DECODER_BYTES, whatever the file says.
 * Errors do not name the file; the caller does.
 */
#ifndef QSV_DECODER_H
#define QSV_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

enum { QSV_IMAGE_PIXELS = 1 << 26, QSV_DECODER_BYTES = 600 << 20 };

struct qsv_decoder {
    const char *name;
    bool (*recognise)(const uint8_t *data, size_t n);
    /* data [n] stays where it is until close. On failure there is nothing to close. */
    enum qsv_status (*open)(void **state, uint32_t *width, uint32_t *height, const uint8_t *data,
                            size_t n, struct qsv_error *err);
    /* The next row from the top, [width][4]: red, green, blue, and a byte that means nothing. */
    enum qsv_status (*read_row)(void *state, uint8_t *row, struct qsv_error *err);
    /* After the last row: the file must be there to its end. */
    enum qsv_status (*end)(void *state, struct qsv_error *err);
    void (*close)(void *state);
};

extern const struct qsv_decoder qsv_jpeg_decoder;
extern const struct qsv_decoder qsv_png_decoder;

/* QSV_EINPUT where no decoder knows it. */
enum qsv_status qsv_decoder_find(const struct qsv_decoder **out, const uint8_t *data, size_t n,
                                 struct qsv_error *err);

/* QSV_EINPUT where an image of this size is none that is decoded. */
enum qsv_status qsv_decoder_check_size(uint32_t width, uint32_t height, struct qsv_error *err);

#endif
