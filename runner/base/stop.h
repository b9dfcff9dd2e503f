/* Being asked to stop: by a signal, or by a message. Whatever takes long looks from time to time.
 */
#ifndef QSV_STOP_H
#define QSV_STOP_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

struct qsv_stop {
    const volatile sig_atomic_t *flag; /* NULL: none */
    bool (*asked)(void *context);      /* NULL: none; dearer than the flag: between batches */
    void *context;
};

bool qsv_stop_asked(const struct qsv_stop *s); /* s may be NULL */

/* From now on SIGINT, SIGTERM and SIGUSR1 set the flag that is returned, unless they are ignored,
 * as a shell ignores SIGINT for background jobs. A second SIGINT ends the process, as a person who
 * presses Ctrl-C twice expects. */
const volatile sig_atomic_t *qsv_stop_on_signals(void);

/* The process ends with this exit status so many seconds after the first of these signals, whatever
 * it is doing then: loading, a layer that takes long, a file system that does not answer, a rank
 * that does not. What is recorded was renamed into place, so that it is safe at any moment. text
 * (NULL: nothing) goes to stderr and outlives the call. */
void qsv_stop_within(unsigned seconds, int exit_status, const char *text);

/* Name of the signal that came, "SIGTERM"; NULL: none. */
const char *qsv_stop_signal(void);

#endif
