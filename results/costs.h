/* What a record cost by the run's energy table. */
#ifndef QSV_COSTS_H
#define QSV_COSTS_H

#include "results/run.h"

/* pJ of all the record's images together, so that records add up. */
void qsv_record_energy(struct qsv_energy *out, const struct qsv_run *run, const uint8_t *formats,
                       const struct qsv_record *r);

#endif
