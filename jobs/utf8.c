#include "jobs/utf8.h"

size_t qsv_utf8_decode(const char *text, size_t bytes, uint32_t *character)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (bytes == 0)
        return 0;
    uint8_t head = (uint8_t)*text;
    size_t n = head < 0x80 ? 1 : head >> 5 == 6 ? 2 : head >> 4 == 14 ? 3 : head >> 3 == 30 ? 4 : 0;
    if (n == 0 || n > bytes)
        return 0;
    uint32_t c = n == 1 ? head : head & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (((uint8_t)text[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | ((uint8_t)text[i] & 0x3f);
    }
    if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *character = c;
    return n;
}
