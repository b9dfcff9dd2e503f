/* One HDF5 file of images: `images` u8 [N][h][w][c] and `labels`, any integers [N]; `paths` [N] and
 * `classes`, texts of a fixed length, where it has them. Only what is asked for is read of the
 * first two, so that a file may be larger than memory.
 *
 * libhdf5 follows a file to other files (external links, external storage, virtual datasets) and
 * allocates what a chunk's header says. Neither is for a stranger's file to decide: data must lie
 * in the file itself, in chunks of a bounded size.
 */
#ifndef QSV_HDF5_FILE_H
#define QSV_HDF5_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "core/h5.h"

struct qsv_hdf5_texts {
    char *all;    /* [n][width], each with a NUL byte at its end; NULL: none */
    size_t width; /* bytes */
    hsize_t n;
};

struct qsv_hdf5_file {
    char *path;
    hid_t file, images, labels;
    hsize_t dims[4]; /* of images */
    hsize_t block;   /* images of a chunk */
    struct qsv_hdf5_texts paths, classes;
};

/* QSV_EINPUT names the file. On failure there is nothing to close. */
enum qsv_status qsv_hdf5_file_open(struct qsv_hdf5_file *x, const char *path,
                                   struct qsv_error *err);
void qsv_hdf5_file_close(struct qsv_hdf5_file *x);

/* Images first .. first+n-1: pixels [n][h][w][c], labels [n]. QSV_EINPUT names the image that is
 * damaged where it has a chunk of its own. */
enum qsv_status qsv_hdf5_file_read_pixels(const struct qsv_hdf5_file *x, uint64_t first, size_t n,
                                          uint8_t *pixels, struct qsv_error *err);
enum qsv_status qsv_hdf5_file_read_labels(const struct qsv_hdf5_file *x, uint64_t first, size_t n,
                                          uint16_t *labels, struct qsv_error *err);

/* Text i; NULL where there is none. */
const char *qsv_hdf5_text(const struct qsv_hdf5_texts *t, uint64_t i);

#endif
