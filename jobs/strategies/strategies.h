/* The rows of the strategy table. */
#ifndef QSV_STRATEGIES_H
#define QSV_STRATEGIES_H

#include "jobs/strategy.h"

extern const struct qsv_strategy qsv_strategy_frontier, qsv_strategy_qsvit, qsv_strategy_greedy,
    qsv_strategy_beam, qsv_strategy_uniform, qsv_strategy_random, qsv_strategy_given;

#endif
