#include "jobs/strategy.h"

#include <stdlib.h>
#include <string.h>

#include "jobs/strategies/strategies.h"

const struct qsv_strategy *const qsv_strategies[] = {
    &qsv_strategy_frontier, &qsv_strategy_qsvit,  &qsv_strategy_greedy, &qsv_strategy_beam,
    &qsv_strategy_uniform,  &qsv_strategy_random, &qsv_strategy_given,  NULL,
};

const struct qsv_strategy *qsv_strategy_find(const char *name)
{
    for (size_t i = 0; qsv_strategies[i]; i++)
        if (!strcmp(qsv_strategies[i]->name, name))
            return qsv_strategies[i];
    return NULL;
}

const char *qsv_strategy_names(void)
{
    return "frontier, qsvit, greedy, beam, uniform, random, given";
}

void qsv_selection_fini(struct qsv_selection *s)
{
    free(s->formats);
    free(s->base_formats);
    free(s->sensitivity);
    memset(s, 0, sizeof *s);
}
