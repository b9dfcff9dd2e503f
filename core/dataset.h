/* Data sets: u8 pixels and a class by image number. Formats are a table of readers
 * (core/data/reader.h); docs/datasets.md describes them.
 *
 * Images are [height][width][channels], all of one size; JPEG and PNG are brought to one by a
 * transform. Reading is by image number, in any order.
 * Not thread-safe, but for reading where qsv_dataset_is_concurrent says so.
 */
#ifndef QSV_DATASET_H
#define QSV_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/data/damage.h"
#include "core/data/transform.h"
#include "core/graph.h"

struct qsv_dataset;

extern const char *const qsv_dataset_formats[]; /* every reader's name, NULL-terminated */

struct qsv_dataset_source {
    const char *format;    /* a reader's name, or NULL: recognised by the file's first bytes */
    const char *images;    /* path of a file or folder */
    const char *labels;    /* path; NULL where the images' file holds them */
    uint64_t first, count; /* a slice: images first .. first+count-1; count 0: to the end */
    struct qsv_transform transform; /* of JPEG and PNG; sizes of 0: QSV_RESIZE, QSV_CROP */
    enum qsv_on_error on_error;     /* of JPEG and PNG that can't be decoded */
};

/* Opens and checks; QSV_EINPUT for anything wrong with the files, the slice included. Reads every
 * label and pixel of the slice, or the bytes of JPEG and PNG files, for the fingerprint. With
 * QSV_ON_ERROR_SKIP decodes every JPEG and PNG file too, and leaves out those that are damaged:
 * count, image numbers and fingerprint are of the others. QSV_EINPUT where none is left. */
enum qsv_status qsv_dataset_open(struct qsv_dataset **out, const struct qsv_dataset_source *source,
                                 struct qsv_error *err);
/* The same for files that were opened like that before, by this process or another: reads no pixel
 * but to find damaged ones, has no fingerprint. */
enum qsv_status qsv_dataset_open_again(struct qsv_dataset **out,
                                       const struct qsv_dataset_source *source,
                                       struct qsv_error *err);
/* The same for one of several processes with these files, of which another takes the fingerprint:
 * reads labels, and 16 images for the sketch. What is kept in memory is read whole, and has a
 * fingerprint. */
enum qsv_status qsv_dataset_open_member(struct qsv_dataset **out,
                                        const struct qsv_dataset_source *source,
                                        struct qsv_error *err);
void qsv_dataset_close(struct qsv_dataset *d);

/* What a data set keeps of pixels in memory goes into memory that all processes with this data set
 * share, on this machine. Does nothing for formats that are read image by image. QSV_EFAILED says
 * why not; the data set is then as it was. */
enum qsv_status qsv_dataset_share(struct qsv_dataset *d, struct qsv_error *err);

uint64_t qsv_dataset_count(const struct qsv_dataset *d);
/* Images of the slice that were left out, and what the k-th of them is called. */
uint64_t qsv_dataset_skipped(const struct qsv_dataset *d);
const char *qsv_dataset_skipped_name(const struct qsv_dataset *d, uint64_t k);
/* What images go through when they are decoded; NULL where they are pixels already. */
const struct qsv_transform *qsv_dataset_transform(const struct qsv_dataset *d);
struct qsv_shape qsv_dataset_shape(const struct qsv_dataset *d);
/* A hash over format-independent contents: shape, every pixel and label of the slice, in order; of
 * JPEG and PNG their files and the transform in place of pixels. Not of one that was opened again,
 * nor of a member before it learns of it. */
uint64_t qsv_dataset_fingerprint(const struct qsv_dataset *d);
bool qsv_dataset_has_fingerprint(const struct qsv_dataset *d);
/* Another process has taken it, of files with the same sketch. */
void qsv_dataset_learn(struct qsv_dataset *d, uint64_t fingerprint);
/* A hash that tells most differences and costs little: number and shape of images, their names and
 * labels, and what 16 of them are made of, the first and the last among them. Of what is kept in
 * memory it is the fingerprint. Not of one that was opened again. */
uint64_t qsv_dataset_sketch(const struct qsv_dataset *d);
/* The largest label of the slice. */
uint32_t qsv_dataset_max_label(const struct qsv_dataset *d);
/* What a class is called; NULL where nothing says. */
const char *qsv_dataset_class_name(const struct qsv_dataset *d, uint32_t label);
/* What image i < count is called; NULL where it has no name. */
const char *qsv_dataset_image_name(const struct qsv_dataset *d, uint64_t i);

/* pixels [h][w][c] of image i < count (of the slice) and its label; either pointer may be NULL. */
enum qsv_status qsv_dataset_read(const struct qsv_dataset *d, uint64_t i, uint8_t *pixels,
                                 uint32_t *label, struct qsv_error *err);
/* Several threads may read at once. */
bool qsv_dataset_is_concurrent(const struct qsv_dataset *d);

/* Checks that the data set suits a model's input: same channels, and the size is the input's or
 * half of it (then doubled by nearest neighbour), and labels are below classes. *factor becomes 1
 * or 2. */
enum qsv_status qsv_dataset_check(const struct qsv_dataset *d, struct qsv_shape input,
                                  uint32_t classes, uint32_t *factor, struct qsv_error *err);

/* Repeats each pixel of in [h][w][c] factor x factor times into out [h*factor][w*factor][c]. */
void qsv_image_enlarge(const uint8_t *in, struct qsv_shape shape, uint32_t factor, uint8_t *out);

#endif
