/* How much memory a rank of a sweep takes at most, by a model: sizes of what it keeps, from the
 * network's shapes. Nothing here is measured; docs/performance.md has both side by side.
 */
#ifndef QSV_FOOTPRINT_H
#define QSV_FOOTPRINT_H

#include "runner/inputs/inputs.h"

struct qsv_footprint { /* bytes */
    uint64_t shared;   /* of the model: one copy for the ranks of a machine */
    uint64_t engine;   /* values in flight and working memory, of all threads */
    uint64_t weights;  /* prepared: f32 and every format of the search in every layer, which is what
                          a call needs at most */
    uint64_t bank;     /* codes of these formats */
    uint64_t kept;     /* images, baseline answers, networks: up to the limits of their caches */
    uint64_t exported; /* the selected network as it is read back from its file, and its engine */
    uint64_t codes;    /* while a part of the bank is made; 0: none is */
    uint64_t rank;     /* at its peak, without what is shared */
};

/* trials: of the longest question, which bounds how many values wait where networks part. */
enum qsv_status qsv_footprint_model(struct qsv_footprint *out, const struct qsv_inputs *in,
                                    uint64_t trials, struct qsv_error *err);

#endif
