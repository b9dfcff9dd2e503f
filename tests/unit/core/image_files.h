/* The small images of tests/data/images (tests/reference/make_images.py made them), in the order of
 * their paths, which is the order of tests/data/golden/images_*.h5. */
#ifndef IMAGE_FILES_H
#define IMAGE_FILES_H

#include <stdint.h>
#include <stdio.h>

#include "core/base/file.h"

#define IMAGE_FOLDER "tests/data/images"

enum { N_IMAGE_FILES = 19, IMAGE_FILE_BYTES = 1 << 16 };

static const char *const image_files[N_IMAGE_FILES] = {
    "n01440764/chroma_420.JPEG", "n01440764/chroma_422.JPEG",   "n01440764/chroma_444.JPEG",
    "n01440764/grey.JPEG",       "n01440764/odd.JPEG",          "n01440764/progressive.JPEG",
    "n02099601/cmyk.JPEG",       "n02099601/exif_rotated.JPEG", "n02099601/small.JPEG",
    "n02099601/tall.JPEG",       "n02099601/wide.JPEG",         "n02099601/ycck.JPEG",
    "n03445777/alpha.png",       "n03445777/bits.png",          "n03445777/colours.png",
    "n03445777/grey.png",        "n03445777/interlaced.png",    "n03445777/png_called.JPEG",
    "n03445777/transparent.png",
};

/* The bytes of one, the caller's to free. */
static inline uint8_t *read_image_file(const char *name, size_t *n)
{
    uint8_t *data = NULL;
    char path[200];
    snprintf(path, sizeof path, "%s/%s", IMAGE_FOLDER, name);
    if (qsv_file_read(&data, n, path, IMAGE_FILE_BYTES, NULL))
        fail_msg("%s: cannot be read", path);
    return data;
}

#endif
