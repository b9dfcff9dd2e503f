/* What earlier searches of a run say to a new one. */
#ifndef QSV_EARLIER_H
#define QSV_EARLIER_H

#include <stdint.h>

#include "core/base/error.h"

/* How many settings the last search by a strategy asked for; 0: there was none. */
enum qsv_status qsv_earlier_evaluations(uint64_t *out, const char *run_folder, const char *strategy,
                                        struct qsv_error *err);

#endif
