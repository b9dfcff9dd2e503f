/* What PyTorch's pickles say about a tensor: the storage that holds its elements, and where they
 * lie in it.
 */
#ifndef QSV_REBUILD_H
#define QSV_REBUILD_H

#include "core/import/pickle.h"
#include "core/import/strided.h"

struct qsv_rebuilt {
    struct qsv_strided view;
    uint32_t key; /* TEXT: the storage's name */
};

/* Whether PyTorch would make a tensor or parameter of it, by the function that it calls. */
bool qsv_rebuild_is_tensor(const struct qsv_pickle *p, uint32_t node);

/* QSV_EINPUT where the node is no tensor, or one that can't be rebuilt; the error's text is then
 * the end of a sentence that begins with the tensor ("is of type ..."). The view is not yet
 * checked. */
enum qsv_status qsv_rebuild_tensor(struct qsv_rebuilt *out, const struct qsv_pickle *p,
                                   uint32_t node, struct qsv_error *err);

#endif
