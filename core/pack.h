/* A data set decoded once into one HDF5 file, which is a data set again (docs/datasets.md):
 *
 *     images   u8 [N, height, width, channels], a chunk an image, with Fletcher32
 *     labels   u16 [N]
 *     paths    text [N], what the images were called; where they have names
 *     classes  text [n], what the labels mean; where they have names
 *     attribute source_fingerprint, 16 hexadecimal digits: that of the data set
 */
#ifndef QSV_PACK_H
#define QSV_PACK_H

#include <stdbool.h>

#include "core/dataset.h"

/* Writes d, which was opened with a fingerprint; path appears when it is complete. stopped is asked
 * before every image: QSV_ESTOPPED where it says true, QSV_EINPUT where an image can't be read;
 * nothing is left behind then. */
enum qsv_status qsv_pack(const char *path, struct qsv_dataset *d, bool (*stopped)(void *context),
                         void *context, struct qsv_error *err);

#endif
