/* Data sets of image files (JPEG, PNG), in a folder or in a tar archive that is read in place: what
 * their readers share. Images are decoded and transformed when they are read.
 *
 * Their order is that of torchvision's ImageFolder: by folder, then by name, as bytes. Without
 * labels an image's class is its folder, numbered in that order.
 */
#ifndef QSV_ENCODED_H
#define QSV_ENCODED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/hash.h"
#include "core/data/reader.h"
#include "core/data/transform.h"

struct qsv_encoded_image {
    char *name;             /* its path below the folder or in the archive */
    uint64_t offset, bytes; /* in the archive */
    uint16_t label;
};

struct qsv_encoded {
    char *path; /* of the folder or archive */
    int fd;     /* it, open for reading */
    bool archive;
    struct qsv_encoded_image *images; /* [n] */
    size_t n, capacity;
    struct qsv_transform transform;
    struct qsv_labels *labels; /* NULL: classes are folders */
    char **folders;            /* [n_folders]: these */
    size_t n_folders;
};

/* Opens source->images, an archive or a folder: `list` adds its images (qsv_encoded_add), which are
 * then sorted and given their classes. *state becomes a struct qsv_encoded, NULL on failure;
 * qsv_encoded_close frees it. */
enum qsv_status qsv_encoded_open(void **state, struct qsv_data_info *info,
                                 const struct qsv_dataset_source *source, bool archive,
                                 enum qsv_status (*list)(struct qsv_encoded *, struct qsv_error *),
                                 struct qsv_error *err);

/* Whether torchvision takes a file of this name for an image, by its suffix. */
bool qsv_encoded_is_image(const char *name);

enum qsv_status qsv_encoded_add(struct qsv_encoded *e, const char *name, uint64_t offset,
                                uint64_t bytes, struct qsv_error *err);

/* Of a struct qsv_data_reader; state is a struct qsv_encoded. */
enum qsv_status qsv_encoded_read_pixels(void *state, uint64_t first, size_t n, uint8_t *pixels,
                                        struct qsv_error *err);
enum qsv_status qsv_encoded_read_labels(void *state, uint64_t first, size_t n, uint16_t *labels,
                                        struct qsv_error *err);
enum qsv_status qsv_encoded_hash(void *state, uint64_t first, uint64_t n, struct qsv_hash *h,
                                 struct qsv_error *err);
const char *qsv_encoded_class_name(void *state, uint32_t label);
const char *qsv_encoded_image_name(void *state, uint64_t i);
void qsv_encoded_close(void *state);

#endif
