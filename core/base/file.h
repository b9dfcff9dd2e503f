/* Whole files in and out. A file that is written appears under its name only when it is complete:
 * it is written under a temporary name in the same folder, synced, renamed, and the folder synced.
 */
#ifndef QSV_FILE_H
#define QSV_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

/* Reads a regular file of at most max_bytes. *data is the caller's to free and has a NUL byte
 * behind its end. */
enum qsv_status qsv_file_read(uint8_t **data, size_t *bytes, const char *path, size_t max_bytes,
                              struct qsv_error *err);

/* Writes all of data under path, atomically and durably. */
enum qsv_status qsv_file_write(const char *path, const void *data, size_t bytes,
                               struct qsv_error *err);

/* The two halves of the above for files that a library writes itself: the temporary name for path
 * (caller frees; ends in
 * ".<pid>.tmp"), and the sync-rename-sync that commits it. On failure commit removes the temporary
 * file. */
char *qsv_file_temporary(const char *path);
enum qsv_status qsv_file_commit(const char *temporary, const char *path, struct qsv_error *err);

/* Creates a folder and its parents where missing. */
enum qsv_status qsv_file_make_folder(const char *path, struct qsv_error *err);

/* Syncs a folder's entries to disk. */
enum qsv_status qsv_file_sync_folder(const char *path, struct qsv_error *err);

/* "folder/name", or just name where folder is NULL, "" or ".", or name is absolute; caller frees.
 * NULL: out of memory. */
char *qsv_file_join(const char *folder, const char *name);

#endif
