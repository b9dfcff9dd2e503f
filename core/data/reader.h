/* Readers of data set files: one row of core/dataset.c's table each.
 *
 * The caller has checked that both paths are regular files, and checks counts and shapes that a
 * reader reports against its own limits before it reads anything. Errors name the file.
 */
#ifndef QSV_DATA_READER_H
#define QSV_DATA_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/graph.h"

/* What a bit of deflated data can stand for at most: a file that claims more lies. */
enum { QSV_DEFLATE_RATIO = 1032 };

struct qsv_data_info {
    uint64_t count;
    struct qsv_shape shape;
    uint64_t block; /* images that cost little more to read together than one: a chunk's */
};

struct qsv_data_reader {
    const char *name;
    bool fragile; /* a hostile file may crash the library that reads it: tried in a child first */
    bool (*recognise)(const uint8_t *head, size_t n); /* by the file's first bytes */
    /* labels: path or NULL. On failure *state is NULL and there is nothing to close. */
    enum qsv_status (*open)(void **state, struct qsv_data_info *info, const char *images,
                            const char *labels, struct qsv_error *err);
    /* Images first .. first+n-1, all below count, n >= 1; pixels [n][h][w][c], or labels [n]. */
    enum qsv_status (*read_pixels)(void *state, uint64_t first, size_t n, uint8_t *pixels,
                                   struct qsv_error *err);
    enum qsv_status (*read_labels)(void *state, uint64_t first, size_t n, uint16_t *labels,
                                   struct qsv_error *err);
    void (*close)(void *state);
    /* See qsv_dataset_share; NULL where a data set is not kept in memory. */
    enum qsv_status (*share)(void *state, uint64_t key, struct qsv_error *err);
};

extern const struct qsv_data_reader qsv_idx_reader;
extern const struct qsv_data_reader qsv_hdf5_reader;

#endif
