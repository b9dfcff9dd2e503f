/* The man page, qsvit(1): made of the command tables and the spec's keys, so that it can't be
 * behind them.
 */
#ifndef QSV_MANUAL_H
#define QSV_MANUAL_H

#include "core/base/strbuf.h"

void qsv_manual_print(struct qsv_strbuf *out);

#endif
