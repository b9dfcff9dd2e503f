/* The constraint of a spec as strategies use it: is it met, and which of two settings is the better
 * answer.
 *
 * Where the accuracy is bounded (max_top1_drop) the better of two settings that hold stores fewer
 * bytes, so that a bound on the size (max_bytes, target_avg_bits) is nothing to steer by: the
 * smallest setting within the drop meets it or none does. Where only size or energy is bounded, the
 * better one diverges less from the baseline.
 */
#ifndef QSV_CONSTRAINT_H
#define QSV_CONSTRAINT_H

#include <stdbool.h>

#include "core/base/strbuf.h"
#include "jobs/metrics.h"
#include "jobs/spec.h"

bool qsv_constraint_bounds_drop(const struct qsv_spec *spec);
bool qsv_constraint_bounds_size(const struct qsv_spec *spec);
bool qsv_constraint_bounds_energy(const struct qsv_spec *spec);

/* Each limit by itself; true where it isn't given. */
bool qsv_constraint_drop_met(const struct qsv_spec *spec, const struct qsv_metrics *m);
bool qsv_constraint_size_met(const struct qsv_spec *spec, const struct qsv_metrics *m);
bool qsv_constraint_energy_met(const struct qsv_spec *spec, const struct qsv_metrics *m);

/* 0: every limit is met. Else the largest excess as a share of its limit (of one point where
 * max_top1_drop is less). */
double qsv_constraint_violation(const struct qsv_spec *spec, const struct qsv_metrics *m);
bool qsv_constraint_met(const struct qsv_spec *spec, const struct qsv_metrics *m);
/* By how many bytes a setting is above the bounds on its size; below 0: so many are left. -INFINITY
 * where there is none. */
double qsv_constraint_bytes_over(const struct qsv_spec *spec, const struct qsv_bytes *b);

/* All limits that a search steers by: not those on the size beside max_top1_drop. */
bool qsv_constraint_holds(const struct qsv_spec *spec, const struct qsv_metrics *m);

/* Below 0 where a is the better answer, above 0 where b is, 0 where nothing tells them apart. What
 * is nearer to holding comes first (the drop before the energy), so that the best of settings that
 * all fail is the nearest. */
int qsv_constraint_compare(const struct qsv_spec *spec, const struct qsv_metrics *a,
                           const struct qsv_metrics *b);

/* "top-1 drop at most 1.5 points, at most 400000 bytes" */
void qsv_constraint_print(struct qsv_strbuf *out, const struct qsv_spec *spec);

#endif
