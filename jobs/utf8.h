/* UTF-8, one character at a time (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF). */
#ifndef QSV_UTF8_H
#define QSV_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Decodes the character at the beginning of text [bytes]: its length in bytes, or 0 where there is
 * none or the bytes are not UTF-8. */
size_t qsv_utf8_decode(const char *text, size_t bytes, uint32_t *character);

#endif
