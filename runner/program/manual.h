/* The man pages, qsvit(1) and one a command: made of the command tables and the spec's keys, so
 * that it can't be behind them.
 */
#ifndef QSV_MANUAL_H
#define QSV_MANUAL_H

#include "core/base/strbuf.h"

struct qsv_command;

/* qsvit(1): all commands, the spec, files. */
void qsv_manual_print(struct qsv_strbuf *out);

/* qsvit-COMMAND(1). */
void qsv_manual_print_command(struct qsv_strbuf *out, const struct qsv_command *c);

#endif
