/* Reading ahead: portions of images (a shard, a batch) are read, decoded and enlarged by threads
 * before they are asked for, so that the engine does not wait for them. A portion is a number of
 * the caller's; what lies behind it is asked when it is begun.
 *
 * Portions are begun in the order in which they are expected, images within one in theirs, a few at
 * a time by each thread; who takes a portion that is not ready helps with it. So nothing depends on
 * the number of threads but how long it takes: pixels, labels and errors are those of
 * qsv_images_read. Data sets that only one thread may read (qsv_dataset_is_concurrent) are read
 * when they are taken.
 *
 * One thread calls; it owns all that is taken. No thread of the pool takes signals.
 */
#ifndef QSV_AHEAD_H
#define QSV_AHEAD_H

#include <signal.h>

#include "runner/inputs/images.h"

struct qsv_ahead;

struct qsv_portion {
    struct qsv_images *images;
    const uint32_t *numbers; /* [n]; it and the images outlive the reading */
    uint32_t n;
};

struct qsv_ahead_setup {
    void *context;
    struct qsv_portion (*find)(void *context, uint64_t portion);
    uint32_t threads; /* of the pool, begun when there is something to read; 0: none */
    size_t max_bytes; /* of portions that are not taken yet; one of any size may be */
};

/* As many threads as suit a rank that computes with so many. */
uint32_t qsv_ahead_threads(uint32_t threads);

enum qsv_status qsv_ahead_create(struct qsv_ahead **out, const struct qsv_ahead_setup *setup,
                                 struct qsv_error *err);
/* Waits for the images that are being read, no others. */
void qsv_ahead_destroy(struct qsv_ahead *a);

/* Will be taken, after those that were expected before it. Where it is expected already: nothing.
 */
void qsv_ahead_expect(struct qsv_ahead *a, uint64_t portion);

struct qsv_pixels {
    uint32_t n;
    uint8_t *pixels;  /* [n][h][w][c] */
    uint32_t *labels; /* [n] */
};

/* Fills *out (qsv_pixels_fini), waiting where need be; the portion need not have been expected, and
 * those expected before it are no longer. The error is that of the portion's first image that
 * can't be read. QSV_ESTOPPED when *stop (may be NULL) is set while it waits. */
enum qsv_status qsv_ahead_take(struct qsv_ahead *a, uint64_t portion, struct qsv_pixels *out,
                               const volatile sig_atomic_t *stop, struct qsv_error *err);
void qsv_pixels_fini(struct qsv_pixels *p);

/* Seconds that takers have waited or read, all together. */
double qsv_ahead_waited_s(const struct qsv_ahead *a);
/* The most bytes that were held at any time, the portion that was being taken included. */
size_t qsv_ahead_peak_bytes(struct qsv_ahead *a);

#endif
