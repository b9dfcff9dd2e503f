/* What a rank says of itself when it begins, so that ranks which don't belong together are noticed
 * before anything is opened.
 */
#ifndef QSV_HELLO_H
#define QSV_HELLO_H

#include "runner/transport/message.h"

/* Program, host and process. The build is told by a hash of the program's file, because one commit
 * can be compiled in many ways. */
void qsv_hello_fill(struct qsv_hello *h);

/* QSV_EIDENTITY names the rank, its host and what differs from rank 0's own. CPU types may differ:
 * they give the same records. */
enum qsv_status qsv_hello_check(const struct qsv_hello *h, int rank, const struct qsv_hello *own,
                                struct qsv_error *err);

#endif
