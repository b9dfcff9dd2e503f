/* A lock that a batch job has left on a run: only the batch system knows whether that job is over
 * when it ran on another machine.
 */
#ifndef QSV_LEFTOVER_H
#define QSV_LEFTOVER_H

#include <stdio.h>

/* Takes the run's lock away where Slurm says that its holder's job is over, and says so in the log.
 * Does nothing where there is no such lock, or nothing is known. */
void qsv_leftover_clear(const char *run_folder, FILE *log);

#endif
