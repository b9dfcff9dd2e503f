/* CIFAR's binary files; the first byte says which of the two, and whether a slice is asked for. */
#include "core/dataset.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t pixels[32 * 32 * 3];
    struct qsv_cursor in = qsv_cursor_over(data, size);
    const uint8_t how = qsv_cursor_u8(&in);
    struct qsv_dataset_source source = {.format = how & 1 ? "cifar100" : "cifar10"};
    struct qsv_dataset *d = NULL;
    struct qsv_error err = {0};
    source.images = fuzz_file(0, data + in.at, qsv_cursor_left(&in));
    source.first = how >> 1 & 3;
    source.count = how >> 3 & 3;
    if (!fuzz_accepted(qsv_dataset_open(&d, &source, &err), &err, QSV_OK))
        return 0;
    for (uint64_t i = 0; i < qsv_dataset_count(d); i++) {
        uint32_t label;
        FUZZ_NEED(!qsv_dataset_read(d, i, pixels, &label, &err));
        FUZZ_NEED(label < (how & 1 ? 100 : 10));
    }
    fuzz_touch(pixels, sizeof pixels);
    qsv_dataset_close(d);
    return 0;
}
