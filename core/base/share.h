/* Read-only memory of which the processes on a machine need one copy only.
 *
 * The first that has the data puts them into a sealed memory file (memfd_create(2)); those that
 * come to have the same data later map that file in place of what they have. They find it by its
 * key: the first one holds a name among Linux's abstract sockets, which only one process can have
 * and which goes with the process, as the file does with the last that maps it. So nothing is left
 * behind by a process that is killed, and nobody waits for another that hangs, but for seconds when
 * it hangs while it fills the file.
 *
 * Only processes of one user, network and pid namespace find each other. What is found is compared
 * byte for byte; a sealed file cannot change any more.
 */
#ifndef QSV_SHARE_H
#define QSV_SHARE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

struct qsv_share;

struct qsv_share_piece {
    const void *data;
    size_t bytes;
};

/* shared [n]: where equal pieces lie, aligned to QSV_ALIGN, until the share is destroyed; the
 * caller's own may then go. key: a hash of the pieces. QSV_EFAILED says why there can be none: keep
 * your own. */
enum qsv_status qsv_share_create(struct qsv_share **out, uint64_t key,
                                 const struct qsv_share_piece *pieces, size_t n,
                                 const void **shared, struct qsv_error *err);
void qsv_share_destroy(struct qsv_share *s);

#endif
