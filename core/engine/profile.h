/* Where an engine's time goes: seconds in each part of the graph, added up while switched on. Of
 * several threads it is the one that called the engine that counts, with the images dealt to it. */
#ifndef QSV_PROFILE_H
#define QSV_PROFILE_H

#include "core/engine.h"
#include "core/graph.h"

struct qsv_profile {     /* owned arrays */
    double *layer_s;     /* [n_layers] */
    double *lif_s;       /* [n_lifs] */
    double *attention_s; /* [n_attentions] */
    double add_s;        /* residual sums */
    double rest_s;       /* input, pooling, readout */
    uint64_t images;
};

enum qsv_status qsv_profile_init(struct qsv_profile *p, const struct qsv_graph *g,
                                 struct qsv_error *err);
void qsv_profile_fini(struct qsv_profile *p);
void qsv_profile_clear(struct qsv_profile *p, const struct qsv_graph *g);

/* A step of this kind and index took so long. */
void qsv_profile_add(struct qsv_profile *p, enum qsv_op op, uint32_t index, double seconds);

/* From now on the engine adds to p; NULL: no longer. */
void qsv_engine_profile(struct qsv_engine *e, struct qsv_profile *p);

#endif
