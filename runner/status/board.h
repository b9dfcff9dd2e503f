/* What `qsvit watch` shows of a run: a screenful of lines, or one line for a log.
 */
#ifndef QSV_BOARD_H
#define QSV_BOARD_H

#include "results/state.h"
#include "runner/status/situation.h"

struct qsv_board {
    const char *folder;
    const struct qsv_state *state; /* NULL: nothing is recorded yet */
    const struct qsv_situation *situation;
    double bound_points;    /* the spec's constraint.max_top1_drop; NaN: none */
    unsigned columns, rows; /* of what is drawn, at least 1 */
};

/* "running", "waiting" (for its job to begin), or as qsv_state_word says. */
const char *qsv_board_word(const struct qsv_board *b);

/* At most `rows` lines of at most `columns` characters, all of them printable ASCII: how far the
 * run is, what its searches asked for and decided, and as a curve what accuracy costs what memory.
 */
void qsv_board_draw(struct qsv_strbuf *out, const struct qsv_board *b);

/* Of any length. */
void qsv_board_line(struct qsv_strbuf *out, const struct qsv_board *b);

#endif
