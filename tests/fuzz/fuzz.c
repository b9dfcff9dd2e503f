#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/data/transform.h"

void fuzz_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

const char *fuzz_file(unsigned slot, const void *data, size_t bytes)
{
    static struct {
        int fd;
        char path[32];
    } files[FUZZ_SLOTS];
    FUZZ_NEED(slot < FUZZ_SLOTS);
    if (!files[slot].path[0]) {
        files[slot].fd = memfd_create("fuzz", MFD_CLOEXEC);
        snprintf(files[slot].path, sizeof files[slot].path, "/proc/self/fd/%d", files[slot].fd);
    }
    FUZZ_NEED(files[slot].fd >= 0 && !ftruncate(files[slot].fd, (off_t)bytes));
    FUZZ_NEED(pwrite(files[slot].fd, data, bytes, 0) == (ssize_t)bytes);
    return files[slot].path;
}

struct qsv_cursor fuzz_piece(struct qsv_cursor *in)
{
    size_t n = qsv_cursor_u16(in), left = qsv_cursor_left(in);
    n = n < left ? n : left;
    return qsv_cursor_over(qsv_cursor_take(in, n), n);
}

char *fuzz_text(const void *data, size_t bytes)
{
    char *text = malloc(bytes + 1);
    FUZZ_NEED(text);
    if (bytes)
        memcpy(text, data, bytes);
    text[bytes] = '\0';
    return text;
}

void fuzz_touch(const void *data, size_t bytes)
{
    const volatile uint8_t *p = data;
    for (size_t i = 0; i < bytes; i++)
        (void)p[i];
}

bool fuzz_accepted(enum qsv_status st, const struct qsv_error *err, enum qsv_status also)
{
    if (st == QSV_OK)
        return true;
    if (st != QSV_EINPUT && st != also)
        fuzz_fail("refused with status %d: %s", (int)st, err->text);
    if (err->code != st || !err->text[0] || strchr(err->text, '\n'))
        fuzz_fail("status %d comes with status %d and '%s'", (int)st, (int)err->code, err->text);
    return false;
}

/* By the last byte, so that an input is an image file as it is. */
static const struct qsv_transform transforms[] = {
    {8, 8, QSV_BICUBIC}, {16, 5, QSV_BILINEAR}, {33, 32, QSV_BICUBIC}, {1, 1, QSV_BILINEAR}};

void fuzz_image(const uint8_t *data, size_t size)
{
    static uint8_t pixels[32 * 32 * 3];
    struct qsv_error err = {0};
    const struct qsv_transform *t = &transforms[size ? data[size - 1] % 4 : 0];
    enum qsv_status st = qsv_transform_image(t, data, size, pixels, &err);
    if (fuzz_accepted(st, &err, QSV_OK))
        fuzz_touch(pixels, (size_t)t->crop * t->crop * 3);
}
