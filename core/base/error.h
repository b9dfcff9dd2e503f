/* Status codes and the caller-owned error that every fallible function fills.
 *
 * A function that can fail returns enum qsv_status and takes a struct qsv_error * as its last
 * argument. On failure the error's text is one line that names the file, the place in it, what was
 * found and what was expected. The error may be NULL where the caller needs only the code.
 * Libraries never print, exit or abort; main() maps the code to an exit status.
 */
#ifndef QSV_ERROR_H
#define QSV_ERROR_H

#include <stdarg.h>

enum qsv_status {
    QSV_OK = 0,
    QSV_EUSAGE,    /* the command line is wrong: exit status 2 */
    QSV_EINPUT,    /* a file, spec or expression of the user's is wrong: exit status 2 */
    QSV_EIDENTITY, /* a run of another identity, or one held by another process: exit status 2 */
    QSV_EUNMET,    /* no setting meets the constraint: exit status 3 */
    QSV_ESTUCK,    /* started again and again without getting ahead: exit status 4 */
    QSV_ESTOPPED,  /* asked to stop before the end; what is recorded stays: exit status 75 */
    QSV_EIO,       /* a read or write failed: exit status 1 */
    QSV_ENOMEM,    /* out of memory: exit status 1 */
    QSV_EFAILED    /* anything else that failed: exit status 1 */
};

enum { QSV_ERROR_TEXT = 1024 };

struct qsv_error {
    enum qsv_status code;
    char text[QSV_ERROR_TEXT]; /* one line, no newline at its end; control characters replaced */
};

/* Fills err (which may be NULL) and returns code, so that `return qsv_fail(err, ...)` reads well.
 */
enum qsv_status qsv_fail(struct qsv_error *err, enum qsv_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the text of an error that is set; returns its code. */
enum qsv_status qsv_fail_in(struct qsv_error *err, enum qsv_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

enum qsv_status qsv_fail_memory(struct qsv_error *err, const char *what);

/* The exit status of a program that ends with this code. */
int qsv_status_exit(enum qsv_status code);

#endif
