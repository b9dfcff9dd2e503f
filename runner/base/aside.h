/* Starting over without deleting anything. */
#ifndef QSV_ASIDE_H
#define QSV_ASIDE_H

#include <stdio.h>

#include "core/base/error.h"

/* Renames a run's folder to <run>.old-<n>, n being the first that is free, and says so in the log;
 * nothing where there is no such folder. QSV_EIDENTITY where a process holds the run. */
enum qsv_status qsv_aside_move(const char *run_folder, FILE *log, struct qsv_error *err);

#endif
