/* `greedy`: one setting, lowered for as long as it holds. */
#include "jobs/strategies/descent.h"
#include "jobs/strategies/strategies.h"

static enum qsv_status search(const struct qsv_space *space, const struct qsv_spec *spec,
                              struct qsv_evaluator *evaluator, struct qsv_selection *out,
                              struct qsv_error *err)
{
    return qsv_descent_search(space, spec, evaluator, 1, out, err);
}

const struct qsv_strategy qsv_strategy_greedy = {
    .name = "greedy",
    .summary = "lowers the network, stages, blocks and layers one at a time, past a gate on drift, "
               "for as long as accuracy holds",
    .search = search,
};
