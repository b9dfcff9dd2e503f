/* ImageNet's evaluation transform, as torchvision's Resize and CenterCrop do it over Pillow: the
 * short side becomes `resize` pixels by antialiased resampling, a square of `crop` is cut out of
 * the middle. Pixels are equal to theirs.
 */
#ifndef QSV_TRANSFORM_H
#define QSV_TRANSFORM_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/data/resample.h"

enum { QSV_RESIZE = 256, QSV_CROP = 224, QSV_MAX_RESIZE = 4096 };

struct qsv_transform {
    uint32_t resize, crop; /* pixels; 1 <= crop <= resize <= QSV_MAX_RESIZE */
    enum qsv_interpolation interpolation;
};

/* QSV_EINPUT where sizes are out of range. */
enum qsv_status qsv_transform_check(const struct qsv_transform *t, struct qsv_error *err);

/* Decodes the n bytes of a JPEG or PNG file into pixels [crop][crop][3], RGB. What is wrong with
 * the file is QSV_EINPUT, with a text that does not name it. */
enum qsv_status qsv_transform_image(const struct qsv_transform *t, const uint8_t *data, size_t n,
                                    uint8_t *pixels, struct qsv_error *err);

#endif
