/* `beam`: the descent of `greedy` with the search.beam_width best settings side by side. */
#include "jobs/strategies/descent.h"
#include "jobs/strategies/strategies.h"

static enum qsv_status search(const struct qsv_space *space, const struct qsv_spec *spec,
                              struct qsv_evaluator *evaluator, struct qsv_selection *out,
                              struct qsv_error *err)
{
    return qsv_descent_search(space, spec, evaluator, spec->search.beam_width, out, err);
}

const struct qsv_strategy qsv_strategy_beam = {
    .name = "beam",
    .summary = "as greedy, with the best few settings side by side",
    .search = search,
};
