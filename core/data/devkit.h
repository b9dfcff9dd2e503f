/* ImageNet's development kit, ILSVRC2012_devkit_t12.tar.gz: the classes of the validation images.
 *
 * data/ILSVRC2012_validation_ground_truth.txt has an ILSVRC2012_ID a line, line i for the image
 * ILSVRC2012_val_<i as 8 digits>.JPEG. These ids are in no useful order: data/meta.mat gives each
 * its WordNet id (a struct array `synsets`, of which those without children are classes), and a
 * class's number is its WordNet id's place among all.
 */
#ifndef QSV_DEVKIT_H
#define QSV_DEVKIT_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

struct qsv_devkit {
    uint16_t *labels; /* [n]: of validation images 1 .. n */
    size_t n;
    char **classes; /* [n_classes]: "n01440764 tench, Tinca tinca" */
    size_t n_classes;
};

/* The caller frees labels, classes and each of them, after a failure too. */
enum qsv_status qsv_devkit_read(struct qsv_devkit *d, const char *path, struct qsv_error *err);

#endif
