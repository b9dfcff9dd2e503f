/* Sealed HDF5 files: the first 512 bytes, which every HDF5 reader skips (HDF5 calls them the user
 * block), hold a line of text with the checksum of all that follows. libhdf5 can crash, hang or
 * loop on a file with a wrong byte in its metadata, so a file that does not match its seal is
 * refused before the library sees it. Against accident, not malice.
 */
#ifndef QSV_SEAL_H
#define QSV_SEAL_H

#include <stdbool.h>

#include "core/h5_image.h"

enum { QSV_SEAL_BYTES = 512 };

/* Begins a file: write to qsv_h5_image_file(*out). Either commit or destroy it. */
enum qsv_status qsv_seal_create(struct qsv_h5_image **out, struct qsv_error *err);

/* Closes, seals and writes it under path, atomically and durably, as qsv_file_write does; QSV_EIO
 * where that fails. Frees image in any case. */
enum qsv_status qsv_seal_commit(struct qsv_h5_image *image, const char *path,
                                struct qsv_error *err);

/* The block that a file must begin with where `bytes` bytes of data follow. */
void qsv_seal_make(uint8_t block[QSV_SEAL_BYTES], const void *data, size_t bytes);

/* Read-only. QSV_EINPUT where it can't be opened, has no seal, or does not match it; QSV_EIO where
 * reading fails. Close with H5Fclose. */
enum qsv_status qsv_seal_open(hid_t *file, const char *path, struct qsv_error *err);

/* Whether a file can be read and begins with something else. */
bool qsv_seal_is_missing(const char *path);

#endif
