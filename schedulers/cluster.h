/* The launchers that reach other machines: srun in a Slurm job, and mpirun, in a job of any batch
 * system that it knows or with a list of hosts among its options.
 */
#ifndef QSV_CLUSTER_H
#define QSV_CLUSTER_H

#include "schedulers/launcher.h"

extern const struct qsv_launcher qsv_launcher_srun, qsv_launcher_mpirun;

#endif
