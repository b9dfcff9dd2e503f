/* JPEG files, decoded and resampled. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 2 && data[0] == 0xff && data[1] == 0xd8)
        fuzz_image(data, size);
    return 0;
}
