#include "core/engine/profile.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

enum qsv_status qsv_profile_init(struct qsv_profile *p, const struct qsv_graph *g,
                                 struct qsv_error *err)
{
    *p = (struct qsv_profile){
        .layer_s = qsv_alloc(g->n_layers + 1, sizeof *p->layer_s),
        .lif_s = qsv_alloc(g->n_lifs + 1, sizeof *p->lif_s),
        .attention_s = qsv_alloc(g->n_attentions + 1, sizeof *p->attention_s),
    };
    if (p->layer_s && p->lif_s && p->attention_s)
        return QSV_OK;
    qsv_profile_fini(p);
    return qsv_fail_memory(err, "a profile");
}

void qsv_profile_fini(struct qsv_profile *p)
{
    free(p->layer_s);
    free(p->lif_s);
    free(p->attention_s);
    *p = (struct qsv_profile){0};
}

void qsv_profile_clear(struct qsv_profile *p, const struct qsv_graph *g)
{
    memset(p->layer_s, 0, g->n_layers * sizeof *p->layer_s);
    memset(p->lif_s, 0, g->n_lifs * sizeof *p->lif_s);
    memset(p->attention_s, 0, g->n_attentions * sizeof *p->attention_s);
    p->add_s = p->rest_s = 0;
    p->images = 0;
}

void qsv_profile_add(struct qsv_profile *p, enum qsv_op op, uint32_t index, double seconds)
{
    switch (op) {
    case QSV_OP_CONV:
        p->layer_s[index] += seconds;
        break;
    case QSV_OP_LIF:
        p->lif_s[index] += seconds;
        break;
    case QSV_OP_ATTENTION:
        p->attention_s[index] += seconds;
        break;
    case QSV_OP_ADD:
        p->add_s += seconds;
        break;
    default:
        p->rest_s += seconds;
    }
}
