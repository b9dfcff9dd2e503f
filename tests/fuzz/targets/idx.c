/* IDX data sets, plain and gzip: a piece is the file of labels, what follows that of images. */
#include <stdlib.h>

#include "core/dataset.h"
#include "tests/fuzz/fuzz.h"

static void read_ends(struct qsv_dataset *d)
{
    const struct qsv_shape s = qsv_dataset_shape(d);
    const size_t bytes = (size_t)s.h * s.w * s.c;
    struct qsv_error err = {0};
    uint8_t *pixels = malloc(bytes);
    uint32_t label;
    FUZZ_NEED(pixels);
    FUZZ_NEED(!qsv_dataset_read(d, 0, pixels, &label, &err));
    FUZZ_NEED(!qsv_dataset_read(d, qsv_dataset_count(d) - 1, pixels, &label, &err));
    FUZZ_NEED(label <= qsv_dataset_max_label(d));
    fuzz_touch(pixels, bytes);
    free(pixels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qsv_cursor in = qsv_cursor_over(data, size), labels = fuzz_piece(&in);
    struct qsv_dataset_source source = {.format = "idx"};
    struct qsv_dataset *d = NULL;
    struct qsv_error err = {0};
    source.labels = fuzz_file(0, labels.data, labels.bytes);
    source.images = fuzz_file(1, data + in.at, qsv_cursor_left(&in));
    if (fuzz_accepted(qsv_dataset_open(&d, &source, &err), &err, QSV_OK))
        read_ends(d);
    qsv_dataset_close(d);
    return 0;
}
