/* `qsvit run --dry-run`: everything that a spec names is loaded and checked, and what its sweep
 * would ask, take and need is said: speeds measured here just then, the search forecast
 * (runner/forecast/simulate.h), memory modelled (runner/forecast/footprint.h). Nothing is
 * evaluated, nothing written.
 */
#ifndef QSV_DRY_RUN_H
#define QSV_DRY_RUN_H

#include <stdio.h>

#include "jobs/spec.h"

enum qsv_status qsv_dry_run(const struct qsv_spec *spec, FILE *out, struct qsv_error *err);

#endif
