/* Which class an image has, by its file's name, from one of
 *
 *     a CSV file of lines `path,label`, labels being numbers (a first line `path,label` is skipped)
 *     Kaggle's LOC_val_solution.csv: ImageId,PredictionString, "n02119789 x y x y ..."
 *     ILSVRC2012_devkit_t12.tar.gz as it was published (core/data/devkit.h)
 *
 * told apart by what they begin with. Where classes have WordNet ids, their numbers are the ids'
 * order as text: torchvision's, which checkpoints have.
 */
#ifndef QSV_LABELS_H
#define QSV_LABELS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

struct qsv_labels;

/* QSV_EINPUT names the file, and the line of a text. */
enum qsv_status qsv_labels_read(struct qsv_labels **out, const char *path, struct qsv_error *err);
void qsv_labels_destroy(struct qsv_labels *l);

/* The class of the image with this path below its folder or archive; QSV_EINPUT where it has none.
 */
enum qsv_status qsv_labels_find(const struct qsv_labels *l, const char *image, uint16_t *label,
                                struct qsv_error *err);

/* Names of the classes, *n of them; 0 where they have none. */
char *const *qsv_labels_classes(const struct qsv_labels *l, size_t *n);

#endif
