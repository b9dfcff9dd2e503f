/* The system calls by which files that must last come to be: one place, so that a test can make any
 * of them fail. Without a fault that is set they are the system calls.
 *
 * A fault is text, "OPERATION:N[+][:WHAT]": from the process's N-th call (from 1) of an operation
 * on
 *
 *     OPERATION   open (also of folders that are made), write, fsync, rename (also link), any
 *     N, N+       that call alone; that one and all later ones, as on a disk that stays full
 *     WHAT        ENOSPC (the default), EDQUOT, EIO, EROFS, EACCES: how it fails, nothing being
 *                 done; kill: the process is killed at the call, a write being done by half
 *
 * `qsvit` takes one from the environment variable QSV_FAULT.
 */
#ifndef QSV_IO_H
#define QSV_IO_H

#include <stddef.h>
#include <sys/types.h>

#include "core/base/error.h"

/* open(2), closed on exec; O_CREAT makes files of mode 0666 less the umask. */
int qsv_io_open(const char *path, int flags);
/* The whole of data, through interruptions and short writes; -1 and errno. */
int qsv_io_write(int fd, const void *data, size_t bytes);
int qsv_io_fsync(int fd);
int qsv_io_rename(const char *from, const char *to);
int qsv_io_link(const char *from, const char *to);
int qsv_io_mkdir(const char *path);

/* A call failed: QSV_EIO, "path: doing: errno's text", and what to do about it where that is known.
 */
enum qsv_status qsv_io_fail(struct qsv_error *err, const char *path, const char *doing);

/* Sets the fault, and counts calls from 0; NULL or "": none. QSV_EUSAGE for what is none. */
enum qsv_status qsv_io_set_fault(const char *text, struct qsv_error *err);
/* Calls of all operations since then, counted only while a fault is set. */
unsigned long qsv_io_calls(void);

#endif
