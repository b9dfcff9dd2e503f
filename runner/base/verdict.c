#include "runner/base/verdict.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"

void qsv_verdict_begin(const char *path)
{
    static const char text[] = "begun\n";
    if (path)
        qsv_file_write(path, text, sizeof text - 1, NULL);
}

static bool is_noted(const char *path)
{
    uint8_t *text;
    size_t bytes;
    if (qsv_file_read(&text, &bytes, path, 64, NULL))
        return false;
    bool noted = bytes > 0 && text[0] >= '0' && text[0] <= '9';
    free(text);
    return noted;
}

void qsv_verdict_note(const char *path, int exit_status)
{
    char text[16];
    if (!path || is_noted(path))
        return;
    snprintf(text, sizeof text, "%d\n", exit_status);
    qsv_file_write(path, text, strlen(text), NULL);
}
