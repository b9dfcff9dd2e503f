#include "runner/coordinator/leftover.h"

#include "results/lock.h"
#include "schedulers/slurm.h"

void qsv_leftover_clear(const char *run_folder, FILE *log)
{
    struct qsv_lock_holder holder;
    struct qsv_slurm_job job;
    qsv_lock_look(run_folder, &holder);
    if (holder.state != QSV_LOCK_REMOTE || !*holder.job)
        return;
    if (qsv_slurm_look(&job, holder.job, NULL) || job.running)
        return;
    fprintf(log, "%s: its lock was left by Slurm job %s on %s, which is over\n", run_folder,
            holder.job, holder.host);
    qsv_lock_break(run_folder, &holder);
}
