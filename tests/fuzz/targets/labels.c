/* Files of labels that are text: path,label and Kaggle's. What is gzip is devkit.c's. */
#include <string.h>

#include "core/data/labels.h"
#include "tests/fuzz/fuzz.h"

static const char *const images[] = {
    "a.png", "b/x.png", "./b/x.png", "", ".", "a,b/c.jpeg", "train/ILSVRC2012_val_00000003.JPEG"};

static void look_up(const struct qsv_labels *l)
{
    size_t n;
    char *const *classes = qsv_labels_classes(l, &n);
    for (size_t i = 0; i < n; i++)
        fuzz_touch(classes[i], strlen(classes[i]));
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        uint16_t label = 0;
        struct qsv_error err = {0};
        if (fuzz_accepted(qsv_labels_find(l, images[i], &label, &err), &err, QSV_OK))
            FUZZ_NEED(!n || label < n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qsv_labels *l = NULL;
    struct qsv_error err = {0};
    if (size >= 2 && data[0] == 0x1f && data[1] == 0x8b)
        return 0;
    if (fuzz_accepted(qsv_labels_read(&l, fuzz_file(0, data, size), &err), &err, QSV_OK))
        look_up(l);
    qsv_labels_destroy(l);
    return 0;
}
