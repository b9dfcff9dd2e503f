/* Sealed HDF5 files: the first 512 bytes, which every HDF5 reader skips (HDF5 calls them the user
 * block), hold a line of text with the checksum of all that follows. libhdf5 can crash, hang or
 * loop on a file with a wrong byte in its metadata, so a file that does not match its seal is
 * refused before the library sees it. Against accident, not malice.
 *
 * They are written in HDF5 1.10's format, which takes about half the room of the older one for
 * small files.
 */
#ifndef QSV_SEAL_H
#define QSV_SEAL_H

#include "core/h5_image.h"

/* A new file, in memory; the caller destroys it. */
enum qsv_status qsv_seal_create(struct qsv_h5_image **out, struct qsv_error *err);
/* Closes and seals it and writes it under path, atomically and durably (qsv_file_write); it remains
 * to be destroyed. */
enum qsv_status qsv_seal_commit(struct qsv_h5_image *image, const char *path,
                                struct qsv_error *err);

/* Read-only. QSV_EINPUT where it can't be opened, has no seal, or does not match it; QSV_EIO where
 * reading fails. Close with H5Fclose. */
enum qsv_status qsv_seal_open(hid_t *file, const char *path, struct qsv_error *err);

#endif
