/* Archives of images: listed, sorted into classes, and every image decoded. */
#include "core/dataset.h"
#include "tests/fuzz/fuzz.h"

enum { SIDE = 4, MAX_IMAGES = 16 };

static void read_images(struct qsv_dataset *d)
{
    static uint8_t pixels[SIDE * SIDE * 3];
    uint64_t n = qsv_dataset_count(d);
    for (uint64_t i = 0; i < n && i < MAX_IMAGES; i++) {
        struct qsv_error err = {0};
        uint32_t label;
        FUZZ_NEED(qsv_dataset_image_name(d, i));
        fuzz_accepted(qsv_dataset_read(d, i, pixels, &label, &err), &err, QSV_OK);
        FUZZ_NEED(qsv_dataset_class_name(d, label));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qsv_dataset_source source = {.format = "tar", .transform = {SIDE, SIDE, QSV_BILINEAR}};
    struct qsv_dataset *d = NULL;
    struct qsv_error err = {0};
    source.images = fuzz_file(0, data, size);
    if (fuzz_accepted(qsv_dataset_open(&d, &source, &err), &err, QSV_OK))
        read_images(d);
    qsv_dataset_close(d);
    return 0;
}
