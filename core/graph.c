#include "core/graph.h"

#include <stdlib.h>

static void free_names(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

void qsv_graph_fini(struct qsv_graph *g)
{
    for (size_t i = 0; i < g->n_layers; i++)
        free(g->layers[i].name);
    for (size_t i = 0; i < g->n_norms; i++)
        free(g->norms[i].name);
    for (size_t i = 0; i < g->n_lifs; i++)
        free(g->lifs[i].name);
    for (size_t i = 0; i < g->n_attentions; i++)
        free(g->attentions[i].name);
    free_names(g->block_names, g->n_blocks);
    free_names(g->stage_names, g->n_stages);
    free(g->nodes);
    free(g->layers);
    free(g->links);
    free(g->norms);
    free(g->lifs);
    free(g->attentions);
    *g = (struct qsv_graph){0};
}
