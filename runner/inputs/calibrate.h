/* Collecting statistics in one process: what `qsvit calibrate` does, and a task of a run could. */
#ifndef QSV_CALIBRATE_H
#define QSV_CALIBRATE_H

#include "core/statistics.h"
#include "runner/inputs/images.h"
#include "runner/base/stop.h"

/* Runs a source model in f32 on images numbers [n] of a data set, in that order, and adds what its
 * layers read to s. fingerprint: the data set's. stop may be NULL. */
enum qsv_status qsv_calibrate(struct qsv_statistics *s, struct qsv_images *images,
                              uint64_t fingerprint, const uint32_t *numbers, uint32_t n,
                              const struct qsv_stop *stop, struct qsv_error *err);

#endif
