#!/bin/bash
# A sweep as a Slurm job that goes on by itself: sbatch examples/slurm.sh mine.yaml
#SBATCH --job-name=qsvit
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=64
#SBATCH --time=04:00:00
#SBATCH --signal=USR1@180
#SBATCH --requeue
#SBATCH --open-mode=append

# The ranks get USR1 three minutes before the time limit: they record what they have finished and
# end with status 75. A job whose rank died is ended by srun and not requeued here: look at it first.
srun --mpi=pmix --kill-on-bad-exit=1 qsvit run "${1:-cluster.yaml}"
status=$?
if [ "$status" = 75 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
