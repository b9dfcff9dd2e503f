/* HDF5 files that are written in memory and handed over as bytes. So it is this project's own code
 * that writes them to disk: what a full disk says is seen at once and in its own words, a fault can
 * be tried at every call, and the bytes can be hashed without reading them back. It takes the
 * file's size in memory.
 */
#ifndef QSV_H5_IMAGE_H
#define QSV_H5_IMAGE_H

#include "core/h5.h"

struct qsv_h5_image;

/* A new file, HDF5's part beginning behind user_block bytes (a power of two from 512 on) that are
 * the caller's to fill, in HDF5 1.10's file format, smaller for small files. QSV_ENOMEM on failure.
 */
enum qsv_status qsv_h5_image_create(struct qsv_h5_image **out, size_t user_block,
                                    struct qsv_error *err);
/* Discards it, whether it was closed or not. */
void qsv_h5_image_destroy(struct qsv_h5_image *image);

/* To write into; the image's own. */
hid_t qsv_h5_image_file(const struct qsv_h5_image *image);

/* Closes the file, once: its bytes, which stay the image's own. `name` is what errors call it. */
enum qsv_status qsv_h5_image_close(struct qsv_h5_image *image, const char *name, uint8_t **data,
                                   size_t *bytes, struct qsv_error *err);

#endif
