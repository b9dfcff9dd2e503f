/* Is a network no better than chance? Then its classes are hardly the data set's: nothing else in a
 * run would say so. */
#ifndef QSV_CHANCE_H
#define QSV_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/strbuf.h"

/* top1 right answers to n_images are within three standard errors of 1/classes, or below. False for
 * less than 32 images, which tell little, and for one class. */
bool qsv_chance_is_likely(uint64_t top1, uint64_t n_images, uint32_t classes);

/* One line, without its end. */
void qsv_chance_describe(struct qsv_strbuf *out, uint64_t top1, uint64_t n_images,
                         uint32_t classes);

#endif
