/* A terminal that is drawn over and over, and left as it was.
 *
 * Plain ANSI sequences (ECMA-48, and xterm's alternate screen) and termios: what is shown is drawn
 * anew as a whole, which is all that a library for terminals would be used for.
 *
 * While it is open, the signals that end a process, crashes among them, first put the terminal back
 * and then do what they did before; Ctrl-Z puts it back until the process goes on. Only SIGKILL
 * leaves it as it is. One screen a process.
 */
#ifndef QSV_SCREEN_H
#define QSV_SCREEN_H

#include <stdbool.h>

#include "core/base/error.h"
#include "core/base/strbuf.h"

/* Whether standard output is a terminal that knows the sequences. */
bool qsv_screen_is_possible(void);

enum qsv_status qsv_screen_open(struct qsv_error *err);
/* Where none is open, nothing happens. */
void qsv_screen_close(void);

/* Of the terminal as it is now; 80 x 24 where it does not tell. */
void qsv_screen_size(unsigned *columns, unsigned *rows);

/* Lines that fit the size; what stood there before is gone. */
enum qsv_status qsv_screen_draw(const struct qsv_strbuf *lines, struct qsv_error *err);

/* Until a key is pressed, the size changes, the process goes on after Ctrl-Z, or so many seconds
 * have passed. The key; 0: none. -1: there is no input any more. */
int qsv_screen_wait(double seconds);

#endif
