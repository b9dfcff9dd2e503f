#include "core/base/error.h"

#include <stdio.h>
#include <string.h>

/* A message may quote a hostile file: keep it to one line that a terminal shows as it is. */
static void make_printable(char *text)
{
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
}

enum qsv_status qsv_fail(struct qsv_error *err, enum qsv_status code, const char *format, ...)
{
    if (!err)
        return code;
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    make_printable(err->text);
    err->code = code;
    return code;
}

enum qsv_status qsv_fail_in(struct qsv_error *err, enum qsv_status code, const char *format, ...)
{
    if (!err)
        return code;
    char prefix[QSV_ERROR_TEXT], old[QSV_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    memcpy(old, err->text, sizeof old);
    size_t used = strlen(prefix) < sizeof err->text - 3 ? strlen(prefix) : sizeof err->text - 3;
    memcpy(err->text, prefix, used);
    snprintf(err->text + used, sizeof err->text - used, ": %s", old);
    make_printable(err->text);
    err->code = code;
    return code;
}

enum qsv_status qsv_fail_memory(struct qsv_error *err, const char *what)
{
    return qsv_fail(err, QSV_ENOMEM, "out of memory for %s", what);
}

int qsv_status_exit(enum qsv_status code)
{
    switch (code) {
    case QSV_OK:
        return 0;
    case QSV_EUSAGE:
    case QSV_EINPUT:
    case QSV_EIDENTITY:
        return 2;
    case QSV_EUNMET:
        return 3;
    case QSV_ESTUCK:
        return 4;
    case QSV_ESTOPPED:
        return 75;
    case QSV_EIO:
    case QSV_ENOMEM:
    case QSV_EFAILED:
        break;
    }
    return 1;
}
