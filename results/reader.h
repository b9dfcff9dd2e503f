/* Reading a run: results.h5 and segments put together, while the run goes on or after it. No model
 * file is needed: what a reader wants of the model (layer names, shapes, weights) is in results.h5.
 */
#ifndef QSV_READER_H
#define QSV_READER_H

#include "core/base/error.h"
#include "core/base/strbuf.h"

struct qsv_reader;

/* path: the run's folder, or a results.h5. QSV_EINPUT for anything that is not a run of a schema
 * version that is known. */
enum qsv_status qsv_reader_open(struct qsv_reader **out, const char *path, struct qsv_error *err);
void qsv_reader_close(struct qsv_reader *r);

#endif
