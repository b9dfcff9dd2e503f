/* HDF5 files made in memory, to be written as plain bytes: after a write that failed HDF5 1.10
 * can't close the file and holds on to it, and its messages don't say why. In HDF5 1.10's file
 * format, which takes half the room of the older one for small files.
 */
#ifndef QSV_H5_IMAGE_H
#define QSV_H5_IMAGE_H

#include "core/h5.h"

struct qsv_h5_image;

/* A new, empty file behind user_block (0, or a power of two from 512 on) zero bytes. */
enum qsv_status qsv_h5_image_create(struct qsv_h5_image **out, size_t user_block,
                                    struct qsv_error *err);
hid_t qsv_h5_image_file(const struct qsv_h5_image *image);

/* Closes the file: *data are its bytes, user block first, freed with qsv_h5_image_destroy. */
enum qsv_status qsv_h5_image_close(struct qsv_h5_image *image, uint8_t **data, size_t *bytes,
                                   struct qsv_error *err);
void qsv_h5_image_destroy(struct qsv_h5_image *image);

#endif
