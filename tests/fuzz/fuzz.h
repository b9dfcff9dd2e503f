/* What the fuzz targets share. A target is one file, targets/<name>.c, with the function that
 * libFuzzer calls for each input; replay.c calls it for the files of corpus/<name>/ where there is
 * no libFuzzer. CONTRIBUTING.md, "Fuzzing", says how to run them.
 *
 * Besides what the sanitizers see, a target ends the process where a promise is broken: a file is
 * refused with a line of text and a status that means the file, never out of memory or a failure of
 * the program's own; what was accepted can be read to its end.
 */
#ifndef QSV_FUZZ_H
#define QSV_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/cursor.h"
#include "core/base/error.h"
#include "core/base/strbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The path of a file in memory with these bytes; valid until the same slot's next call. */
enum { FUZZ_SLOTS = 4 };
const char *fuzz_file(unsigned slot, const void *data, size_t bytes);

/* The next piece of an input that has several: two bytes say how long it is, what is left is the
 * most. */
struct qsv_cursor fuzz_piece(struct qsv_cursor *in);

/* A copy with a NUL byte behind it, in memory of exactly that size; free it. */
char *fuzz_text(const void *data, size_t bytes);

/* Reads every byte, so that a sanitizer sees what is not there. */
void fuzz_touch(const void *data, size_t bytes);

/* Ends the process where st is neither QSV_OK, QSV_EINPUT nor `also`, or comes without one line of
 * text; true where st is QSV_OK. */
bool fuzz_accepted(enum qsv_status st, const struct qsv_error *err, enum qsv_status also);

/* Ends the process. */
void fuzz_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* For what must not fail whatever the input is. */
#define FUZZ_NEED(condition)                                                                       \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fuzz_fail("%s:%d: %s", __FILE__, __LINE__, #condition);                                \
    } while (0)

/* Resamples an image file as a data set of images does. */
void fuzz_image(const uint8_t *data, size_t size);

#endif
