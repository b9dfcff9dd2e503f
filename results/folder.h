/* The files of a run's folder, by name. */
#ifndef QSV_FOLDER_H
#define QSV_FOLDER_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/base/strbuf.h"

/* Paths; the caller frees; NULL: out of memory. */
char *qsv_folder_results(const char *run_folder);
char *qsv_folder_segments(const char *run_folder);
char *qsv_folder_segment(const char *run_folder, const char *name);

/* A list of names, growing. */
struct qsv_names {
    char **v;
    size_t n, capacity;
};
void qsv_names_fini(struct qsv_names *names);
enum qsv_status qsv_names_add(struct qsv_names *names, const char *name, struct qsv_error *err);

/* Names of the segments that are there, sorted; none where there is no such folder. */
enum qsv_status qsv_folder_list(const char *run_folder, struct qsv_names *out,
                                struct qsv_error *err);

/* Removes what writers that were killed left behind: temporary files. */
void qsv_folder_clean(const char *run_folder);

/* Renames path to path.damaged, or .damaged.2 and so on where that is there already; *to (appended)
 * is the new path. */
enum qsv_status qsv_folder_set_aside(const char *path, struct qsv_strbuf *to,
                                     struct qsv_error *err);

#endif
