/* HDF5 data sets: values, dimensions and types of one that is good are changed (h5.h). They are
 * read in this process, and not as qsv_dataset_open does in a child first.
 */
#include <stdlib.h>

#include "core/dataset.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/h5.h"

static void read_ends(struct qsv_dataset *d)
{
    const struct qsv_shape s = qsv_dataset_shape(d);
    const size_t bytes = (size_t)s.h * s.w * s.c;
    const uint64_t ends[] = {0, qsv_dataset_count(d) - 1};
    uint8_t *pixels = malloc(bytes);
    FUZZ_NEED(pixels);
    for (int i = 0; i < 2; i++) {
        struct qsv_error err = {0};
        uint32_t label;
        if (fuzz_accepted(qsv_dataset_read(d, ends[i], pixels, &label, &err), &err, QSV_OK))
            fuzz_touch(pixels, bytes);
    }
    free(pixels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_h5 *good;
    struct qsv_dataset_source source = {.format = "hdf5"};
    struct qsv_dataset *d = NULL;
    struct qsv_error err = {0};
    if (!good)
        good = fuzz_h5_load("tests/data/tiny_images.h5");
    source.images = fuzz_h5_change(good, 0, data, size);
    if (fuzz_accepted(qsv_dataset_open_again(&d, &source, &err), &err, QSV_OK))
        read_ends(d);
    FUZZ_NEED(d || size);
    qsv_dataset_close(d);
    return 0;
}
