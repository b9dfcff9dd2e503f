/* The dict of a checkpoint that holds the network's tensors. */
#ifndef QSV_STATE_DICT_H
#define QSV_STATE_DICT_H

#include "core/import/pickle.h"

/* Of the root and the dicts in it: the one named "model", else "state_dict", else the one that
 * holds the most tensors. QSV_EINPUT where none holds any. */
enum qsv_status qsv_state_dict_find(uint32_t *dict, const struct qsv_pickle *p,
                                    struct qsv_error *err);

#endif
