/* Running another program in this one's place: it has this one's terminal and gets the signals that
 * are meant for this one.
 */
#ifndef QSV_RELAY_H
#define QSV_RELAY_H

#include <stdbool.h>

#include "core/base/error.h"

struct qsv_relay_end {
    int status;         /* its exit status; 128 + number of the signal that ended it */
    bool asked_to_stop; /* INT, TERM, HUP or USR1 came, and was passed on */
};

/* Runs argv (NULL-terminated; argv[0] is a path) with an empty input and what it prints going to
 * standard error, and waits. It is in a process group of its own, so that what a terminal sends
 * reaches it once, from here. It gets TERM where this process dies. QSV_EFAILED where it can't be
 * started. */
enum qsv_status qsv_relay_run(struct qsv_relay_end *out, char *const *argv, struct qsv_error *err);

#endif
