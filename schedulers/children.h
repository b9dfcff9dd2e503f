/* Whether a process has children that live: by /proc. */
#ifndef QSV_CHILDREN_H
#define QSV_CHILDREN_H

#include <stdbool.h>
#include <sys/types.h>

/* Zombies don't live. True, too, where /proc does not tell. */
bool qsv_children_live(pid_t parent);

#endif
