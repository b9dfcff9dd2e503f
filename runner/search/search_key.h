/* What tells one search of a run from another.
 */
#ifndef QSV_SEARCH_KEY_H
#define QSV_SEARCH_KEY_H

#include <stdint.h>

#include "core/base/error.h"
#include "jobs/spec.h"

/* A hash of everything that steers the search, and nothing that does not: comments, ranks, where it
 * runs. Fills in first what the spec leaves to the run: `random` without a number spends as much as
 * `qsvit` did there (spec->search.max_evaluations). */
enum qsv_status qsv_search_key(uint64_t *out, struct qsv_spec *spec, struct qsv_error *err);

#endif
