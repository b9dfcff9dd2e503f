/* The search of `greedy` and `beam`, after AQ4SViT (arXiv 2606.15523): units of the network are
 * lowered a format at a time, first all of it, then stages, blocks and layers; what drifts too far
 * is not measured. docs/search.md says what the paper leaves open.
 *
 * A descent keeps up to `width` settings, its beam. A level visits its units one after the other; a
 * visit lowers the unit in every setting of the beam for as long as that is accepted, and leaves
 * the best.
 */
#ifndef QSV_DESCENT_H
#define QSV_DESCENT_H

#include "jobs/strategies/search.h"

enum qsv_level { QSV_NETWORK_LEVEL, QSV_STAGE_LEVEL, QSV_BLOCK_LEVEL, QSV_LAYER_LEVEL };

struct qsv_descent {
    struct qsv_search search;
    uint8_t options[QSV_N_FORMATS + 1]; /* f32, and the search's formats by falling bits */
    uint32_t n_options;
    struct qsv_pool gated;   /* on the gate's images */
    struct qsv_pool decided; /* on the deciding images; entry 0: nothing quantized */
    struct qsv_pool final;   /* on what the selection is decided by */
    uint32_t width;
    size_t *beam; /* [n_beam] entries of decided, the best first; room for a visit's descendants */
    size_t n_beam;
    size_t *trail; /* [n_trail] entries of decided, the way down: each better than those before */
    size_t n_trail, trail_capacity;
    double most_drift; /* that passes the gate, on its images; INFINITY: any */
};

enum qsv_status qsv_descent_search(const struct qsv_space *space, const struct qsv_spec *spec,
                                   struct qsv_evaluator *evaluator, uint32_t width,
                                   struct qsv_selection *out, struct qsv_error *err);

const char *qsv_level_name(enum qsv_level level);
/* Units of a level are numbered in network order; those whose layers are all pinned have no group.
 */
uint32_t qsv_level_size(const struct qsv_space *space, enum qsv_level level);

/* order [qsv_level_size]: units by the drift that lowering them adds to the best setting for each
 * byte that it saves, least first. */
enum qsv_status qsv_descent_rank(struct qsv_descent *d, enum qsv_level level, uint32_t *order);

/* An entry of decided that was accepted: the end of the way down, if it is better than that. */
enum qsv_status qsv_descent_accept(struct qsv_descent *d, size_t entry);

/* Lowers a unit, and notes what came of it. */
enum qsv_status qsv_descent_visit(struct qsv_descent *d, enum qsv_level level, uint32_t unit);

#endif
