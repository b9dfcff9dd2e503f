/* What starting another program and waiting for it takes: which signals are passed on to it, and
 * how its process begins.
 */
#ifndef QSV_SPAWN_H
#define QSV_SPAWN_H

#include <signal.h>
#include <sys/types.h>

/* The signals that are passed on, and SIGCHLD; the caller blocks them and receives them while it
 * waits. One that is ignored (nohup, a script's background) is none of them: a blocked signal would
 * arrive all the same. SIGCHLD gets its default action: ignored, it would take the child's status
 * away. */
void qsv_spawn_signals(sigset_t *set);

/* In the child, first of all: a process group of its own, so that what a terminal sends reaches it
 * only through `parent`; TERM where that dies; an empty input. */
void qsv_spawn_begin(pid_t parent);

#endif
