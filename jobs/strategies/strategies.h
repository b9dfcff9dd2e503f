/* The rows of the strategy table. A new one is a file here that defines its row, and a line in
 * strategies.inc; docs/extending.md says more. */
#ifndef QSV_STRATEGIES_H
#define QSV_STRATEGIES_H

#include "jobs/strategy.h"

#define STRATEGY(name) extern const struct qsv_strategy qsv_strategy_##name;
#include "jobs/strategies/strategies.inc"
#undef STRATEGY

#endif
