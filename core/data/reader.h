/* Readers of data sets, a row of a table each. A new one is a file here that defines its row, and a
 * line in readers.inc; docs/extending.md says more.
 *
 * The caller has checked that images are a regular file, or a folder for a reader of folders, and
 * that labels are a regular file; it checks counts and shapes that a reader reports against its own
 * limits before it reads anything. Errors name the file.
 */
#ifndef QSV_DATA_READER_H
#define QSV_DATA_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/dataset.h"
#include "core/graph.h"

/* What a bit of deflated data can stand for at most: a file that claims more lies. */
enum { QSV_DEFLATE_RATIO = 1032, QSV_HEAD_BYTES = 512 };

struct qsv_data_info {
    uint64_t count;
    struct qsv_shape shape;
    uint64_t block;  /* images that cost little more to read together than one: a chunk's */
    bool concurrent; /* read_pixels may be called by several threads at once */
};

struct qsv_data_reader {
    const char *name;
    bool fragile;   /* a hostile file may crash the library that reads it: tried in a child first */
    bool is_folder; /* its images are one; it is the reader of all folders */
    bool decodes;   /* images are files of their own, each of which may be damaged: read_pixels
                       gives QSV_EINPUT for that and for nothing else */
    /* By the file's first bytes, QSV_HEAD_BYTES of them where there are as many. */
    bool (*recognise)(const uint8_t *head, size_t n);
    /* The slice is the caller's matter. On failure *state is NULL and there is nothing to close. */
    enum qsv_status (*open)(void **state, struct qsv_data_info *info,
                            const struct qsv_dataset_source *source, struct qsv_error *err);
    /* Images first .. first+n-1, all below count, n >= 1; pixels [n][h][w][c], or labels [n]. */
    enum qsv_status (*read_pixels)(void *state, uint64_t first, size_t n, uint8_t *pixels,
                                   struct qsv_error *err);
    enum qsv_status (*read_labels)(void *state, uint64_t first, size_t n, uint16_t *labels,
                                   struct qsv_error *err);
    /* Adds what images first .. first+n-1 are made of, in place of their pixels; NULL: pixels. */
    enum qsv_status (*hash)(void *state, uint64_t first, uint64_t n, struct qsv_hash *h,
                            struct qsv_error *err);
    const char *(*class_name)(void *state, uint32_t label); /* or NULL, either */
    const char *(*image_name)(void *state, uint64_t i);     /* the same */
    void (*close)(void *state);
    /* See qsv_dataset_share; NULL where a data set is not kept in memory. */
    enum qsv_status (*share)(void *state, uint64_t key, struct qsv_error *err);
};

#define READER(name) extern const struct qsv_data_reader qsv_##name##_reader;
#include "core/data/readers.inc"
#undef READER

#endif
