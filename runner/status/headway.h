/* Whether a run gets ahead from one start of its batch job to the next.
 *
 * A job that is asked to stop, or killed, before anything was recorded would go back into the queue
 * for ever. So its script notes at each start in RUN/headway how many records there are, and
 * ends where the two starts before have added nothing.
 */
#ifndef QSV_HEADWAY_H
#define QSV_HEADWAY_H

#include <stdint.h>

#include "core/base/error.h"

/* Starts in a row that may add nothing. */
enum { QSV_HEADWAY_IDLE = 2 };

/* restarts: of the batch job before this start; with 0 the counting begins anew. QSV_ESTUCK where
 * it has come to QSV_HEADWAY_IDLE. */
enum qsv_status qsv_headway_check(const char *run_folder, uint32_t restarts, struct qsv_error *err);

#endif
