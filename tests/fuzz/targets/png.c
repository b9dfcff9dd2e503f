/* PNG files, decoded and resampled. Chunks' checksums, which nearly every change would make wrong,
 * are put right first.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tests/fuzz/fuzz.h"

enum { SIGNATURE_BYTES = 8 };

/* Chunks: length, type, data, and the checksum of type and data; big-endian. */
static void correct_checksums(uint8_t *png, size_t size)
{
    struct qsv_cursor c = qsv_cursor_over(png, size);
    qsv_cursor_take(&c, SIGNATURE_BYTES);
    while (qsv_cursor_left(&c) > 12) {
        const size_t n = qsv_cursor_u32_be(&c), begin = c.at;
        if (!qsv_cursor_take(&c, n + 4) || !qsv_cursor_take(&c, 4))
            return;
        const uint32_t crc = __builtin_bswap32((uint32_t)crc32(0, png + begin, (unsigned)n + 4));
        memcpy(png + begin + n + 4, &crc, sizeof crc);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < SIGNATURE_BYTES)
        return 0;
    uint8_t *png = malloc(size);
    FUZZ_NEED(png);
    memcpy(png, data, size);
    memcpy(png, "\x89PNG\r\n\x1a\n", SIGNATURE_BYTES);
    correct_checksums(png, size);
    fuzz_image(png, size);
    free(png);
    return 0;
}
