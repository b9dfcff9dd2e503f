#include "jobs/strategy.h"

#include <stdlib.h>
#include <string.h>

#include "jobs/strategies/strategies.h"

#define STRATEGY(name) &qsv_strategy_##name,
const struct qsv_strategy *const qsv_strategies[] = {
#include "jobs/strategies/strategies.inc"
    NULL,
};
#undef STRATEGY

#define STRATEGY(name) ", " #name
static const char names[] =
#include "jobs/strategies/strategies.inc"
    ;
#undef STRATEGY

const struct qsv_strategy *qsv_strategy_find(const char *name)
{
    for (size_t i = 0; qsv_strategies[i]; i++)
        if (!strcmp(qsv_strategies[i]->name, name))
            return qsv_strategies[i];
    return NULL;
}

const char *qsv_strategy_names(void)
{
    return names + 2;
}

void qsv_selection_fini(struct qsv_selection *s)
{
    free(s->formats);
    free(s->base_formats);
    free(s->sensitivity);
    memset(s, 0, sizeof *s);
}
