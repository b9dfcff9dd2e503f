/* Files that come with the program and are read when it runs.
 */
#ifndef QSV_SHARED_FILE_H
#define QSV_SHARED_FILE_H

#include "core/base/error.h"

/* The path of such a file, "report/vega.js": in the folder that the environment variable
 * QSV_DATADIR names; else beside the program, where a build puts it, or in ../share/qsvit from
 * there, where `make install` does. The caller frees it. QSV_EFAILED naming all places where it is
 * in none of them; `remedy` ends the message. */
enum qsv_status qsv_shared_file_find(char **out, const char *name, const char *remedy,
                                     struct qsv_error *err);

#endif
